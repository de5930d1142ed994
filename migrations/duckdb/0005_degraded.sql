-- Whether an attempt was claimed on its host alone, while the run-log could not be used. Programs that do not know it may go on.
ALTER TABLE tickward_attempt ADD COLUMN degraded BIGINT DEFAULT 0;
