-- The file that a partner sent, out of body, which every list reads. NULL: there is
-- none, or it is still in body, where version 1 had it.

ALTER TABLE certificate_text ADD COLUMN file BLOB;
