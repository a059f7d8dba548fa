"""The SQL of usage and migrations; that of the other tables stands with them. One text for SQLite and PostgreSQL.

So they keep to what both take: `$1` parameters, ids made by the application, BIGINT times, `ON CONFLICT`, `RETURNING`;
no casts with `::`, no arrays, no `now()`. Column lists are in the order of the fields of UsageRecord.
"""

from __future__ import annotations

CREATE_MIGRATIONS = """
CREATE TABLE IF NOT EXISTS schema_migrations (
    version     BIGINT PRIMARY KEY,
    sha256      TEXT NOT NULL,
    applied_us  BIGINT NOT NULL
)
"""

LIST_MIGRATIONS = "SELECT version, sha256 FROM schema_migrations ORDER BY version"

ADD_MIGRATION = "INSERT INTO schema_migrations (version, sha256, applied_us) VALUES ($1, $2, $3)"
