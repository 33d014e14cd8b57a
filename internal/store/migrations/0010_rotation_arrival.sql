-- What becomes of messages after a certificate has ended (warn, refuse, or empty for the default), and
-- the reason why refused messages are not sent again with other keys.

ALTER TABLE environment ADD COLUMN expired TEXT NOT NULL DEFAULT '';

ALTER TABLE environment ADD COLUMN no_resend TEXT NOT NULL DEFAULT '';

-- Certificates in the order in which they were stored first, which is about that of their rows.

CREATE INDEX certificate_arrival ON certificate (added, id);
