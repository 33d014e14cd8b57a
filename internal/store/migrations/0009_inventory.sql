-- What the inventory shows of a certificate's body, so that it does not read certificate_text.
-- They hold while the row has the version that is in listed. A program that does not know these
-- columns changes the version only, and then the body counts.

ALTER TABLE certificate ADD COLUMN listed_bits BIGINT NOT NULL DEFAULT 0;

ALTER TABLE certificate ADD COLUMN listed_common_name TEXT NOT NULL DEFAULT '';

ALTER TABLE certificate ADD COLUMN listed_issuer TEXT NOT NULL DEFAULT '';

ALTER TABLE certificate ADD COLUMN listed_not_before BIGINT NOT NULL DEFAULT 0;

ALTER TABLE certificate ADD COLUMN listed_received_by TEXT NOT NULL DEFAULT '';

ALTER TABLE certificate ADD COLUMN listed_waivers TEXT NOT NULL DEFAULT '';

ALTER TABLE certificate ADD COLUMN listed BIGINT NOT NULL DEFAULT 0;
