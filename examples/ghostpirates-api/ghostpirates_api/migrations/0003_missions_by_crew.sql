-- no-transaction
CREATE INDEX CONCURRENTLY missions_by_crew ON missions (crew, id);
