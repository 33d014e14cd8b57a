-- How much the partner of an environment may ask of a gateway: JSON, and empty without limits.

ALTER TABLE environment ADD COLUMN limits TEXT NOT NULL DEFAULT '';
