-- `error`: the key's callers are refused what a target cannot take exactly. NULL: their route says.

ALTER TABLE api_keys ADD COLUMN unsupported TEXT;
