-- What people search by: names holds the texts of a row in one case, see registry.Fold. And when
-- a partner was archived, which is a number below 0 for those that were not.

ALTER TABLE partner ADD COLUMN names TEXT NOT NULL DEFAULT '';

ALTER TABLE partner ADD COLUMN archived BIGINT NOT NULL DEFAULT -62135596800000000;

ALTER TABLE environment ADD COLUMN names TEXT NOT NULL DEFAULT '';

ALTER TABLE api_key ADD COLUMN names TEXT NOT NULL DEFAULT '';

ALTER TABLE certificate ADD COLUMN names TEXT NOT NULL DEFAULT '';

ALTER TABLE certificate ADD COLUMN serial_number TEXT NOT NULL DEFAULT '';

ALTER TABLE certificate ADD COLUMN sha1 BLOB;

-- These indexes are read from their beginning to their end instead of their tables.

CREATE INDEX partner_names ON partner (id, names);

CREATE INDEX environment_names ON environment (partner, name, names);

CREATE INDEX api_key_names ON api_key (id, names);

CREATE INDEX certificate_names ON certificate (id, names);

CREATE INDEX certificate_serial ON certificate (serial_number, id);

CREATE INDEX certificate_sha1 ON certificate (sha1);

CREATE INDEX audit_partner ON audit (partner, seq);

CREATE INDEX audit_subject ON audit (subject, seq);

CREATE INDEX audit_actor ON audit (actor, seq);

CREATE INDEX audit_action ON audit (action, seq);

CREATE INDEX audit_time ON audit (time, seq);
