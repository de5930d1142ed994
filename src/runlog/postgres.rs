//! The run-log on Postgres: `postgres://user@host:port/database`, or `postgresql://`.
//!
//! Works through PgBouncer in transaction mode: nothing of a session is relied upon, no statement is prepared.

use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{ConnectOptions, Connection};

use super::copy::Foreign;
use super::facts::Migration;
use super::sql::address::{self, Address};
use super::sql::columns::{Column, Kind, Table};
use super::sql::dialect::{Dialect, matched};
use super::sql::driver;
use super::sql::line::{Answers, Failure, Server, Session, Soon};
use super::sql::{self, Backend};
use super::{Error, OpenOptions, RunLog, Schema};

/// Each form of the tables, oldest first.
const MIGRATIONS: [Migration; 5] = [
    Migration { name: "0001_run_log", statements: include_str!("../../migrations/postgres/0001_run_log.sql") },
    Migration { name: "0002_standing", statements: include_str!("../../migrations/postgres/0002_standing.sql") },
    Migration { name: "0003_results", statements: include_str!("../../migrations/postgres/0003_results.sql") },
    Migration { name: "0004_outbox", statements: include_str!("../../migrations/postgres/0004_outbox.sql") },
    Migration { name: "0005_degraded", statements: include_str!("../../migrations/postgres/0005_degraded.sql") },
];

/// How the tables are made.
pub const TABLES: Schema = Schema {
    name: "postgres",
    migrations: &MIGRATIONS,
    meta_key: "name",
    grants: GRANTS,
    views: include_str!("../../migrations/postgres/views.sql"),
};

const GRANTS: &str = "\
-- GRANT USAGE ON SCHEMA public TO tickward;\n\
-- GRANT SELECT, INSERT, UPDATE, DELETE ON tickward_meta, tickward_pipeline, tickward_attempt, tickward_not_run, tickward_outbox TO tickward;\n\
-- and in the address: ?create_tables=false";

/// What of an address is the driver's own.
const KNOWN: [&str; 12] = [
    "sslmode",
    "sslrootcert",
    "sslcert",
    "sslkey",
    "host",
    "hostaddr",
    "port",
    "dbname",
    "user",
    "password",
    "application_name",
    "options",
];

/// Opens the run-log at `url`.
///
/// # Errors
/// `Address` for one that cannot be read; else as `sql::open` says.
pub fn open(url: &str, options: OpenOptions) -> Result<Arc<dyn RunLog>, Error> {
    sql::open(backend(url)?, options)
}

/// Refuses an address that cannot be read.
///
/// # Errors
/// `Address`.
pub fn check(url: &str) -> Result<(), Error> {
    backend(url).map(drop)
}

/// What ematix-flow keeps at `url`.
///
/// # Errors
/// As `open`.
pub fn peer(url: &str) -> Result<Option<Foreign>, Error> {
    sql::peer::read(&backend(url)?, "")
}

fn backend(url: &str) -> Result<Backend, Error> {
    let address = Address::parse(url, &KNOWN, true)?;
    let unreadable = |_| address::unreadable("postgres://user:password@host:5432/database");
    let connect = PgConnectOptions::from_str(&address.url).map_err(unreadable)?;
    let connect = if connect.get_application_name().is_none() { connect.application_name("tickward") } else { connect };
    let shown = shown(&connect);
    let host = address::looked_up(connect.get_host()).to_owned();
    let connect = connect.host(&host);
    // A pooler does not know it, and there is no number with a point in what is read.
    let connect = connect.extra_float_digits(None).disable_statement_logging();
    Ok(Backend {
        dialect: Box::new(Postgres { schema: address.schema }),
        server: Arc::new(Reach { connect, patience: address.connect_timeout }),
        migrations: &MIGRATIONS,
        shown,
        creates_tables: address.creates_tables,
        start_marks: None,
    })
}

fn shown(connect: &PgConnectOptions) -> String {
    let database = connect.get_database().unwrap_or_default();
    match connect.get_socket() {
        Some(socket) => format!("postgres://{}/{database}", socket.display()),
        None => format!("postgres://{}:{}/{database}", connect.get_host(), connect.get_port()),
    }
}

struct Reach {
    connect: PgConnectOptions,
    patience: Duration,
}

impl Server for Reach {
    fn connect(&self) -> Soon<'_, Result<Box<dyn Session>, Failure>> {
        Box::pin(async {
            let connected = self.connect.connect().await;
            let connection = connected.map_err(|error| driver::unreachable(sorted(&error)))?;
            Ok(Box::new(Connected(connection)) as Box<dyn Session>)
        })
    }

    fn patience(&self) -> Duration {
        self.patience
    }
}

struct Connected(PgConnection);

impl Session for Connected {
    fn run(&mut self, statements: Vec<String>) -> Soon<'_, Result<Answers, Failure>> {
        Box::pin(async { driver::run(&mut self.0, statements).await.map_err(|error| sorted(&error)) })
    }

    fn close(self: Box<Self>) -> Soon<'static, ()> {
        Box::pin(async { drop(self.0.close().await) })
    }
}

