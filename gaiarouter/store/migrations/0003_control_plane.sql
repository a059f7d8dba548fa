-- Organizations, users, what keys gained, models, and the audit log. Lists, limits and audited values are JSON in TEXT.
-- `deleted_us` is set by a deletion: rows stay, for the usage that names them.

CREATE TABLE organizations (
    id               TEXT PRIMARY KEY,
    name             TEXT NOT NULL,
    created_us       BIGINT NOT NULL,
    updated_us       BIGINT NOT NULL,
    description      TEXT,
    status           TEXT NOT NULL,
    limits           TEXT,
    budget_nano_usd  BIGINT,
    budget_period    TEXT,
    models           TEXT,
    deleted_us       BIGINT
);

CREATE UNIQUE INDEX organizations_by_name ON organizations (name) WHERE deleted_us IS NULL;

CREATE TABLE users (
    id             TEXT PRIMARY KEY,
    organization   TEXT NOT NULL,
    email          TEXT NOT NULL,
    name           TEXT,
    role           TEXT NOT NULL,
    created_us     BIGINT NOT NULL,
    updated_us     BIGINT NOT NULL,
    status         TEXT NOT NULL,
    password_hash  TEXT,
    last_login_us  BIGINT,
    deleted_us     BIGINT
);

CREATE UNIQUE INDEX users_by_email ON users (email) WHERE deleted_us IS NULL;
CREATE INDEX users_by_organization ON users (organization, created_us, id);

ALTER TABLE api_keys ADD COLUMN owner TEXT;
ALTER TABLE api_keys ADD COLUMN description TEXT;
ALTER TABLE api_keys ADD COLUMN status TEXT NOT NULL DEFAULT 'active';
ALTER TABLE api_keys ADD COLUMN budget_nano_usd BIGINT;
ALTER TABLE api_keys ADD COLUMN budget_period TEXT;
ALTER TABLE api_keys ADD COLUMN updated_us BIGINT NOT NULL DEFAULT 0;
ALTER TABLE api_keys ADD COLUMN peppered BOOLEAN NOT NULL DEFAULT FALSE;
ALTER TABLE api_keys ADD COLUMN previous_hash TEXT;
ALTER TABLE api_keys ADD COLUMN previous_peppered BOOLEAN;
ALTER TABLE api_keys ADD COLUMN previous_until_us BIGINT;

UPDATE api_keys SET updated_us = COALESCE(revoked_us, created_us);

CREATE INDEX api_keys_by_organization ON api_keys (organization, created_us, id);
-- what watched for revocations watches the audit log now
DROP INDEX api_keys_by_revocation;

CREATE TABLE models (
    id              TEXT PRIMARY KEY,
    provider        TEXT NOT NULL,
    name            TEXT NOT NULL,
    capabilities    TEXT NOT NULL,
    context_tokens  BIGINT,
    prices          TEXT NOT NULL,
    price_source    TEXT,
    price_version   TEXT,
    updated_us      BIGINT NOT NULL
);

CREATE UNIQUE INDEX models_by_name ON models (provider, name);

CREATE TABLE audit_log (
    seq            BIGINT PRIMARY KEY,
    time_us        BIGINT NOT NULL,
    actor          TEXT NOT NULL,
    action         TEXT NOT NULL,
    target         TEXT NOT NULL,
    organization   TEXT,
    request_id     TEXT,
    value_before   TEXT,
    value_after    TEXT,
    previous_hash  TEXT NOT NULL,
    hash           TEXT NOT NULL
);

CREATE INDEX audit_log_by_target ON audit_log (target, seq);

-- One row: the number and hash of the newest entry. Every change of the control plane takes it first, so that changes
-- follow one another, on every replica in the same order.
CREATE TABLE audit_head (
    id    BIGINT PRIMARY KEY,
    seq   BIGINT NOT NULL,
    hash  TEXT NOT NULL
);

INSERT INTO audit_head (id, seq, hash) VALUES (1, 0, '');
