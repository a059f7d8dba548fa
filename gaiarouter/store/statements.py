"""Every SQL statement, one text for SQLite and PostgreSQL.

So they keep to what both take: `$1` parameters, ids made by the application, BIGINT times, `ON CONFLICT`, `RETURNING`;
no casts with `::`, no arrays, no `now()`. Column lists are in the order of the fields of ApiKey and UsageRecord.
"""

from __future__ import annotations

FIND_KEY = """
SELECT id, name, secret_hash, created_us, organization, permissions, models, limits, inference,
       expires_us, revoked_us, last_used_us, unsupported
FROM api_keys WHERE id = $1
"""

LIST_KEYS = """
SELECT id, name, secret_hash, created_us, organization, permissions, models, limits, inference,
       expires_us, revoked_us, last_used_us, unsupported
FROM api_keys ORDER BY created_us, id
"""

ANY_KEY = "SELECT id FROM api_keys LIMIT 1"

ADD_KEY = """
INSERT INTO api_keys (id, name, secret_hash, created_us, organization, permissions, models, limits, inference,
                      expires_us, revoked_us, last_used_us, unsupported)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
ON CONFLICT (id) DO NOTHING RETURNING id
"""

REVOKE_KEY = "UPDATE api_keys SET revoked_us = $2 WHERE id = $1 AND revoked_us IS NULL RETURNING id"

REVOKED_KEYS = "SELECT id FROM api_keys WHERE revoked_us IS NOT NULL AND revoked_us >= $1"

TOUCH_KEY = """
UPDATE api_keys SET last_used_us = $2 WHERE id = $1 AND (last_used_us IS NULL OR last_used_us < $2)
"""

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
