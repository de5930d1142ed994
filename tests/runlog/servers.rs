//! Fresh run-logs on the servers that the environment names: a schema or a database of its own for each, removed by who
//! had it made. And plain SQL at the address of a run-log.

use std::future::Future;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::Path;

use futures_util::TryStreamExt;
use sqlx::{AssertSqlSafe, Connection, Row};

/// What a statement gave: rows of cells, as text.
pub type Rows = Vec<Vec<Option<String>>>;

/// The name that belongs to a folder: nobody else has it.
fn name(folder: &Path) -> String {
    let mut hash = DefaultHasher::new();
    (folder, std::process::id()).hash(&mut hash);
    format!("tickward_test_{:016x}", hash.finish())
}

fn server(variable: &str) -> Result<String, String> {
    std::env::var(variable)
        .map_err(|_| format!("{variable} is not set: `tests/servers/run` starts a server and sets it"))
}

/// The address of a run-log that is not there yet.
#[cfg(feature = "postgres")]
pub fn fresh_postgres(folder: &Path) -> Result<String, String> {
    let server = server("TICKWARD_TEST_POSTGRES_URL")?;
    let separator = if server.contains('?') { '&' } else { '?' };
    Ok(format!("{server}{separator}schema={}", name(folder)))
}

/// The address of a run-log that is not there yet, in a database of its own.
#[cfg(feature = "mysql")]
pub fn fresh_mysql(folder: &Path) -> Result<String, String> {
    let server = server("TICKWARD_TEST_MYSQL_URL")?;
    let name = name(folder);
    sql(&server, &format!("CREATE DATABASE IF NOT EXISTS {name}"))?;
    let (base, parameters) = server.split_once('?').map_or((&*server, String::new()), |(b, p)| (b, format!("?{p}")));
    let host = base.rsplit_once('/').map_or(base, |(host, _)| host);
    Ok(format!("{host}/{name}{parameters}"))
}

/// Removes the schema or database that one of the above has made.
pub fn remove(url: &str) {
    let removed = match apart(url) {
        (base, Some(schema)) => sql(&base, &format!("DROP SCHEMA IF EXISTS {schema} CASCADE")),
        (base, None) => {
            let name = base.split('?').next().and_then(|base| base.rsplit_once('/')).map_or("", |(_, name)| name);
            sql(&base, &format!("DROP DATABASE IF EXISTS {name}"))
        }
    };
    if let Err(why) = removed {
        eprintln!("{url}: {why}");
    }
}

/// An address without `schema`, and that.
fn apart(url: &str) -> (String, Option<String>) {
    let (base, parameters) = url.split_once('?').unwrap_or((url, ""));
    let (schema, others): (Vec<_>, Vec<_>) =
        parameters.split('&').filter(|one| !one.is_empty()).partition(|one| one.starts_with("schema="));
    let schema = schema.first().and_then(|one| one.split_once('=')).map(|(_, name)| name.to_owned());
    let mark = if others.is_empty() { "" } else { "?" };
    (format!("{base}{mark}{}", others.join("&")), schema)
}

/// Runs statements on a connection of their own, at the address of a run-log; returns all rows that they give.
pub fn sql(url: &str, statements: &str) -> Result<Rows, String> {
    let (base, schema) = apart(url);
    #[cfg(feature = "postgres")]
    if base.starts_with("postgres") {
        let place = schema.map_or(String::new(), |schema| format!("SET search_path TO {schema}; "));
        let text = format!("{place}{statements}");
        return apart_from_others(async move {
            let mut connection = sqlx::PgConnection::connect(&base).await?;
            let mut rows = sqlx::raw_sql(AssertSqlSafe(text)).fetch(&mut connection);
            let mut all = Rows::new();
            while let Some(row) = rows.try_next().await? {
                all.push((0..row.len()).map(|cell| row.get_unchecked(cell)).collect());
            }
            Ok(all)
        });
    }
    #[cfg(feature = "mysql")]
    if base.starts_with("m") {
        assert_eq!(schema, None, "{base}");
        let text = statements.to_owned();
        return apart_from_others(async move {
            let mut connection = sqlx::MySqlConnection::connect(&base).await?;
            let mut rows = sqlx::raw_sql(AssertSqlSafe(text)).fetch(&mut connection);
            let mut all = Rows::new();
            while let Some(row) = rows.try_next().await? {
                all.push((0..row.len()).map(|cell| row.get_unchecked(cell)).collect());
            }
            Ok(all)
        });
    }
    Err(format!("no server is known for {base} {schema:?}"))
}

/// On a thread of its own: whoever calls may have an event loop already.
fn apart_from_others<T: Send>(work: impl Future<Output = Result<T, sqlx::Error>> + Send) -> Result<T, String> {
    std::thread::scope(|scope| {
        let working = scope.spawn(|| {
            let runtime =
                tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|e| e.to_string())?;
            runtime.block_on(work).map_err(|error| error.to_string())
        });
        working.join().unwrap_or_else(|_| Err("the server could not be asked".into()))
    })
}

/// The statements of a migration, without what is said of them.
#[allow(dead_code, reason = "not every test target has migrations")]
pub fn statements_of(text: &str) -> Vec<String> {
    let bare: Vec<&str> = text.lines().map(|line| line.split("--").next().unwrap_or_default()).collect();
    let all = bare.join("\n");
    all.split(';').map(str::trim).filter(|one| !one.is_empty()).map(str::to_owned).collect()
}
