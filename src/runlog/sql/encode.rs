//! Writes values as the rows of a server's tables.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;

use super::super::outbox::{Waiting, about};
use super::columns::{ATTEMPT, CLAIMED, DEAD, NOT_RUN, OUTBOX, OUTBOX_CHANGE, Object, PIPELINE, Table, WAITING};
use crate::occurrence::PipelineId;
use crate::run::{Attempt, NotRun, Row};

/// Writes an object column by column, in the order of the table.
struct Writer {
    table: &'static Table,
    object: Object,
    next: usize,
}

impl Writer {
    fn new(table: &'static Table) -> Writer {
        Writer { table, object: Object::new(), next: 0 }
    }

    fn put(&mut self, value: Option<Value>) -> &mut Writer {
        let (name, _) = self.table.columns[self.next];
        self.next += 1;
        // What is not there is NULL in every store; a null of JSON is not.
        if let Some(value) = value {
            self.object.insert(name.into(), value);
        }
        self
    }

    fn number(&mut self, value: impl Into<Option<i64>>) -> &mut Writer {
        self.put(value.into().map(Value::from))
    }

    fn count(&mut self, value: u64) -> &mut Writer {
        self.number(i64::try_from(value).unwrap_or(i64::MAX))
    }

    fn flag(&mut self, value: bool) -> &mut Writer {
        self.number(i64::from(value))
    }

    fn instant(&mut self, value: impl Into<Option<Timestamp>>) -> &mut Writer {
        self.number(value.into().map(Timestamp::as_microsecond))
    }

    fn span(&mut self, value: Duration) -> &mut Writer {
        self.number(i64::try_from(value.as_micros()).unwrap_or(i64::MAX))
    }

    fn text<'a>(&mut self, value: impl Into<Option<&'a str>>) -> &mut Writer {
        // No server takes a zero byte into text.
        self.put(value.into().map(|text| Value::from(text.replace('\0', "\u{fffd}"))))
    }

    fn json(&mut self, value: &impl serde::Serialize) -> &mut Writer {
        let text = serde_json::to_string(value).unwrap_or_default();
        self.put(Some(Value::from(text)))
    }

    fn id(&mut self, id: &PipelineId) -> &mut Writer {
        self.text(id.namespace.as_str()).text(id.name.as_str())
    }

    fn done(&mut self) -> Object {
        debug_assert_eq!(self.next, self.table.columns.len(), "every column of {} is written", self.table.name);
        std::mem::take(&mut self.object)
    }
}

/// A pipeline's row as the store has it.
pub fn of_row(row: &Row) -> Object {
    let last = row.last.as_ref();
    Writer::new(&PIPELINE)
        .id(&row.pipeline)
        .count(row.version)
        .count(row.fence)
        .instant(row.cursor)
        .instant(row.backlog_until)
        .json(&row.schedules)
        .json(&row.totals)
        .count(row.failures_in_a_row)
        .instant(last.map(|last| last.scheduled_for))
        .number(last.map(|last| i64::from(last.attempt)))
        .text(last.map(|last| last.outcome.word()))
        .instant(last.map(|last| last.ended_at))
        .json(&row.standing)
        .done()
}

/// An attempt as the store has it.
pub fn of_attempt(attempt: &Attempt) -> Object {
    let end = attempt.end.as_ref();
    let mut writer = Writer::new(&ATTEMPT);
    writer
        .id(&attempt.run.pipeline)
        .instant(attempt.run.scheduled_for)
        .number(i64::from(attempt.number))
        .text(attempt.token.to_string().as_str())
        .count(attempt.fence)
        .text(end.map_or(CLAIMED, |end| end.outcome.word()))
        .text(attempt.trigger.word())
        .flag(attempt.by_hand)
        .number(i64::from(attempt.tries))
        .number(i64::from(attempt.earlier_starts))
        .number(i64::from(attempt.interruptions))
        .json(&attempt.owner)
        .json(&attempt.policy)
        .instant(attempt.claimed_at)
        .span(attempt.lease.length)
        .instant(attempt.lease.until)
        .number(attempt.lease.until_boot.0)
        .instant(attempt.retry_at)
        .flag(attempt.gave_up)
        .text(attempt.late_outcome.map(|outcome| outcome.word()));
    match &attempt.stop {
        Some(stop) => writer.json(stop),
        None => writer.put(None),
    };
    writer
        .flag(attempt.degraded)
        .flag(end.is_some_and(|end| end.fatal))
        .instant(end.and_then(|end| end.started_at))
        .instant(end.map(|end| end.ended_at));
    match end {
        None => (0..8).for_each(|_| _ = writer.put(None)),
        Some(end) => {
            writer
                .span(end.duration)
                .number(end.exit_code.map(i64::from))
                .text(end.error.as_deref())
                .span(end.cpu)
                .count(end.peak_memory_bytes)
                .count(end.output_bytes)
                .text(end.tail.as_str());
            match &end.results {
                Some(results) => writer.json(results),
                None => writer.put(None),
            };
        }
    }
    writer.done()
}

/// What was not run, as the store has it.
pub fn of_not_run(entry: &NotRun) -> Object {
    Writer::new(&NOT_RUN)
        .id(&entry.pipeline)
        .instant(entry.first)
        .text(entry.reason.word())
        .instant(entry.last)
        .count(entry.count)
        .flag(entry.at_least)
        .instant(entry.decided_at)
        .done()
}

/// An alert in the outbox, as the store has it; it has waited since that instant.
pub fn of_waiting(entry: &Waiting, since: Timestamp, is_dead: bool) -> Object {
    Writer::new(&OUTBOX)
        .text(entry.alert.id.as_str())
        .text(about(&entry.alert).as_str())
        .json(&entry.alert)
        .instant(since)
        .text(if is_dead { DEAD } else { WAITING })
        .json(&entry.done)
        .instant(entry.not_before)
        .text(entry.error.as_str())
        .done()
}

/// What may have changed of it.
pub fn of_change(entry: &Waiting, is_dead: bool) -> Object {
    Writer::new(&OUTBOX_CHANGE)
        .text(entry.alert.id.as_str())
        .json(&entry.alert)
        .text(if is_dead { DEAD } else { WAITING })
        .json(&entry.done)
        .instant(entry.not_before)
        .text(entry.error.as_str())
        .done()
}
