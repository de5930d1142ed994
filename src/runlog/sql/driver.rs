//! What the connections to servers have in common: statements go as one text, rows come back as text.

use futures_util::TryStreamExt;
use sqlx::{AssertSqlSafe, Database, Decode, Either, Executor, IntoArguments, Row, Type};

use super::columns::Cells;
use super::line::{Answers, Failure};

/// Sends `statements` as one text and reads what each gave.
///
/// # Errors
/// Those of the driver.
pub async fn run<'c, DB, C>(connection: C, statements: Vec<String>) -> Result<Answers, sqlx::Error>
where
    DB: Database,
    C: Executor<'c, Database = DB>,
    for<'q> DB::Arguments: IntoArguments<DB>,
    for<'r> Option<String>: Decode<'r, DB> + Type<DB>,
    usize: sqlx::ColumnIndex<DB::Row>,
{
    // All that varies in them is a literal of base64, which ends no string in any server's SQL.
    let text = AssertSqlSafe(statements.join(";\n"));
    let mut stream = sqlx::raw_sql(text).fetch_many(connection);
    let mut answers = Answers::new();
    let mut rows = Vec::new();
    while let Some(next) = stream.try_next().await? {
        match next {
            Either::Left(_) => answers.push(std::mem::take(&mut rows)),
            Either::Right(row) => {
                let cells = (0..row.len()).map(|column| row.try_get_unchecked::<Option<String>, _>(column));
                rows.push(cells.collect::<Result<Cells, _>>()?);
            }
        }
    }
    Ok(answers)
}

/// What a driver's error means, but for what the server itself says.
pub fn sorted(error: &sqlx::Error, of_server: impl FnOnce(&dyn sqlx::error::DatabaseError) -> Failure) -> Failure {
    match error {
        sqlx::Error::Database(said) => of_server(&**said),
        sqlx::Error::ColumnDecode { .. } | sqlx::Error::Decode(_) | sqlx::Error::Encode(_) => {
            Failure::Failed(error.to_string())
        }
        error => Failure::Unanswered(error.to_string()),
    }
}

/// The same of one that is not connected yet: nothing was sent.
pub fn unreachable(failure: Failure) -> Failure {
    match failure {
        Failure::Unanswered(why) | Failure::Failed(why) | Failure::Again(why) => Failure::Unreachable(why),
        failure => failure,
    }
}
