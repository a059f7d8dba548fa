-- What the gateway signs with, made by the first process that needs it and the same for all who share the store.

CREATE TABLE secrets (
    name        TEXT PRIMARY KEY,
    value       TEXT NOT NULL,
    created_us  BIGINT NOT NULL
);
