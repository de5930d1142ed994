//! Reads rows of a server's tables as values.
//!
//! Holds always: a stored value that this program does not know (written by a newer one) is an error that names the
//! column, never a panic.

use std::time::Duration;

use jiff::Timestamp;

use super::super::contract::Renewed;
use super::super::outbox::Waiting;
use super::columns::{ATTEMPT, CLAIMED, Cells, DEAD, Kind, NOT_RUN, OUTBOX, PIPELINE, Table};
use crate::clock::BootTime;
use crate::lease::Lease;
use crate::occurrence::{Name, PipelineId, Run, Token};
use crate::run::{Attempt, Completion, KnownSchedule, LastEnd, NotRun, Outcome, Reason, Row, StopRequest, Trigger};

/// A value that cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("table `{table}`, column `{column}`: {source}")]
pub struct Unreadable {
    table: &'static str,
    column: &'static str,
    source: Box<dyn std::error::Error + Send + Sync>,
}

#[derive(Debug, thiserror::Error)]
#[error("{0}: it may come from a newer tickward")]
struct Unknown(String);

/// Reads cells column by column, in the order of the table.
struct Reader {
    table: &'static Table,
    cells: std::vec::IntoIter<Option<String>>,
    next: usize,
}

impl Reader {
    fn new(table: &'static Table, cells: Cells) -> Reader {
        Reader { table, cells: cells.into_iter(), next: 0 }
    }

    fn unreadable(&self, source: impl std::error::Error + Send + Sync + 'static) -> Unreadable {
        let (column, _) = self.table.columns[self.next.saturating_sub(1).min(self.table.columns.len() - 1)];
        Unreadable { table: self.table.name, column, source: Box::new(source) }
    }

    fn opt_text(&mut self) -> Option<String> {
        self.next += 1;
        self.cells.next().flatten()
    }

    fn text(&mut self) -> Result<String, Unreadable> {
        self.opt_text().ok_or_else(|| self.unreadable(Unknown("nothing is there".into())))
    }

    fn opt_number<T: TryFrom<i64>>(&mut self) -> Result<Option<T>, Unreadable> {
        let Some(text) = self.opt_text() else { return Ok(None) };
        let number: i64 = text.parse().map_err(|error: std::num::ParseIntError| self.unreadable(error))?;
        let fits = T::try_from(number).map_err(|_| self.unreadable(Unknown(format!("the number {number}"))));
        fits.map(Some)
    }

    fn number<T: TryFrom<i64>>(&mut self) -> Result<T, Unreadable> {
        self.opt_number()?.ok_or_else(|| self.unreadable(Unknown("nothing is there".into())))
    }

    fn flag(&mut self) -> Result<bool, Unreadable> {
        Ok(self.number::<i64>()? != 0)
    }

    fn opt_instant(&mut self) -> Result<Option<Timestamp>, Unreadable> {
        let micros: Option<i64> = self.opt_number()?;
        micros.map(Timestamp::from_microsecond).transpose().map_err(|error| self.unreadable(error))
    }

    fn instant(&mut self) -> Result<Timestamp, Unreadable> {
        self.opt_instant()?.ok_or_else(|| self.unreadable(Unknown("nothing is there".into())))
    }

    fn span(&mut self) -> Result<Duration, Unreadable> {
        Ok(Duration::from_micros(self.opt_number()?.unwrap_or(0)))
    }

    fn opt_word<T>(&mut self, read: impl Fn(&str) -> Option<T>) -> Result<Option<T>, Unreadable> {
        let Some(text) = self.opt_text() else { return Ok(None) };
        let value = read(&text).ok_or_else(|| self.unreadable(Unknown(format!("unknown word `{text}`"))));
        value.map(Some)
    }

    fn word<T>(&mut self, read: impl Fn(&str) -> Option<T>) -> Result<T, Unreadable> {
        self.opt_word(read)?.ok_or_else(|| self.unreadable(Unknown("nothing is there".into())))
    }

    fn opt_json<T: serde::de::DeserializeOwned>(&mut self) -> Result<Option<T>, Unreadable> {
        let Some(text) = self.opt_text() else { return Ok(None) };
        serde_json::from_str(&text).map(Some).map_err(|error| self.unreadable(error))
    }

    fn json<T: serde::de::DeserializeOwned>(&mut self) -> Result<T, Unreadable> {
        self.opt_json()?.ok_or_else(|| self.unreadable(Unknown("nothing is there".into())))
    }

    fn id(&mut self) -> Result<PipelineId, Unreadable> {
        let namespace = self.text()?;
        let namespace = Name::parse(&namespace).map_err(|error| self.unreadable(error))?;
        let name = self.text()?;
        let name = Name::parse(&name).map_err(|error| self.unreadable(error))?;
        Ok(PipelineId { namespace, name })
    }
}

