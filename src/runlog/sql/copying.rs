//! Hands over what a server's run-log knows, page by page, and says what has to be read to take in what another one knew.

use super::super::contract::{Item, Mark};
use super::columns::{ATTEMPT, Cells, NOT_RUN, OUTBOX, PIPELINE, Table};
use super::decode::{self, Unreadable};
use super::dialect::{Dialect, literal};
use super::reading::last;
use super::slice::{Wanted, nothing};

/// A value of a key, as SQL.
enum Part<'a> {
    Word(&'a str),
    Number(i64),
}

/// Statements that read what comes after `after`, at most `limit` of each kind; `items` reads their answers.
pub fn export(dialect: &dyn Dialect, after: Option<&Mark>, limit: usize) -> Vec<String> {
    use Part::{Number, Word};
    let mut statements = dialect.begin_reading();
    let all = Some(Vec::new());
    let (rows, attempts, not_run) = match after {
        None => (all, Some(Vec::new()), Some(Vec::new())),
        Some(Mark::Row(id)) => {
            (Some(vec![Word(id.namespace.as_str()), Word(id.name.as_str())]), Some(Vec::new()), Some(Vec::new()))
        }
        Some(Mark::Attempt(id, at, number)) => {
            let key = [Word(id.namespace.as_str()), Word(id.name.as_str())];
            let key = key.into_iter().chain([Number(at.as_microsecond()), Number(i64::from(*number))]);
            (None, Some(key.collect()), Some(Vec::new()))
        }
        Some(Mark::NotRun(id, first, reason)) => {
            let key = [Word(id.namespace.as_str()), Word(id.name.as_str())];
            let key = key.into_iter().chain([Number(first.as_microsecond()), Word(reason.word())]);
            (None, None, Some(key.collect()))
        }
        Some(Mark::Outbox) => (None, None, None),
    };
    for (table, key, which) in
        [(&PIPELINE, rows, "t.version > 0"), (&ATTEMPT, attempts, "1 = 1"), (&NOT_RUN, not_run, "1 = 1")]
    {
        statements.push(key.map_or_else(nothing, |key| page(dialect, table, &key, which, limit)));
    }
    let outbox = format!("{} ORDER BY o.number", OUTBOX.select("o"));
    statements.push(if after == Some(&Mark::Outbox) { nothing() } else { outbox });
    statements.push("COMMIT".into());
    statements
}

/// Rows of a table whose key comes after this one, in its order.
fn page(dialect: &dyn Dialect, table: &Table, after: &[Part<'_>], which: &str, limit: usize) -> String {
    let value = |part: &Part<'_>| match part {
        Part::Word(word) => dialect.decoded(&literal(word)),
        Part::Number(number) => number.to_string(),
    };
    // Written out, since not every server walks an index for a comparison of rows.
    let later = |end: usize| {
        let column = |place: usize| table.columns[place].0;
        let same = (0..end).map(|place| format!("t.{} = {}", column(place), value(&after[place])));
        let above = format!("t.{} > {}", column(end), value(&after[end]));
        format!("({})", same.chain([above]).collect::<Vec<_>>().join(" AND "))
    };
    let any: Vec<String> = (0..after.len()).map(later).collect();
    let after = if any.is_empty() { String::new() } else { format!(" AND ({})", any.join(" OR ")) };
    let order: Vec<String> = table.key().iter().map(|(name, _)| format!("t.{name}")).collect();
    format!("{} WHERE {which}{after} ORDER BY {} LIMIT {limit}", table.select("t"), order.join(", "))
}

/// At most `limit` items; the outbox in an answer of its own.
///
/// # Errors
/// A value that this program does not know.
pub fn items(answers: Vec<Vec<Cells>>, limit: usize) -> Result<Vec<Item>, Unreadable> {
    let [rows, attempts, not_run, outbox, _] = last(answers);
    let mut items = Vec::new();
    for cells in rows {
        items.push(Item::Row(Box::new(decode::row(cells)?)));
    }
    for cells in attempts {
        items.push(Item::Attempt(Box::new(decode::attempt(cells)?)));
    }
    for cells in not_run {
        items.push(Item::NotRun(decode::not_run(cells)?));
    }
    items.truncate(limit);
    if items.is_empty() {
        let (mut dead, mut waiting) = (Vec::new(), Vec::new());
        for cells in outbox {
            match decode::waiting(cells)? {
                (entry, _, true) => dead.push(Item::Dead(entry)),
                (entry, _, false) => waiting.push(Item::Waiting(entry)),
            }
        }
        items = waiting;
        items.append(&mut dead);
    }
    Ok(items)
}

impl Wanted {
    /// All that may be in the way of these.
    pub fn by_adoption(items: &[Item]) -> Wanted {
        let mut wanted = Wanted::default();
        for item in items {
            match item {
                Item::Row(row) => drop(wanted.rows.insert(row.pipeline.clone())),
                Item::Attempt(attempt) => {
                    wanted.rows.insert(attempt.run.pipeline.clone());
                    wanted.tokens.insert(attempt.token);
                    wanted.runs.insert(attempt.run.clone());
                }
                Item::NotRun(entry) => {
                    wanted.rows.insert(entry.pipeline.clone());
                    wanted.not_run.push(entry.clone());
                }
                Item::Waiting(_) | Item::Dead(_) => (wanted.alerts, wanted.dead) = (true, true),
            }
        }
        wanted
    }
}
