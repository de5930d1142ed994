-- Alerts that wait until they are delivered. An older program leaves them as they are, and adds none.
CREATE TABLE tickward_outbox (
    number     BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY,  -- the order of delivery
    id         VARCHAR(400) NOT NULL UNIQUE,
    about      LONGTEXT   NOT NULL,             -- namespace:pipeline; '' for what is about no pipeline
    alert      LONGTEXT   NOT NULL,             -- JSON
    since      BIGINT NOT NULL,             -- when it was put in
    state      VARCHAR(40) NOT NULL,        -- 'waiting' or 'dead'
    done       LONGTEXT   NOT NULL,             -- JSON: which alerters have it, and which refuse it
    not_before BIGINT,                      -- a tick has it until then
    error      LONGTEXT   NOT NULL
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin ROW_FORMAT=DYNAMIC;

-- A tick looks whether something waits, however many are dead.
CREATE INDEX tickward_outbox_waiting ON tickward_outbox (state, number);
