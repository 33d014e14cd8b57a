-- Notices of ends, and the outbox. Programs note them without a record: when a mail has ended, one record
-- of the audit log says how. Backups do not have them, so that a restored registry sends nothing again.

CREATE TABLE notice (
	certificate TEXT NOT NULL,
	kind TEXT NOT NULL,
	days BIGINT NOT NULL,
	recipient TEXT NOT NULL,
	round BIGINT NOT NULL,
	renewal TEXT NOT NULL,
	partner TEXT NOT NULL,
	environment TEXT NOT NULL,
	mail TEXT NOT NULL,
	planned BIGINT NOT NULL,
	outcome TEXT NOT NULL,
	why TEXT NOT NULL,
	PRIMARY KEY (certificate, kind, days, recipient, round)
);

CREATE INDEX notice_mail ON notice (mail);

CREATE INDEX notice_partner ON notice (partner, planned);

CREATE TABLE mail (
	id TEXT NOT NULL PRIMARY KEY,
	kind TEXT NOT NULL,
	about_key TEXT UNIQUE,
	partner TEXT NOT NULL,
	recipient TEXT NOT NULL,
	state TEXT NOT NULL,
	next BIGINT NOT NULL,
	planned BIGINT NOT NULL,
	ended BIGINT NOT NULL,
	message_id TEXT UNIQUE,
	version BIGINT NOT NULL,
	body TEXT NOT NULL,
	data BLOB
);

CREATE INDEX mail_state ON mail (state, next);

CREATE INDEX mail_recipient ON mail (recipient, state);

CREATE INDEX mail_partner ON mail (partner, id);

CREATE INDEX mail_ended ON mail (ended);

-- When the notices of an open renewal, or an active certificate without one, are looked at next. One without
-- a row is looked at now.

CREATE TABLE notice_look (
	about TEXT NOT NULL PRIMARY KEY,
	at BIGINT NOT NULL
);

-- What makes this database the one for which the sending of mails was armed. A backup does not have it.

CREATE TABLE installation (
	id TEXT NOT NULL PRIMARY KEY,
	since BIGINT NOT NULL
);
