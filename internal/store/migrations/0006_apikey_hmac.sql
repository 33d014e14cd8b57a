-- API keys are found by an HMAC, and another one binds it to the row, see lanes.HashKey. The
-- column sha256 is for programs of the version before.

ALTER TABLE api_key ADD COLUMN hmac BLOB;

ALTER TABLE api_key ADD COLUMN binding BLOB;

CREATE INDEX api_key_hmac ON api_key (hmac);
