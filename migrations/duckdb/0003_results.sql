-- What a body told of itself: a JSON object of figures and short texts, 4 KiB at most. Programs that do not know it may go on.
ALTER TABLE tickward_attempt ADD COLUMN results TEXT;
