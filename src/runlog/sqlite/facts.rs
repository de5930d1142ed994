//! What an SQLite file says of itself. What may be done with it is tried in a transaction that is rolled back.

use rusqlite::{Connection, ErrorCode, TransactionBehavior};

use super::super::contract::{Facts, Rights, Role};
use super::migrate;

/// The facts; the tables were found in the form `found`.
pub fn of(connection: &mut Connection, found: usize) -> rusqlite::Result<Facts> {
    let form = migrate::form(connection)?;
    let number = |form: usize| u32::try_from(form).unwrap_or(u32::MAX);
    Ok(Facts {
        product: "SQLite".into(),
        version: rusqlite::version().into(),
        role: Role::Primary,
        form: number(form),
        found: number(found),
        clock: None,
        rights: rights(connection)?,
    })
}

fn rights(connection: &mut Connection) -> rusqlite::Result<Rights> {
    let transaction = match connection.transaction_with_behavior(TransactionBehavior::Immediate) {
        Err(error) if is_forbidden(&error) => {
            return Ok(Rights { create: false, insert: false, update: false, delete: false });
        }
        begun => begun?,
    };
    let may = |statement: &str| match transaction.execute_batch(statement) {
        Err(error) if is_forbidden(&error) => Ok(false),
        tried => tried.map(|()| true),
    };
    Ok(Rights {
        create: may("CREATE TABLE tickward_probe (x)")?,
        insert: may("INSERT INTO tickward_meta (key, value) VALUES ('probe', '')")?,
        update: may("UPDATE tickward_meta SET value = value WHERE key = 'probe'")?,
        delete: may("DELETE FROM tickward_meta WHERE key = 'probe'")?,
    })
}

fn is_forbidden(error: &rusqlite::Error) -> bool {
    use ErrorCode::{AuthorizationForStatementDenied, PermissionDenied, ReadOnly};
    matches!(error.sqlite_error_code(), Some(ReadOnly | PermissionDenied | AuthorizationForStatementDenied))
}
