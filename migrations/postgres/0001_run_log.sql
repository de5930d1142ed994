-- The run-log's first form. Instants are whole microseconds since the Unix epoch, in UTC.
-- Words are told apart byte for byte, whatever the collation of the database: COLLATE "C".
CREATE TABLE tickward_meta (
    name  VARCHAR(100) COLLATE "C" PRIMARY KEY,
    value TEXT NOT NULL
);
INSERT INTO tickward_meta (name, value) VALUES ('alerts_dead', '0');

CREATE TABLE tickward_pipeline (
    namespace          VARCHAR(128) COLLATE "C" NOT NULL,
    pipeline           VARCHAR(128) COLLATE "C" NOT NULL,
    version            BIGINT NOT NULL,  -- raised by every change: what compare-and-swap compares; 0: a place that is held for a row
    fence              BIGINT NOT NULL,  -- the last fencing token given out
    cursor_at          BIGINT,           -- latest decided occurrence
    backlog_until      BIGINT,
    schedules          TEXT   NOT NULL,  -- JSON: the schedules seen last, with their since
    totals             TEXT   NOT NULL,  -- JSON: ended attempts by outcome
    failures_in_a_row  BIGINT NOT NULL,
    last_scheduled_for BIGINT,
    last_attempt       BIGINT,
    last_outcome       VARCHAR(40),
    last_ended_at      BIGINT,
    PRIMARY KEY (namespace, pipeline)
);

CREATE TABLE tickward_attempt (
    namespace         VARCHAR(128) COLLATE "C" NOT NULL,
    pipeline          VARCHAR(128) COLLATE "C" NOT NULL,
    scheduled_for     BIGINT NOT NULL,
    attempt           BIGINT NOT NULL,
    token             VARCHAR(40) COLLATE "C" NOT NULL UNIQUE,
    fence             BIGINT NOT NULL,
    state             VARCHAR(40) COLLATE "C" NOT NULL,   -- 'claimed', or the outcome
    triggered_by      VARCHAR(40) NOT NULL,
    by_hand           BIGINT NOT NULL,
    tries             BIGINT NOT NULL,
    earlier_starts    BIGINT NOT NULL,
    interruptions     BIGINT NOT NULL,
    owner             TEXT   NOT NULL,   -- JSON: the claiming process
    policy            TEXT   NOT NULL,   -- JSON: what follows when it does not succeed
    claimed_at        BIGINT NOT NULL,
    lease_us          BIGINT NOT NULL,   -- how long the claim holds from each renewal
    lease_until       BIGINT NOT NULL,   -- its end, by the store's clock
    lease_until_boot  BIGINT NOT NULL,   -- its end, by the boot clock of the owner's host
    retry_at          BIGINT,            -- when the next attempt is due; NULL once it is made or given up
    gave_up           BIGINT NOT NULL DEFAULT 0,
    late_outcome      VARCHAR(40),
    fatal             BIGINT NOT NULL DEFAULT 0,
    started_at        BIGINT,
    ended_at          BIGINT,
    duration_us       BIGINT,
    exit_code         BIGINT,
    error             TEXT,
    cpu_us            BIGINT,
    peak_memory_bytes BIGINT,
    output_bytes      BIGINT,
    tail              TEXT,
    PRIMARY KEY (namespace, pipeline, scheduled_for, attempt)
);

-- A tick looks at open attempts only: this stays small however long the history grows.
CREATE INDEX tickward_attempt_open ON tickward_attempt (namespace, pipeline)
    WHERE state = 'claimed' OR retry_at IS NOT NULL;
CREATE INDEX tickward_attempt_claimed_at ON tickward_attempt (claimed_at);

CREATE TABLE tickward_not_run (
    namespace   VARCHAR(128) COLLATE "C" NOT NULL,
    pipeline    VARCHAR(128) COLLATE "C" NOT NULL,
    first_at    BIGINT NOT NULL,
    reason      VARCHAR(40) COLLATE "C" NOT NULL,
    last_at     BIGINT NOT NULL,
    occurrences BIGINT NOT NULL,
    at_least    BIGINT NOT NULL,
    decided_at  BIGINT NOT NULL,
    PRIMARY KEY (namespace, pipeline, first_at, reason)
);
CREATE INDEX tickward_not_run_last_at ON tickward_not_run (namespace, pipeline, last_at);
CREATE INDEX tickward_not_run_decided_at ON tickward_not_run (decided_at);

-- For people who query by hand.
CREATE VIEW tickward_history AS
SELECT namespace, pipeline, to_timestamp(scheduled_for / 1e6) AS scheduled_for, attempt, state, exit_code,
       duration_us / 1e6 AS seconds, error
FROM tickward_attempt;
