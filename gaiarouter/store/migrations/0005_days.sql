-- Statistics once more, by the day: a month is read from a thirtieth of the rows. As usage_stats, which keeps the hours.

CREATE TABLE usage_days (
    day_us          BIGINT NOT NULL,
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
    PRIMARY KEY (day_us, organization, key, route, model, provider, status_class)
);

CREATE INDEX usage_days_by_organization ON usage_days (organization, day_us);
CREATE INDEX usage_days_by_key ON usage_days (key, day_us);

INSERT INTO usage_days
SELECT hour_us / 86400000000 * 86400000000, organization, key, route, model, provider, status_class,
       SUM(requests), SUM(errors), SUM(unpriced), SUM(in_uncached), SUM(in_cache_read), SUM(in_cache_write),
       SUM(in_tool), SUM(out_visible), SUM(out_reasoning), SUM(cost_nano_usd),
       SUM(d0), SUM(d1), SUM(d2), SUM(d3), SUM(d4), SUM(d5), SUM(d6), SUM(d7),
       SUM(d8), SUM(d9), SUM(d10), SUM(d11), SUM(d12), SUM(d13), SUM(d14), SUM(d15),
       SUM(f0), SUM(f1), SUM(f2), SUM(f3), SUM(f4), SUM(f5), SUM(f6), SUM(f7),
       SUM(f8), SUM(f9), SUM(f10), SUM(f11), SUM(f12), SUM(f13), SUM(f14), SUM(f15)
FROM usage_stats GROUP BY 1, 2, 3, 4, 5, 6, 7;
