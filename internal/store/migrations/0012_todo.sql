-- What people must look at, over all partners, and the indexes that find it. The column noted has the
-- version of the row for which the columns before it hold, as certificate.listed has for others. A row
-- that a program of the previous version has stored is in every index until it is stored again.

ALTER TABLE environment ADD COLUMN contacts BIGINT NOT NULL DEFAULT 0;

ALTER TABLE environment ADD COLUMN lead BIGINT NOT NULL DEFAULT 0;

ALTER TABLE environment ADD COLUMN noted BIGINT NOT NULL DEFAULT 0;

ALTER TABLE key_pair ADD COLUMN alarmed BIGINT NOT NULL DEFAULT 0;

ALTER TABLE key_pair ADD COLUMN noted BIGINT NOT NULL DEFAULT 0;

ALTER TABLE certificate ADD COLUMN came BIGINT NOT NULL DEFAULT 0;

ALTER TABLE certificate ADD COLUMN ends BIGINT NOT NULL DEFAULT 0;

ALTER TABLE certificate ADD COLUMN alarmed BIGINT NOT NULL DEFAULT 0;

ALTER TABLE certificate ADD COLUMN waived BIGINT NOT NULL DEFAULT 0;

ALTER TABLE certificate ADD COLUMN mismatched BIGINT NOT NULL DEFAULT 0;

ALTER TABLE certificate ADD COLUMN noted BIGINT NOT NULL DEFAULT 0;

ALTER TABLE renewal ADD COLUMN due BIGINT NOT NULL DEFAULT 0;

ALTER TABLE renewal ADD COLUMN noted BIGINT NOT NULL DEFAULT 0;

-- Each of these indexes has only rows of its concern, the most urgent first. internal/store/concern.go
-- and notice.go have the same conditions in the same words: else SQLite would not use the index.

CREATE INDEX certificate_ends ON certificate (ends, id) WHERE ends > 0 OR noted <> version;

CREATE INDEX certificate_came ON certificate (came, id) WHERE came > 0 OR noted <> version;

CREATE INDEX certificate_alarmed ON certificate (alarmed, id) WHERE alarmed > 0 OR noted <> version;

CREATE INDEX certificate_mismatched ON certificate (mismatched, id) WHERE mismatched > 0 OR noted <> version;

CREATE INDEX certificate_waived ON certificate (waived, id) WHERE waived > 0 OR noted <> version;

CREATE INDEX certificate_active ON certificate (partner, environment, owner) WHERE state = 'active';

CREATE INDEX key_pair_alarmed ON key_pair (alarmed, id) WHERE alarmed > 0 OR noted <> version;

CREATE INDEX key_pair_active ON key_pair (partner, environment, id) WHERE state = 'active';

CREATE INDEX environment_contacts ON environment (partner, name) WHERE contacts = 0 OR noted <> version;

CREATE INDEX environment_lead ON environment (partner, name) WHERE lead > 120 OR noted <> version;

CREATE INDEX environment_optional ON environment (partner, name) WHERE sealing = 'optional';

CREATE INDEX environment_unauthenticated ON environment (partner, name) WHERE caller = 'unauthenticated';

CREATE INDEX environment_sha1 ON environment (partner, name) WHERE accept_rsa_oaep <> '';

CREATE INDEX offer_open ON offer (at, key_pair, partner) WHERE at > 0 AND confirmed <= 0;

CREATE INDEX renewal_due ON renewal (step, due, id) WHERE due > 0 OR noted <> version;
