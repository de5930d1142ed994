-- Alerts that wait until they are delivered. An older program leaves them as they are, and adds none.
CREATE TABLE tickward_outbox (
    number     INTEGER PRIMARY KEY,          -- the order of delivery
    id         TEXT    NOT NULL UNIQUE,
    about      TEXT    NOT NULL,             -- namespace:pipeline; '' for what is about no pipeline
    alert      TEXT    NOT NULL,             -- JSON
    at         INTEGER NOT NULL,             -- since when it waits
    state      TEXT    NOT NULL DEFAULT 'waiting',  -- 'waiting' or 'dead'
    done       TEXT    NOT NULL DEFAULT '{}',       -- JSON: which alerters have it, and which refuse it
    not_before INTEGER,                      -- a tick has it until then
    error      TEXT    NOT NULL DEFAULT ''
) STRICT;

-- A tick looks whether something waits, however many are dead.
CREATE INDEX tickward_outbox_waiting ON tickward_outbox (number) WHERE state = 'waiting';
