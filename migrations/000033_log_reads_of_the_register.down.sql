SET lock_timeout = '5s';

DROP FUNCTION name_of_reader(uuid);

DELETE FROM member_reads WHERE cardinality(fields) = 0;
ALTER TABLE member_reads DROP CONSTRAINT member_reads_some;
ALTER TABLE member_reads ADD CONSTRAINT member_reads_fields_some CHECK (cardinality(fields) > 0);
ALTER TABLE member_reads DROP COLUMN register;
