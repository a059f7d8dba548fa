-- Whether a key's requests and answers are kept, where the configuration has a place for them (log.bodies).

ALTER TABLE api_keys ADD COLUMN log_bodies BOOLEAN NOT NULL DEFAULT FALSE;
