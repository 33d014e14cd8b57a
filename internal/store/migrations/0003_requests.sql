-- Acts that wait for a second person. Few are open at a time.

CREATE TABLE request (
	id TEXT NOT NULL PRIMARY KEY,
	state TEXT NOT NULL,
	person TEXT NOT NULL,
	version BIGINT NOT NULL,
	body TEXT NOT NULL
);

CREATE INDEX request_state ON request (state, id);
