-- The run-log's first form. Instants are whole microseconds since the Unix epoch, in UTC.
CREATE TABLE tickward_meta (
    key   TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE tickward_pipeline (
    namespace          TEXT    NOT NULL,
    pipeline           TEXT    NOT NULL,
    version            INTEGER NOT NULL,  -- raised by every change: what compare-and-swap compares
    fence              INTEGER NOT NULL,  -- the last fencing token given out
    cursor             INTEGER,           -- latest decided occurrence
    backlog_until      INTEGER,
    schedules          TEXT    NOT NULL,  -- JSON: the schedules seen last, with their since
    totals             TEXT    NOT NULL,  -- JSON: ended attempts by outcome
    failures_in_a_row  INTEGER NOT NULL,
    last_scheduled_for INTEGER,
    last_attempt       INTEGER,
    last_outcome       TEXT,
    last_ended_at      INTEGER,
    PRIMARY KEY (namespace, pipeline)
) STRICT, WITHOUT ROWID;

CREATE TABLE tickward_attempt (
    namespace         TEXT    NOT NULL,
    pipeline          TEXT    NOT NULL,
    scheduled_for     INTEGER NOT NULL,
    attempt           INTEGER NOT NULL,
    token             TEXT    NOT NULL UNIQUE,
    fence             INTEGER NOT NULL,
    state             TEXT    NOT NULL,   -- 'claimed', or the outcome
    trigger           TEXT    NOT NULL,
    by_hand           INTEGER NOT NULL,
    tries             INTEGER NOT NULL,
    earlier_starts    INTEGER NOT NULL,
    interruptions     INTEGER NOT NULL,
    owner             TEXT    NOT NULL,   -- JSON: the claiming process
    policy            TEXT    NOT NULL,   -- JSON: what follows when it does not succeed
    claimed_at        INTEGER NOT NULL,
    lease_us          INTEGER NOT NULL,   -- how long the claim holds from each renewal
    lease_until       INTEGER NOT NULL,   -- its end, by the store's clock
    lease_until_boot  INTEGER NOT NULL,   -- its end, by the boot clock of the owner's host
    retry_at          INTEGER,            -- when the next attempt is due; NULL once it is made or given up
    gave_up           INTEGER NOT NULL DEFAULT 0,
    late_outcome      TEXT,
    fatal             INTEGER NOT NULL DEFAULT 0,
    started_at        INTEGER,
    ended_at          INTEGER,
    duration_us       INTEGER,
    exit_code         INTEGER,
    error             TEXT,
    cpu_us            INTEGER,
    peak_memory_bytes INTEGER,
    output_bytes      INTEGER,
    tail              TEXT,
    PRIMARY KEY (namespace, pipeline, scheduled_for, attempt)
) STRICT;

-- A tick looks at open attempts only: this stays small however long the history grows.
CREATE INDEX tickward_attempt_open ON tickward_attempt (namespace, pipeline)
    WHERE state = 'claimed' OR retry_at IS NOT NULL;
CREATE INDEX tickward_attempt_claimed_at ON tickward_attempt (claimed_at);

CREATE TABLE tickward_not_run (
    namespace  TEXT    NOT NULL,
    pipeline   TEXT    NOT NULL,
    first      INTEGER NOT NULL,
    last       INTEGER NOT NULL,
    count      INTEGER NOT NULL,
    at_least   INTEGER NOT NULL,
    reason     TEXT    NOT NULL,
    decided_at INTEGER NOT NULL,
    PRIMARY KEY (namespace, pipeline, first, reason)
) STRICT, WITHOUT ROWID;

CREATE INDEX tickward_not_run_decided_at ON tickward_not_run (decided_at);

-- For people who query by hand.
CREATE VIEW tickward_history AS
SELECT namespace, pipeline, strftime('%Y-%m-%dT%H:%M:%fZ', scheduled_for / 1e6, 'unixepoch') AS scheduled_for,
       attempt, state, exit_code, duration_us / 1e6 AS seconds, error
FROM tickward_attempt;
