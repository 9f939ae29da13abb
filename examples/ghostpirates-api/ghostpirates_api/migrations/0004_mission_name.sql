ALTER TABLE missions RENAME COLUMN title TO name;
