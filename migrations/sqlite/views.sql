-- For those who have queries for the tables of ematix-flow: the same columns, from what the run-log knows. No part of a form: whoever
-- wants them makes them, where there is no table of that name.

-- Of each pipeline the last attempt that has ended; last_run_at is when it did, in UTC.
CREATE VIEW run_log AS
SELECT CASE p.namespace WHEN 'default' THEN p.pipeline ELSE p.namespace || ':' || p.pipeline END AS pipeline_name,
       strftime('%Y-%m-%dT%H:%M:%SZ', p.last_ended_at / 1000000, 'unixepoch') AS last_run_at,
       p.last_outcome IN ('succeeded', 'partial') AS success
FROM tickward_pipeline p
WHERE p.last_ended_at IS NOT NULL;

-- Of each pipeline whose last attempt failed: how many have in a row, and whether that one used its policy up.
CREATE VIEW attempt_state AS
SELECT CASE p.namespace WHEN 'default' THEN p.pipeline ELSE p.namespace || ':' || p.pipeline END AS pipeline_name,
       p.failures_in_a_row AS attempt_count,
       strftime('%Y-%m-%dT%H:%M:%SZ', p.last_ended_at / 1000000, 'unixepoch') AS last_attempt_at,
       COALESCE(a.gave_up, 0) AS gave_up
FROM tickward_pipeline p
LEFT JOIN tickward_attempt a ON a.namespace = p.namespace AND a.pipeline = p.pipeline
    AND a.scheduled_for = p.last_scheduled_for AND a.attempt = p.last_attempt
WHERE p.last_ended_at IS NOT NULL AND p.failures_in_a_row > 0;
