-- How often each key pair and certificate was used, by partner, node and direction. process and batch
-- are those that stored last: a batch that is repeated is not stored twice.

CREATE TABLE key_use (
	id TEXT NOT NULL,
	partner TEXT NOT NULL,
	node TEXT NOT NULL,
	direction TEXT NOT NULL,
	first BIGINT NOT NULL,
	last BIGINT NOT NULL,
	uses BIGINT NOT NULL,
	process TEXT NOT NULL,
	batch BIGINT NOT NULL,
	PRIMARY KEY (id, partner, node, direction)
);

-- What the programs that serve messages report of themselves. It is about one installation, so
-- backups do not have it.

CREATE TABLE node (
	name TEXT NOT NULL PRIMARY KEY,
	process TEXT NOT NULL,
	record BIGINT NOT NULL,
	started BIGINT NOT NULL,
	at BIGINT NOT NULL,
	counted BIGINT NOT NULL,
	serves BIGINT NOT NULL,
	ended BIGINT NOT NULL,
	shared BIGINT NOT NULL
);
