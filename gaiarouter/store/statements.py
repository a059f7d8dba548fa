"""The SQL of usage and migrations; that of the other tables stands with them. One text for SQLite and PostgreSQL.

So they keep to what both take: `$1` parameters, ids made by the application, BIGINT times, `ON CONFLICT`, `RETURNING`;
no casts with `::`, no arrays, no `now()`. Column lists are in the order of the fields of UsageRecord.
"""

from __future__ import annotations

ADD_USAGE = """
INSERT INTO usage_records (id, time_us, key, organization, route, model_asked, model_served, provider,
                           attempts, status, outcome, error, streamed,
                           in_uncached, in_cache_read, in_cache_write, in_tool, out_visible, out_reasoning,
                           estimated, cost_nano_usd, duration_us, first_content_us, request_id)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24)
ON CONFLICT (id) DO NOTHING
"""

FIND_USAGE = """
SELECT id, time_us, key, organization, route, model_asked, model_served, provider,
       attempts, status, outcome, error, streamed,
       in_uncached, in_cache_read, in_cache_write, in_tool, out_visible, out_reasoning,
       estimated, cost_nano_usd, duration_us, first_content_us, request_id
FROM usage_records WHERE id = $1
"""

COUNT_USAGE = "SELECT count(*) FROM usage_records"

CREATE_MIGRATIONS = """
CREATE TABLE IF NOT EXISTS schema_migrations (
    version     BIGINT PRIMARY KEY,
    sha256      TEXT NOT NULL,
    applied_us  BIGINT NOT NULL
)
"""

LIST_MIGRATIONS = "SELECT version, sha256 FROM schema_migrations ORDER BY version"

ADD_MIGRATION = "INSERT INTO schema_migrations (version, sha256, applied_us) VALUES ($1, $2, $3)"
