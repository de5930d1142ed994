//! What one run-log hands over to another: rows, attempts, what was not run and alerts, one value each.
//!
//! Reading and storing them is for each backend, the order of the work for `cli`.
//!
//! Holds always: nothing takes the place of what is there; fences and versions only grow; the order of items is the same in
//! every store.

use jiff::Timestamp;

use super::outbox::Waiting;
use crate::occurrence::PipelineId;
use crate::run::{Attempt, NotRun, Reason, Row};

/// One thing that a run-log knows. In the order in which they are exported: rows first, so that where a copy ends in the
/// middle no cursor is missing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Item {
    /// What is known of a pipeline.
    Row(Box<Row>),
    /// An attempt.
    Attempt(Box<Attempt>),
    /// What was not run.
    NotRun(NotRun),
    /// An alert that waits.
    Waiting(Waiting),
    /// An alert that is dead.
    Dead(Waiting),
}

/// What another program's store holds.
#[derive(Debug, Default)]
pub struct Foreign {
    /// As items of an export, in its order.
    pub items: Vec<Item>,
    /// What could not be taken: names that are none here, instants that are none, runs without an end; as they are written.
    pub left_out: Vec<String>,
}

/// How far an export has come: the key of the last item that was handed over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mark {
    /// Rows up to this one, in the order of their names.
    Row(PipelineId),
    /// All rows, and attempts up to this one, in the order of names, instants and numbers.
    Attempt(PipelineId, Timestamp, u32),
    /// All attempts too, and what was not run up to this one, in the order of names, first instants and words of the reason.
    NotRun(PipelineId, Timestamp, Reason),
    /// Everything: the outbox is handed over in one answer.
    Outbox,
}

impl Item {
    /// The id of an alert; none of anything else.
    pub fn alert_id(&self) -> Option<&str> {
        match self {
            Item::Waiting(entry) | Item::Dead(entry) => Some(&entry.alert.id),
            _ => None,
        }
    }

    /// Where an export goes on after it.
    pub fn mark(&self) -> Mark {
        match self {
            Item::Row(row) => Mark::Row(row.pipeline.clone()),
            Item::Attempt(attempt) => {
                Mark::Attempt(attempt.run.pipeline.clone(), attempt.run.scheduled_for, attempt.number)
            }
            Item::NotRun(entry) => Mark::NotRun(entry.pipeline.clone(), entry.first, entry.reason),
            Item::Waiting(_) | Item::Dead(_) => Mark::Outbox,
        }
    }
}

/// What became of items that were handed over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Adopted {
    /// So many are there now and were not before.
    pub new: u64,
    /// So many were there already, the same.
    pub known: u64,
    /// In the place of so many is something else, which was left as it is.
    pub differs: u64,
}

impl Adopted {
    /// Counts one: what was there, if anything, and whether it is the same.
    pub fn count(&mut self, is_same: Option<bool>) {
        match is_same {
            None => self.new += 1,
            Some(true) => self.known += 1,
            Some(false) => self.differs += 1,
        }
    }

    /// Both together.
    pub fn add(&mut self, other: Adopted) {
        self.new += other.new;
        self.known += other.known;
        self.differs += other.differs;
    }
}

/// What becomes of a row that is handed over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RowAdopted {
    /// It is stored so; its version is the one it becomes.
    Stored(Box<Row>),
    /// What is there says the same already.
    Known,
    /// What is there says something else.
    Differs,
}

/// What becomes of `row`, where `there` is what is known under its name. What is left of a forgotten pipeline gives way, and
/// is no more than a fence to be passed.
pub fn adopted(row: &Row, there: Option<&Row>) -> RowAdopted {
    let Some(there) = there else { return RowAdopted::Stored(Box::new(row.clone())) };
    if holds(there, row) {
        return RowAdopted::Known;
    }
    let (fence, version) = (there.fence.max(row.fence), there.version.max(row.version) + 1);
    match (there.is_guard(), row.is_guard()) {
        (true, _) => RowAdopted::Stored(Box::new(Row { fence, version, ..row.clone() })),
        (false, true) => RowAdopted::Stored(Box::new(Row { fence, version, ..there.clone() })),
        (false, false) => RowAdopted::Differs,
    }
}

/// Whether `there` says all that `row` does, and no fence or version of `row` comes a second time.
pub fn holds(there: &Row, row: &Row) -> bool {
    let is_later = there.fence >= row.fence && there.version >= row.version;
    let same = || Row { fence: row.fence, version: row.version, ..there.clone() } == *row;
    is_later && (row.is_guard() || same())
}

/// An alert as it is handed over: free to be taken.
pub fn untaken(waiting: &Waiting) -> Waiting {
    Waiting { not_before: None, ..waiting.clone() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::occurrence::Name;

    #[test]
    fn rows_are_taken_where_nothing_is_known_and_fences_only_grow() {
        let name = |text| Name::parse(text).unwrap();
        let absent = Row::absent(PipelineId { namespace: name("default"), name: name("p") });
        let cursor = Some("2026-01-01T00:00:00Z".parse().unwrap());
        let guard = |version, fence| Row { version, fence, ..absent.clone() };
        let real = |version, fence| Row { version, fence, cursor, ..absent.clone() };
        let other = Row { failures_in_a_row: 3, ..real(9, 9) };
        let stored = |row: Row| RowAdopted::Stored(Box::new(row));
        for (what, row, there, expected) in [
            ("nothing there", real(4, 2), None, stored(real(4, 2))),
            ("the same", real(4, 2), Some(real(4, 2)), RowAdopted::Known),
            ("the same, later", real(4, 2), Some(real(5, 3)), RowAdopted::Known),
            ("something else", real(4, 2), Some(other.clone()), RowAdopted::Differs),
            ("an older one", real(4, 2), Some(real(3, 2)), RowAdopted::Differs),
            ("forgotten there", real(4, 2), Some(guard(7, 5)), stored(real(8, 5))),
            ("forgotten there, earlier", real(4, 2), Some(guard(1, 1)), stored(real(5, 2))),
            (
                "forgotten here, and known there",
                guard(4, 20),
                Some(other.clone()),
                stored(Row { version: 10, fence: 20, ..other.clone() }),
            ),
            ("forgotten here, and passed there", guard(4, 2), Some(other.clone()), RowAdopted::Known),
        ] {
            assert_eq!(adopted(&row, there.as_ref()), expected, "{what}");
        }
    }
}
