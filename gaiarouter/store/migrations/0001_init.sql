-- One text for SQLite and PostgreSQL. Times are microseconds since the epoch, money is nano-dollars.
-- Lists and limits are JSON in TEXT; hashes are hexadecimal.

CREATE TABLE api_keys (
    id            TEXT PRIMARY KEY,
    name          TEXT NOT NULL,
    secret_hash   TEXT NOT NULL,
    created_us    BIGINT NOT NULL,
    organization  TEXT,
    permissions   TEXT NOT NULL,
    models        TEXT,
    limits        TEXT,
    inference     BOOLEAN NOT NULL,
    expires_us    BIGINT,
    revoked_us    BIGINT,
    last_used_us  BIGINT
);

CREATE INDEX api_keys_by_revocation ON api_keys (revoked_us) WHERE revoked_us IS NOT NULL;

CREATE TABLE usage_records (
    id                TEXT PRIMARY KEY,
    time_us           BIGINT NOT NULL,
    key               TEXT,
    organization      TEXT,
    route             TEXT,
    model_asked       TEXT,
    model_served      TEXT,
    provider          TEXT,
    attempts          BIGINT NOT NULL,
    status            BIGINT NOT NULL,
    outcome           TEXT NOT NULL,
    error             TEXT,
    streamed          BOOLEAN NOT NULL,
    in_uncached       BIGINT NOT NULL,
    in_cache_read     BIGINT NOT NULL,
    in_cache_write    BIGINT NOT NULL,
    in_tool           BIGINT NOT NULL,
    out_visible       BIGINT NOT NULL,
    out_reasoning     BIGINT NOT NULL,
    estimated         BOOLEAN NOT NULL,
    cost_nano_usd     BIGINT,
    duration_us       BIGINT NOT NULL,
    first_content_us  BIGINT,
    request_id        TEXT NOT NULL
);

CREATE INDEX usage_records_by_time ON usage_records (time_us, id);
