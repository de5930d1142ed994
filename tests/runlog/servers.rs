//! Fresh run-logs on the servers that the environment names: a schema or a database of its own for each.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::Path;

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
    use sqlx::Connection;

    let server = server("TICKWARD_TEST_MYSQL_URL")?;
    let name = name(folder);
    let created = std::thread::spawn({
        let (server, name) = (server.clone(), name.clone());
        move || {
            let runtime =
                tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|e| e.to_string())?;
            runtime.block_on(async {
                let mut connection =
                    sqlx::MySqlConnection::connect(&server).await.map_err(|error| error.to_string())?;
                let create = sqlx::AssertSqlSafe(format!("CREATE DATABASE IF NOT EXISTS {name}"));
                sqlx::raw_sql(create).execute(&mut connection).await.map_err(|error| error.to_string())
            })
        }
    });
    created.join().map_err(|_| "the server could not be asked".to_owned())??;
    let (base, parameters) = server.split_once('?').map_or((&*server, String::new()), |(b, p)| (b, format!("?{p}")));
    let host = base.rsplit_once('/').map_or(base, |(host, _)| host);
    Ok(format!("{host}/{name}{parameters}"))
}
