-- Records are listed by their time, whatever else is asked of them: SQLite read none of these three, and wrote each for
-- every record. That of random request ids alone cost it a page a record. PostgreSQL does read its own.

DROP INDEX IF EXISTS usage_records_by_request;
DROP INDEX IF EXISTS usage_records_by_key;
DROP INDEX IF EXISTS usage_records_by_organization;
