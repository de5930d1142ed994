-- Alerts that wait until they are delivered. An older program leaves them as they are, and adds none.
CREATE SEQUENCE tickward_outbox_number;
CREATE TABLE tickward_outbox (
    number     BIGINT NOT NULL DEFAULT nextval('tickward_outbox_number'),  -- the order of delivery
    id         TEXT   NOT NULL PRIMARY KEY,
    about      TEXT   NOT NULL,             -- namespace:pipeline; '' for what is about no pipeline
    alert      TEXT   NOT NULL,             -- JSON
    since      BIGINT NOT NULL,             -- when it was put in
    state      TEXT   NOT NULL,             -- 'waiting' or 'dead'
    done       TEXT   NOT NULL,             -- JSON: which alerters have it, and which refuse it
    not_before BIGINT,                      -- a tick has it until then
    error      TEXT   NOT NULL
);
