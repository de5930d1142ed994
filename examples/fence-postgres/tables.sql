-- What is written, and the newest fence that has written for each pipeline.
CREATE TABLE revenue (day date PRIMARY KEY, revenue numeric(12, 2) NOT NULL);
CREATE TABLE fence (pipeline text PRIMARY KEY, fence bigint NOT NULL);

-- Refuses whoever is not newer than all that have written before. Call it first in the transaction that writes: the row
-- stays locked until its end, so nobody comes in between.
CREATE FUNCTION raise_fence(who text, mine bigint) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO fence AS newest (pipeline, fence) VALUES (who, mine)
    ON CONFLICT (pipeline) DO UPDATE SET fence = excluded.fence WHERE newest.fence < excluded.fence;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'refused: % has been written with a fence of % or above', who, mine;
    END IF;
END $$;
