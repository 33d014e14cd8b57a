-- Renewals: the change from one key of a leg to its successor. One is open for a leg at a time. Those
-- that have ended stay.

CREATE TABLE renewal (
	id TEXT NOT NULL PRIMARY KEY,
	owner TEXT NOT NULL,
	partner TEXT NOT NULL,
	profile TEXT NOT NULL,
	environment TEXT NOT NULL,
	replaces TEXT NOT NULL,
	successor TEXT NOT NULL,
	campaign TEXT NOT NULL,
	step TEXT NOT NULL,
	closed BIGINT NOT NULL,
	version BIGINT NOT NULL,
	body TEXT NOT NULL
);

CREATE UNIQUE INDEX renewal_open ON renewal (owner, partner, profile, environment) WHERE closed < 0;

CREATE INDEX renewal_partner ON renewal (partner, environment, id);

CREATE INDEX renewal_step ON renewal (step, id);

CREATE INDEX renewal_campaign ON renewal (campaign, id);

CREATE INDEX renewal_replaces ON renewal (replaces, id);

CREATE INDEX renewal_successor ON renewal (successor, id);

-- When a partner has said that it has installed a certificate of ours, and who, how. The default is
-- no time.

ALTER TABLE offer ADD COLUMN installed BIGINT NOT NULL DEFAULT -62135596800000000;

ALTER TABLE offer ADD COLUMN said TEXT NOT NULL DEFAULT '';

-- How keys and certificates change, as JSON. It is a column so that an earlier program keeps it.

ALTER TABLE environment ADD COLUMN rotation TEXT NOT NULL DEFAULT '';

-- For how many microseconds programs have watched the uses of keys in each UTC day, as microseconds
-- since 1970. It is about one installation, so backups do not have it.

CREATE TABLE observed (
	day BIGINT NOT NULL PRIMARY KEY,
	watched BIGINT NOT NULL,
	until BIGINT NOT NULL
);

-- Which process does a task, so that two do not do it at a time. Backups do not have it.

CREATE TABLE claim (
	task TEXT NOT NULL PRIMARY KEY,
	holder TEXT NOT NULL,
	until BIGINT NOT NULL
);
