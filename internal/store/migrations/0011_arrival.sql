-- Certificates in the order in which they were stored first, which is about that of their rows.

CREATE INDEX certificate_arrival ON certificate (added, id);