/// What an error means; classes and codes are those of the manual's appendix A.
fn sorted(error: &sqlx::Error) -> Failure {
    driver::sorted(error, |said| {
        let (code, message) = (said.code().unwrap_or_default().into_owned(), said.message().to_owned());
        match (&*code, code.get(..2).unwrap_or_default()) {
            // Serialization, deadlock, a lock that was not to be had, a key that somebody else was faster with, and a
            // transaction that took too long between two texts.
            ("40001" | "40P01" | "55P03" | "23505" | "25P03", _) => Failure::Again(message),
            ("42P01", _) => Failure::NoTables,
            ("25006", _) => Failure::Refused {
                message: format!("takes no writes: {message}"),
                help: "name the server that takes writes".into(),
            },
            ("42501", _) => Failure::Refused {
                message: format!("does not let this role do what it needs: {message}"),
                help: "grant it: `tickward run-log ddl` prints what".into(),
            },
            // Not enough disk, memory or of what is limited by a setting; 53300, no room for a connection, comes before all
            // else. And what somebody has cancelled. Nothing was done.
            ("53300", _) => Failure::Unanswered(message),
            (_, "53") | ("57014", _) => Failure::Failed(format!("{message} ({code})")),
            // It went down, or was not up yet: whether what was sent is done is not known.
            (_, "57" | "08") => Failure::Unanswered(message),
            _ => Failure::Failed(format!("{message} ({code})")),
        }
    })
}

/// The SQL of Postgres.
struct Postgres {
    schema: Option<String>,
}

impl Postgres {
    fn begun(&self, how: &str) -> Vec<String> {
        let mut statements = vec![how.to_owned()];
        statements.extend(self.schema.iter().map(|schema| format!("SET LOCAL search_path TO \"{schema}\"")));
        statements
    }
}

impl Dialect for Postgres {
    fn begin_reading(&self) -> Vec<String> {
        self.begun("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
    }

    fn begin_writing(&self) -> Vec<String> {
        let mut statements = self.begun("BEGIN ISOLATION LEVEL READ COMMITTED");
        statements.push("SET LOCAL lock_timeout = '5s'".into());
        // Who is stopped between two texts does not hold the others up for long.
        statements.push("SET LOCAL idle_in_transaction_session_timeout = '15s'".into());
        statements
    }

    fn role(&self) -> &'static str {
        "SELECT CASE WHEN pg_is_in_recovery() THEN 'is a replica' \
         WHEN current_setting('default_transaction_read_only') = 'on' THEN 'is read-only' ELSE '' END"
    }

    fn product(&self) -> &'static str {
        "SELECT 'PostgreSQL', current_setting('server_version')"
    }

    fn rights(&self) -> &'static str {
        "SELECT CAST(has_schema_privilege(current_schema(), 'CREATE') AS INT), \
         CAST(has_table_privilege('tickward_attempt', 'INSERT') AS INT), \
         CAST(has_table_privilege('tickward_attempt', 'UPDATE') AS INT), \
         CAST(has_table_privilege('tickward_attempt', 'DELETE') AS INT)"
    }

    fn begin_migrating(&self) -> Vec<String> {
        let mut statements = vec!["BEGIN".into(), "SELECT pg_advisory_xact_lock(7161634726410)".into()];
        if let Some(schema) = &self.schema {
            // `IF NOT EXISTS` alone asks for the right to make schemas even where there is this one.
            statements.push(format!(
                "DO $$ BEGIN IF to_regnamespace('\"{schema}\"') IS NULL THEN CREATE SCHEMA \"{schema}\"; END IF; END $$"
            ));
            statements.push(format!("SET LOCAL search_path TO \"{schema}\""));
        }
        statements
    }

    fn end_migrating(&self) -> Vec<String> {
        vec!["COMMIT".into()]
    }

    fn migration(&self, statements: &str) -> Vec<String> {
        vec![statements.trim().trim_end_matches(';').to_owned()]
    }

    fn has_tables(&self) -> &'static str {
        "SELECT count(*) FROM pg_catalog.pg_class WHERE oid = to_regclass('tickward_meta')"
    }

    fn now(&self) -> &'static str {
        "CAST(extract(epoch FROM clock_timestamp()) * 1000000 AS BIGINT)"
    }

    fn decoded(&self, literal: &str) -> String {
        format!("convert_from(decode({literal}, 'base64'), 'UTF8')")
    }

    fn unpacked(&self, json: &str, columns: &[Column]) -> String {
        let columns: Vec<String> = columns
            .iter()
            .map(|(name, kind)| match kind {
                Kind::Number => format!("{name} BIGINT"),
                Kind::Word => format!("{name} VARCHAR COLLATE \"C\""),
                Kind::Text => format!("{name} TEXT"),
            })
            .collect();
        format!("json_to_recordset(CAST({json} AS JSON)) AS d({})", columns.join(", "))
    }

    fn for_update(&self, alias: &str, skips_locked: bool) -> String {
        format!("FOR UPDATE OF {alias}{}", if skips_locked { " SKIP LOCKED" } else { "" })
    }

    fn is_open(&self) -> &'static str {
        "(a.state = 'claimed' OR a.retry_at IS NOT NULL)"
    }

    fn join(&self) -> &'static str {
        "JOIN"
    }

    fn found_by(&self, _: &[Column]) -> &'static str {
        ""
    }

    fn update(&self, table: &Table, set: &[&str], source: &str, which: &str) -> String {
        let set: Vec<String> = set.iter().map(|name| format!("{name} = d.{name}")).collect();
        let on = matched("t", table.key());
        format!("UPDATE {} t SET {} FROM {source} WHERE {on} AND {which}", table.name, set.join(", "))
    }

    fn delete(&self, table: &str, columns: &[Column], source: &str) -> String {
        format!("DELETE FROM {table} t USING {source} WHERE {}", matched("t", columns))
    }

    fn on_conflict_nothing(&self, _: &Table) -> String {
        "ON CONFLICT DO NOTHING".into()
    }

    fn on_conflict_replace(&self, table: &Table) -> String {
        let key: Vec<&str> = table.key().iter().map(|(name, _)| *name).collect();
        let set: Vec<String> =
            table.columns[table.key..].iter().map(|(name, _)| format!("{name} = excluded.{name}")).collect();
        format!("ON CONFLICT ({}) DO UPDATE SET {}", key.join(", "), set.join(", "))
    }
}
