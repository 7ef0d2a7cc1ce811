-- What an attempt was in its source, packed; NULL: a GitHub Deployment, as all were that are here already.
ALTER TABLE attempts ADD COLUMN origin BLOB;

-- The files that a change touches, a packed list of texts; NULL: not read.
ALTER TABLE changes ADD COLUMN paths BLOB;
ALTER TABLE commits ADD COLUMN paths BLOB;
