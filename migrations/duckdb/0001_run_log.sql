-- The run-log's first form. Instants are whole microseconds since the Unix epoch, in UTC.
-- DuckDB reads a column at a time, and rewrites rows whose indexed columns are set: no index but the keys.
CREATE TABLE tickward_meta (
    name  TEXT PRIMARY KEY,
    value TEXT NOT NULL
);
INSERT INTO tickward_meta (name, value) VALUES ('alerts_dead', '0');

CREATE TABLE tickward_pipeline (
    namespace          TEXT NOT NULL,
    pipeline           TEXT NOT NULL,
    version            BIGINT NOT NULL,  -- raised by every change: what compare-and-swap compares; 0: a place that is held for a row
    fence              BIGINT NOT NULL,  -- the last fencing token given out
    cursor_at          BIGINT,           -- latest decided occurrence
    backlog_until      BIGINT,
    schedules          TEXT   NOT NULL,  -- JSON: the schedules seen last, with their since
    totals             TEXT   NOT NULL,  -- JSON: ended attempts by outcome
    failures_in_a_row  BIGINT NOT NULL,
    last_scheduled_for BIGINT,
    last_attempt       BIGINT,
    last_outcome       TEXT,
    last_ended_at      BIGINT,
    PRIMARY KEY (namespace, pipeline)
);

CREATE TABLE tickward_attempt (
    namespace         TEXT NOT NULL,
    pipeline          TEXT NOT NULL,
    scheduled_for     BIGINT NOT NULL,
    attempt           BIGINT NOT NULL,
    token             TEXT NOT NULL,
    fence             BIGINT NOT NULL,
    state             TEXT NOT NULL,   -- 'claimed', or the outcome
    triggered_by      TEXT NOT NULL,
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
    late_outcome      TEXT,
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

CREATE TABLE tickward_not_run (
    namespace   TEXT NOT NULL,
    pipeline    TEXT NOT NULL,
    first_at    BIGINT NOT NULL,
    reason      TEXT NOT NULL,
    last_at     BIGINT NOT NULL,
    occurrences BIGINT NOT NULL,
    at_least    BIGINT NOT NULL,
    decided_at  BIGINT NOT NULL,
    PRIMARY KEY (namespace, pipeline, first_at, reason)
);

-- For people who query by hand.
CREATE VIEW tickward_history AS
SELECT namespace, pipeline, make_timestamp(scheduled_for) AS scheduled_for, attempt, state, exit_code,
       duration_us / 1e6 AS seconds, error
FROM tickward_attempt;
