-- Statistics by the hour, and what budgets have in use. Times are microseconds since the epoch, money is nano-dollars.
-- Names that a request did not come to have are empty, so that they can stand in a key.
-- d0 to d15, f0 to f15: how many requests took how long, as a whole and until their first content; the bounds are in
-- gaiarouter/store/tables/histogram.py.

CREATE TABLE usage_stats (
    hour_us         BIGINT NOT NULL,
    organization    TEXT NOT NULL,
    key             TEXT NOT NULL,
    route           TEXT NOT NULL,
    model           TEXT NOT NULL,
    provider        TEXT NOT NULL,
    status_class    BIGINT NOT NULL,
    requests        BIGINT NOT NULL,
    errors          BIGINT NOT NULL,
    unpriced        BIGINT NOT NULL,
    in_uncached     BIGINT NOT NULL,
    in_cache_read   BIGINT NOT NULL,
    in_cache_write  BIGINT NOT NULL,
    in_tool         BIGINT NOT NULL,
    out_visible     BIGINT NOT NULL,
    out_reasoning   BIGINT NOT NULL,
    cost_nano_usd   BIGINT NOT NULL,
    d0 BIGINT NOT NULL, d1 BIGINT NOT NULL, d2 BIGINT NOT NULL, d3 BIGINT NOT NULL,
    d4 BIGINT NOT NULL, d5 BIGINT NOT NULL, d6 BIGINT NOT NULL, d7 BIGINT NOT NULL,
    d8 BIGINT NOT NULL, d9 BIGINT NOT NULL, d10 BIGINT NOT NULL, d11 BIGINT NOT NULL,
    d12 BIGINT NOT NULL, d13 BIGINT NOT NULL, d14 BIGINT NOT NULL, d15 BIGINT NOT NULL,
    f0 BIGINT NOT NULL, f1 BIGINT NOT NULL, f2 BIGINT NOT NULL, f3 BIGINT NOT NULL,
    f4 BIGINT NOT NULL, f5 BIGINT NOT NULL, f6 BIGINT NOT NULL, f7 BIGINT NOT NULL,
    f8 BIGINT NOT NULL, f9 BIGINT NOT NULL, f10 BIGINT NOT NULL, f11 BIGINT NOT NULL,
    f12 BIGINT NOT NULL, f13 BIGINT NOT NULL, f14 BIGINT NOT NULL, f15 BIGINT NOT NULL,
    PRIMARY KEY (hour_us, organization, key, route, model, provider, status_class)
);

CREATE INDEX usage_stats_by_organization ON usage_stats (organization, hour_us);
CREATE INDEX usage_stats_by_key ON usage_stats (key, hour_us);

-- A scope is a key's or an organization's id; `starts_us` is where its period began.
CREATE TABLE budgets (
    scope      TEXT NOT NULL,
    starts_us  BIGINT NOT NULL,
    spent      BIGINT NOT NULL,
    reserved   BIGINT NOT NULL,
    PRIMARY KEY (scope, starts_us)
);

-- What requests in flight have reserved. One goes when its request's record comes in, whoever brings that.
CREATE TABLE budget_holds (
    id         TEXT NOT NULL,
    scope      TEXT NOT NULL,
    starts_us  BIGINT NOT NULL,
    amount     BIGINT NOT NULL,
    PRIMARY KEY (id, scope)
);

CREATE INDEX usage_records_by_request ON usage_records (request_id);
CREATE INDEX usage_records_by_key ON usage_records (key, time_us, id);
CREATE INDEX usage_records_by_organization ON usage_records (organization, time_us, id);