/// Reads a pipeline's row.
pub fn row(cells: Cells) -> Result<Row, Unreadable> {
    let mut read = Reader::new(&PIPELINE, cells);
    let mut row = Row::absent(read.id()?);
    row.version = read.number()?;
    row.fence = read.number()?;
    row.cursor = read.opt_instant()?;
    row.backlog_until = read.opt_instant()?;
    row.schedules = read.json::<Box<[KnownSchedule]>>()?.into_vec();
    row.totals = read.json()?;
    row.failures_in_a_row = read.number()?;
    let scheduled_for = read.opt_instant()?;
    let attempt = read.opt_number()?;
    let outcome = read.opt_word(Outcome::from_word)?;
    let ended_at = read.opt_instant()?;
    if let (Some(scheduled_for), Some(attempt), Some(outcome), Some(ended_at)) =
        (scheduled_for, attempt, outcome, ended_at)
    {
        row.last = Some(LastEnd { scheduled_for, attempt, outcome, ended_at });
    }
    row.standing = read.json()?;
    Ok(row)
}

/// Reads an attempt.
pub fn attempt(cells: Cells) -> Result<Attempt, Unreadable> {
    let mut read = Reader::new(&ATTEMPT, cells);
    let run = Run { pipeline: read.id()?, scheduled_for: read.instant()? };
    let number = read.number()?;
    let token = read.word(Token::parse)?;
    let fence = read.number()?;
    let outcome = read.word(|word| match word {
        CLAIMED => Some(None),
        word => Outcome::from_word(word).map(Some),
    })?;
    let mut attempt = Attempt {
        run,
        number,
        token,
        fence,
        end: None,
        trigger: read.word(Trigger::from_word)?,
        by_hand: read.flag()?,
        tries: read.number()?,
        earlier_starts: read.number()?,
        interruptions: read.number()?,
        owner: read.json()?,
        policy: read.json()?,
        claimed_at: read.instant()?,
        lease: Lease { length: read.span()?, until: read.instant()?, until_boot: BootTime(read.number()?) },
        retry_at: read.opt_instant()?,
        gave_up: read.flag()?,
        late_outcome: read.opt_word(Outcome::from_word)?,
        stop: read.opt_json::<StopRequest>()?,
        degraded: read.flag()?,
    };
    let fatal = read.flag()?;
    let started_at = read.opt_instant()?;
    if let Some(outcome) = outcome {
        attempt.end = Some(Completion {
            token,
            outcome,
            fatal,
            started_at,
            ended_at: read.instant()?,
            duration: read.span()?,
            exit_code: read.opt_number()?,
            error: read.opt_text(),
            cpu: read.span()?,
            peak_memory_bytes: read.opt_number()?.unwrap_or(0),
            output_bytes: read.opt_number()?.unwrap_or(0),
            tail: read.opt_text().unwrap_or_default(),
            results: read.opt_json()?,
        });
    }
    Ok(attempt)
}

/// Reads what was not run.
pub fn not_run(cells: Cells) -> Result<NotRun, Unreadable> {
    let mut read = Reader::new(&NOT_RUN, cells);
    Ok(NotRun {
        pipeline: read.id()?,
        first: read.instant()?,
        reason: read.word(Reason::from_word)?,
        last: read.instant()?,
        count: read.number()?,
        at_least: read.flag()?,
        decided_at: read.instant()?,
        after: None,
    })
}

/// Reads an alert in the outbox, since when it waits, and whether it is dead.
pub fn waiting(cells: Cells) -> Result<(Waiting, Timestamp, bool), Unreadable> {
    let mut read = Reader::new(&OUTBOX, cells);
    read.opt_text();
    read.opt_text();
    let mut entry = Waiting::new(read.json()?);
    let since = read.instant()?;
    let is_dead = read.text()? == DEAD;
    entry.done = read.json()?;
    entry.not_before = read.opt_instant()?;
    entry.error = read.opt_text().unwrap_or_default();
    Ok((entry, since, is_dead))
}

/// Reads an answer of one number as an instant.
pub fn instant(answer: Vec<Cells>) -> Result<Timestamp, Unreadable> {
    const NOW: Table = Table { name: "now", columns: &[("now", Kind::Number)], key: 0 };
    Reader::new(&NOW, answer.into_iter().next().unwrap_or_default()).instant()
}

/// Reads a pipeline and an instant.
pub fn occurrence(cells: Cells) -> Result<(PipelineId, Timestamp), Unreadable> {
    let mut read = Reader::new(&ATTEMPT, cells);
    Ok((read.id()?, read.instant()?))
}

/// Reads the token of a claim that was renewed, and whether it is wanted to end.
pub fn renewed(cells: Cells) -> Result<Renewed, Unreadable> {
    const RENEWED: Table =
        Table { name: "tickward_attempt", columns: &[("token", Kind::Word), ("stop_request", Kind::Text)], key: 1 };
    let mut read = Reader::new(&RENEWED, cells);
    Ok(Renewed { token: read.word(Token::parse)?, stop: read.opt_json()? })
}
