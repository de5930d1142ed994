//! Brings a server's tables up to date, and says which stores are not for this program.
//!
//! Holds always: of many processes that open a new store at once, one creates the tables; a store that needs a newer
//! program, or that belongs to a rehearsal, is refused and left as it is.

use super::super::{Error, OpenOptions};
use super::line::{Answers, Failure, Line};
use super::transaction::whole;
use super::{Backend, failed};
use crate::runlog::form::{Form, Meta, must_be_new};

/// What opening has found.
pub enum Opened {
    /// It may be used; its tables were found in this form.
    Ready {
        /// How many migrations they had seen.
        found: usize,
    },
    /// There are no tables, and who only looks makes none.
    Nothing,
}

/// Looks whether the store is for this program and purpose, and makes its tables where that is wanted.
///
/// # Errors
/// `Refused` and `Address` for one that is not; `Unavailable` for the rest.
pub async fn open(line: &Line, backend: &Backend, options: &OpenOptions) -> Result<Opened, Error> {
    let found = match whole(line, look(backend)).await {
        Ok(answers) => Found::read(answers),
        Err(Failure::NoTables) => {
            let mut statements = backend.dialect.begin_reading();
            statements.extend([backend.dialect.role().to_owned(), "COMMIT".into()]);
            let mut answers = whole(line, statements).await.map_err(|failure| failed(backend, failure))?;
            answers.pop();
            Found::role(answers.pop())
        }
        Err(failure) => return Err(failed(backend, failure)),
    };
    if let Some(why) = &found.refuses_writing
        && !options.purpose.only_looks()
    {
        return Err(Error::Refused {
            message: format!("the run-log `{}` {why}: claims cannot be made there", backend.shown),
            help: "name the server that takes writes".into(),
        });
    }
    let mut meta = found.meta;
    let found = meta.schema;
    if meta.schema < backend.migrations.len() && !options.purpose.only_looks() {
        if !backend.creates_tables {
            if meta.schema == 0 {
                must_be_new(&backend.shown, options)?;
            }
            return Err(Error::Refused {
                message: match meta.schema {
                    0 => format!("the run-log `{}` has no tables, and create_tables=false", backend.shown),
                    form => format!(
                        "the run-log `{}` has form {form}, this program needs {}, and create_tables=false",
                        backend.shown,
                        backend.migrations.len()
                    ),
                },
                help: "run `tickward run-log migrate` with a role that may create tables".into(),
            });
        }
        meta = apply(line, backend, options).await?;
    }
    if meta.schema == 0 {
        return match must_be_new(&backend.shown, options) {
            Err(error) if whole(line, look(backend)).await.is_err() => Err(error),
            _ => Ok(Opened::Nothing),
        };
    }
    let form = Form { shown: &backend.shown, known: backend.migrations.len() };
    form.check(&meta, options.purpose).map(|()| Opened::Ready { found })
}

/// Applies what is missing, under a lock, and returns what the store says of itself then.
///
/// # Errors
/// As the server says.
pub async fn apply(line: &Line, backend: &Backend, options: &OpenOptions) -> Result<Meta, Error> {
    let dialect = &*backend.dialect;
    let sort = |failure| failed(backend, failure);
    let mut statements = dialect.begin_migrating();
    statements.push(dialect.has_tables().into());
    let (mut open, mut answers) = line.begin(statements).await.map_err(sort)?;
    let has_tables =
        answers.pop().and_then(|rows| rows.into_iter().next()?.into_iter().next()?).is_some_and(|n| n != "0");
    let mut meta = Meta::default();
    if has_tables {
        let mut answers = open.more(vec![META.into()]).await.map_err(sort)?;
        meta = read(answers.pop());
    }
    // Whoever has made the tables meanwhile may have noted what this host knows of them.
    if meta.schema == 0 {
        must_be_new(&backend.shown, options)?;
    }
    let mut statements = Vec::new();
    for (done, migration) in backend.migrations.iter().enumerate().skip(meta.schema) {
        statements.extend(dialect.migration(migration.statements));
        // The number comes last: a store that was left halfway is gone on with from the migration that was cut off.
        let first = if done == 0 { Meta::first(options.purpose) } else { Vec::new() };
        let form = (done + 1).to_string();
        for (name, value) in first.into_iter().chain([("schema", form.as_str())]) {
            statements.push(format!("DELETE FROM tickward_meta WHERE name = '{name}'"));
            statements.push(format!("INSERT INTO tickward_meta (name, value) VALUES ('{name}', '{value}')"));
        }
    }
    statements.push(META.into());
    let ending = dialect.end_migrating();
    let tail = ending.len();
    statements.extend(ending);
    let mut answers = open.end(statements).await.map_err(sort)?;
    answers.truncate(answers.len().saturating_sub(tail));
    Ok(read(answers.pop()))
}

const META: &str = "SELECT name, value FROM tickward_meta";

fn look(backend: &Backend) -> Vec<String> {
    let mut statements = backend.dialect.begin_reading();
    statements.extend([backend.dialect.role().to_owned(), META.into(), "COMMIT".into()]);
    statements
}

struct Found {
    /// Why it takes no writes, in words that follow its name.
    refuses_writing: Option<String>,
    meta: Meta,
}

impl Found {
    fn read(mut answers: Answers) -> Found {
        answers.pop();
        let meta = read(answers.pop());
        Found { meta, ..Found::role(answers.pop()) }
    }

    fn role(answer: Option<Vec<super::columns::Cells>>) -> Found {
        let why = answer.and_then(|rows| rows.into_iter().next()?.into_iter().next()?);
        Found { refuses_writing: why.filter(|why| !why.is_empty()), meta: Meta::default() }
    }
}

fn read(answer: Option<Vec<super::columns::Cells>>) -> Meta {
    let pairs = answer.into_iter().flatten().filter_map(|cells| {
        let mut cells = cells.into_iter().flatten();
        Some((cells.next()?, cells.next()?))
    });
    Meta::of(pairs)
}
