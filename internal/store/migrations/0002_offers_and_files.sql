-- What became of a key pair of ours with each partner, and the file that a partner
-- sent, were in a certificate's body: a pair for all partners made that long, and
-- every list read the files. moveOut moves what is there.

CREATE TABLE offer (
	key_pair TEXT NOT NULL REFERENCES key_pair (id),
	partner TEXT NOT NULL REFERENCES partner (id),
	at BIGINT NOT NULL,
	confirmed BIGINT NOT NULL,
	version BIGINT NOT NULL,
	PRIMARY KEY (key_pair, partner)
);

CREATE INDEX offer_partner ON offer (partner, key_pair);

ALTER TABLE certificate_text ADD COLUMN file BLOB;
