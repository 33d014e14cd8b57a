-- The checksum of the file that a certificate came in, so that a file can be blocked that
-- came in before. And how many records the audit log had when a key was stored, so that keys
-- which came later can be found: those that are there already came before any.

ALTER TABLE certificate ADD COLUMN file_sha256 BLOB;

ALTER TABLE certificate ADD COLUMN added BIGINT NOT NULL DEFAULT 0;

ALTER TABLE key_pair ADD COLUMN added BIGINT NOT NULL DEFAULT 0;

CREATE INDEX certificate_file ON certificate (file_sha256);

CREATE INDEX certificate_added ON certificate (added);

CREATE INDEX key_pair_added ON key_pair (added);
