//! Reads the history that ematix-flow keeps on a server, or in a DuckDB file.
//!
//! Holds always: nothing is written there.

use super::super::Error;
use super::super::copy::Foreign;
use super::super::peer::Reading;
use super::columns::Cells;
use super::line::{Answers, Failure, Line};
use super::transaction::whole;
use super::{Backend, failed};

/// What is in tables whose names begin with `prefix`; none where there are no such tables, or, if it is empty, tables of ours.
///
/// # Errors
/// As `sql::open`.
pub fn read(backend: &Backend, prefix: &str) -> Result<Option<Foreign>, Error> {
    let line = super::connected(backend)?;
    super::apart(backend, async { found(&line, backend, prefix).await.map_err(|failure| failed(backend, failure)) })
}

async fn found(line: &Line, backend: &Backend, prefix: &str) -> Result<Option<Foreign>, Failure> {
    let has = |table: String| backend.dialect.has_tables().replace("tickward_meta", &table);
    let (runs, states) = (format!("{prefix}run_log"), format!("{prefix}attempt_state"));
    let tables = ["tickward_meta".to_owned(), runs.clone(), states.clone()];
    let answers = read_all(line, backend, tables.map(has).into()).await?;
    let [is_ours, has_runs, has_states] = answers.map(|rows| count(&rows) > 0);
    if is_ours && prefix.is_empty() || !has_runs {
        return Ok(None);
    }
    let mut statements = vec![format!("SELECT pipeline_name, last_run_at, success FROM {runs} ORDER BY 1")];
    statements.push(match has_states {
        true => format!("SELECT pipeline_name FROM {states} WHERE gave_up ORDER BY 1"),
        false => super::slice::nothing(),
    });
    statements.push("SELECT 1".into());
    let [runs, states, _] = read_all(line, backend, statements).await?;
    let mut reading = Reading::default();
    for cells in runs {
        let Ok([name, at, success]) = <[Option<String>; 3]>::try_from(cells) else { continue };
        let succeeded = success.is_some_and(|word| matches!(word.as_str(), "t" | "true" | "1"));
        reading.last_run(&name.unwrap_or_default(), &at.unwrap_or_default(), succeeded);
    }
    for name in states.into_iter().flatten().flatten() {
        reading.given_up(&name);
    }
    Ok(Some(reading.done()))
}

/// Runs three queries in one transaction that only reads.
async fn read_all(line: &Line, backend: &Backend, queries: Vec<String>) -> Result<[Vec<Cells>; 3], Failure> {
    let mut statements = backend.dialect.begin_reading();
    statements.extend(queries);
    statements.push("COMMIT".into());
    let mut answers: Answers = whole(line, statements).await?;
    answers.pop();
    let last = answers.split_off(answers.len().saturating_sub(3));
    Ok(last.try_into().unwrap_or_default())
}

fn count(rows: &[Cells]) -> u64 {
    rows.first().and_then(|cells| cells.first()?.as_deref()?.trim().parse().ok()).unwrap_or(0)
}
