-- As 0006_days.sqlite.sql, and a table a day (UTC), so that forgetting a day is dropping its table: usage_records_20261129.
-- What no day's table takes is in usage_records_rest. Days to come are made by gaiarouter/store/tables/days.py.
-- Wide columns first: a row is then without gaps. Uniqueness is by time and id: a record's time never changes.

ALTER TABLE budget_holds ADD COLUMN time_us BIGINT NOT NULL DEFAULT 0;

ALTER TABLE usage_records RENAME TO usage_records_before;

CREATE TABLE usage_records (
    time_us           BIGINT NOT NULL,
    cost_nano_usd     BIGINT,
    lost_nano_usd     BIGINT,
    duration_us       BIGINT NOT NULL,
    first_content_us  BIGINT,
    attempts          BIGINT NOT NULL,
    status            BIGINT NOT NULL,
    in_uncached       BIGINT NOT NULL,
    in_cache_read     BIGINT NOT NULL,
    in_cache_write    BIGINT NOT NULL,
    in_tool           BIGINT NOT NULL,
    out_visible       BIGINT NOT NULL,
    out_reasoning     BIGINT NOT NULL,
    streamed          BOOLEAN NOT NULL,
    estimated         BOOLEAN NOT NULL,
    id                TEXT COLLATE "C" NOT NULL,
    request_id        TEXT NOT NULL,
    key               TEXT,
    organization      TEXT,
    route             TEXT,
    model_asked       TEXT,
    model_served      TEXT,
    provider          TEXT,
    outcome           TEXT NOT NULL,
    error             TEXT,
    lost              TEXT
) PARTITION BY RANGE (time_us);

CREATE TABLE usage_records_rest PARTITION OF usage_records DEFAULT;

DO $$
DECLARE
    day_us  CONSTANT BIGINT := 86400000000;
    today   CONSTANT BIGINT := floor(extract(epoch FROM clock_timestamp()) / 86400);
    day     BIGINT;
BEGIN
    FOR day IN
        SELECT time_us / day_us FROM usage_records_before
        WHERE time_us BETWEEN (today - 10000) * day_us AND (today + 1) * day_us
        UNION SELECT generate_series(today, today + 2) ORDER BY 1
    LOOP
        EXECUTE format(
            'CREATE TABLE usage_records_%s PARTITION OF usage_records FOR VALUES FROM (%s) TO (%s)',
            to_char(to_timestamp(day * 86400) AT TIME ZONE 'UTC', 'YYYYMMDD'), day * day_us, (day + 1) * day_us
        );
    END LOOP;
END
$$;

INSERT INTO usage_records (
    id, time_us, key, organization, route, model_asked, model_served, provider, attempts, status, outcome, error,
    streamed, in_uncached, in_cache_read, in_cache_write, in_tool, out_visible, out_reasoning, estimated, cost_nano_usd,
    duration_us, first_content_us, request_id
)
SELECT id, time_us, key, organization, route, model_asked, model_served, provider, attempts, status, outcome, error,
    streamed, in_uncached, in_cache_read, in_cache_write, in_tool, out_visible, out_reasoning, estimated, cost_nano_usd,
    duration_us, first_content_us, request_id
FROM usage_records_before;

DROP TABLE usage_records_before;

ALTER TABLE usage_records ADD PRIMARY KEY (time_us, id);
CREATE INDEX usage_records_by_request ON usage_records USING hash (request_id);
CREATE INDEX usage_records_by_key ON usage_records (key) WHERE key IS NOT NULL;
CREATE INDEX usage_records_by_organization ON usage_records (organization) WHERE organization IS NOT NULL;
CREATE INDEX usage_records_with_lost ON usage_records (time_us) WHERE lost IS NOT NULL;
