-- lost: tries whose answer did not become the request's and that a provider may bill all the same, as JSON; what they cost
-- is in lost_nano_usd. time_us of a hold: of the record that will settle it, 0 for those from before.

ALTER TABLE usage_records ADD COLUMN lost TEXT;
ALTER TABLE usage_records ADD COLUMN lost_nano_usd BIGINT;

CREATE INDEX usage_records_with_lost ON usage_records (time_us, id) WHERE lost IS NOT NULL;

ALTER TABLE budget_holds ADD COLUMN time_us BIGINT NOT NULL DEFAULT 0;
