-- Where a partner takes the requests of an environment.

ALTER TABLE environment ADD COLUMN url TEXT NOT NULL DEFAULT '';
