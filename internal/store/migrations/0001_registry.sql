-- One file for both databases. For PostgreSQL, BLOB becomes BYTEA, and TEXT gets
-- the collation "C", so that both put texts in the same order. A statement ends
-- with a semicolon at the end of a line.
--
-- body is the rest of a row: JSON, of what nothing is searched by and the snapshot
-- of lanes does not need.

CREATE TABLE schema_version (version BIGINT NOT NULL PRIMARY KEY);

-- Programs that write take turns by a lock of this table. It has no rows.
CREATE TABLE writer (id BIGINT NOT NULL PRIMARY KEY);

CREATE TABLE partner (
	id TEXT NOT NULL PRIMARY KEY,
	name TEXT NOT NULL,
	profile TEXT NOT NULL,
	side TEXT NOT NULL,
	version BIGINT NOT NULL,
	body TEXT NOT NULL
);

CREATE TABLE environment (
	partner TEXT NOT NULL REFERENCES partner (id),
	name TEXT NOT NULL,
	account TEXT UNIQUE,
	sealing TEXT NOT NULL,
	caller TEXT NOT NULL,
	accept_rsa_oaep TEXT NOT NULL,
	max_payload BIGINT NOT NULL,
	version BIGINT NOT NULL,
	body TEXT NOT NULL,
	PRIMARY KEY (partner, name)
);

CREATE TABLE api_key (
	id TEXT NOT NULL PRIMARY KEY,
	partner TEXT NOT NULL,
	environment TEXT NOT NULL,
	sha256 BLOB UNIQUE,
	sealing TEXT NOT NULL,
	revoked BIGINT NOT NULL,
	version BIGINT NOT NULL,
	body TEXT NOT NULL,
	FOREIGN KEY (partner, environment) REFERENCES environment (partner, name)
);

CREATE INDEX api_key_environment ON api_key (partner, environment, id);

CREATE TABLE api_key_use (
	id TEXT NOT NULL PRIMARY KEY REFERENCES api_key (id),
	at BIGINT NOT NULL
);

CREATE TABLE key_pair (
	id TEXT NOT NULL PRIMARY KEY,
	profile TEXT NOT NULL,
	partner TEXT,
	environment TEXT NOT NULL,
	key_id TEXT NOT NULL,
	state TEXT NOT NULL,
	root_key TEXT NOT NULL,
	spki_sha256 BLOB NOT NULL,
	spki BLOB NOT NULL,
	sealed BLOB NOT NULL,
	version BIGINT NOT NULL,
	body TEXT NOT NULL,
	FOREIGN KEY (partner, environment) REFERENCES environment (partner, name)
);

CREATE INDEX key_pair_profile ON key_pair (profile, id);

CREATE INDEX key_pair_partner ON key_pair (partner, environment, id);

CREATE INDEX key_pair_environment ON key_pair (environment, id);

CREATE INDEX key_pair_key_id ON key_pair (key_id, id);

CREATE INDEX key_pair_state ON key_pair (state, id);

CREATE INDEX key_pair_root_key ON key_pair (root_key, id);

CREATE INDEX key_pair_spki ON key_pair (spki_sha256);

CREATE TABLE offer (
	key_pair TEXT NOT NULL REFERENCES key_pair (id),
	partner TEXT NOT NULL REFERENCES partner (id),
	at BIGINT NOT NULL,
	confirmed BIGINT NOT NULL,
	version BIGINT NOT NULL,
	PRIMARY KEY (key_pair, partner)
);

CREATE INDEX offer_partner ON offer (partner, key_pair);

-- What every pass over the certificates reads is here, what is long and read
-- one at a time is in certificate_text.
CREATE TABLE certificate (
	id TEXT NOT NULL PRIMARY KEY,
	owner TEXT NOT NULL,
	partner TEXT,
	profile TEXT NOT NULL,
	environment TEXT NOT NULL,
	key_pair TEXT NOT NULL,
	key_id TEXT NOT NULL,
	state TEXT NOT NULL,
	not_after BIGINT NOT NULL,
	sha256 BLOB NOT NULL,
	spki_sha256 BLOB NOT NULL,
	spki BLOB NOT NULL,
	version BIGINT NOT NULL,
	FOREIGN KEY (partner, environment) REFERENCES environment (partner, name)
);

-- No index begins with the owner. Without statistics, SQLite would prefer one with the owner
-- and the state to that of the key, and read half of the table.

CREATE INDEX certificate_partner ON certificate (partner, environment, id);

CREATE INDEX certificate_environment ON certificate (environment, id, owner);

CREATE INDEX certificate_key_pair ON certificate (key_pair, id);

CREATE INDEX certificate_key_id ON certificate (key_id, id);

CREATE INDEX certificate_state ON certificate (state, id, owner, environment);

CREATE INDEX certificate_due ON certificate (state, not_after, id, owner, environment);

CREATE INDEX certificate_sha256 ON certificate (sha256);

CREATE INDEX certificate_spki ON certificate (spki_sha256);

CREATE TABLE certificate_text (
	id TEXT NOT NULL PRIMARY KEY REFERENCES certificate (id),
	der BLOB NOT NULL,
	file BLOB,
	body TEXT NOT NULL
);

CREATE TABLE blocked (
	spki_sha256 BLOB NOT NULL PRIMARY KEY,
	body TEXT NOT NULL
);

CREATE TABLE person (
	id TEXT NOT NULL PRIMARY KEY,
	sha256 BLOB UNIQUE,
	version BIGINT NOT NULL,
	body TEXT NOT NULL
);

CREATE TABLE setting (
	name TEXT NOT NULL PRIMARY KEY,
	value BLOB NOT NULL
);

-- A record's hash is over its parts, so they come back byte for byte: before and
-- after are bytes, and the time is a text with its offset.
CREATE TABLE audit (
	seq BIGINT NOT NULL PRIMARY KEY,
	time TEXT NOT NULL,
	actor TEXT NOT NULL,
	action TEXT NOT NULL,
	subject TEXT NOT NULL,
	partner TEXT NOT NULL,
	environment TEXT NOT NULL,
	reason TEXT NOT NULL,
	before BLOB,
	after BLOB,
	previous BLOB NOT NULL,
	hash BLOB NOT NULL
);
