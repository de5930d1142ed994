//! The run-log on MySQL or MariaDB: `mysql://user@host:port/database`, or `mariadb://`.
//!
//! READ COMMITTED throughout: what is read under locks is what is there, and no gap between rows is locked.

use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use sqlx::mysql::{MySqlConnectOptions, MySqlConnection, MySqlDatabaseError};
use sqlx::{ConnectOptions, Connection};

use super::copy::Foreign;
use super::facts::Migration;
use super::sql::address::{self, Address};
use super::sql::columns::{Column, Kind, Object, Table};
use super::sql::dialect::{Dialect, literal, matched};
use super::sql::driver;
use super::sql::line::{Answers, Failure, Server, Session, Soon};
use super::sql::{self, Backend};
use super::{Error, OpenOptions, RunLog, Schema};

mod ddl;

/// Each form of the tables, oldest first.
const MIGRATIONS: [Migration; 5] = [
    Migration { name: "0001_run_log", statements: include_str!("../../migrations/mysql/0001_run_log.sql") },
    Migration { name: "0002_standing", statements: include_str!("../../migrations/mysql/0002_standing.sql") },
    Migration { name: "0003_results", statements: include_str!("../../migrations/mysql/0003_results.sql") },
    Migration { name: "0004_outbox", statements: include_str!("../../migrations/mysql/0004_outbox.sql") },
    Migration { name: "0005_degraded", statements: include_str!("../../migrations/mysql/0005_degraded.sql") },
];

/// How the tables are made.
pub const TABLES: Schema = Schema {
    name: "mysql",
    migrations: &MIGRATIONS,
    meta_key: "name",
    grants: GRANTS,
    views: include_str!("../../migrations/mysql/views.sql"),
};

const GRANTS: &str = "\
-- GRANT SELECT, INSERT, UPDATE, DELETE ON jobs.* TO 'tickward'@'%';\n\
-- and in the address: ?create_tables=false";

/// What of an address is the driver's own.
const KNOWN: [&str; 5] = ["ssl-mode", "ssl-ca", "ssl-cert", "ssl-key", "socket"];

/// The file that a password is read from where neither the address nor `MYSQL_PWD` has one.
const PASSWORD_FILE: &str = "MYSQL_PASSWORD_FILE";

/// Opens the run-log at `url`.
///
/// # Errors
/// `Address` for one that cannot be read; else as `sql::open` says.
pub fn open(url: &str, options: OpenOptions) -> Result<Arc<dyn RunLog>, Error> {
    sql::open(backend(url)?, options)
}

/// How the names of ematix-flow's tables begin, where it was told so: `table_prefix` of its `MySQLRunLog`.
const PREFIX: &str = "table_prefix";

/// What ematix-flow keeps at `url`, in tables whose names begin with its `table_prefix`, if it has one.
///
/// # Errors
/// As `open`; `Unavailable` where there are no tables with that prefix.
pub fn peer(url: &str) -> Result<Option<Foreign>, Error> {
    let (url, prefix) = address::apart(url, PREFIX);
    let Some(prefix) = prefix else { return sql::peer::read(&backend(&url)?, "") };
    let may_begin = |c: char| c.is_ascii_alphabetic() || c == '_';
    let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
    if !prefix.starts_with(may_begin) || prefix.len() > 40 || !prefix.chars().all(is_plain) {
        return Err(address::bad(PREFIX, "takes letters, digits and `_`, a digit not first, at most 40"));
    }
    let backend = backend(&url)?;
    let none = || Error::Unavailable {
        message: format!("the run-log `{}` has no table `{prefix}run_log`", backend.shown),
        source: None,
    };
    sql::peer::read(&backend, &prefix)?.map(Some).ok_or_else(none)
}

/// Refuses an address that cannot be read.
///
/// # Errors
/// `Address`.
pub fn check(url: &str) -> Result<(), Error> {
    backend(url).map(drop)
}

fn backend(url: &str) -> Result<Backend, Error> {
    let address = Address::parse(url, &KNOWN, false)?;
    let unreadable = || address::unreadable("mysql://user:password@host:3306/database");
    let connect = MySqlConnectOptions::from_str(&address.url).map_err(|_| unreadable())?;
    let Some(database) = connect.get_database().map(str::to_owned) else {
        return Err(Error::Address {
            message: "the run-log's address names no database".into(),
            help: "write mysql://user:password@host:3306/database".into(),
        });
    };
    let has_password =
        url.split_once("//").and_then(|(_, rest)| rest.split_once('@')).is_some_and(|(user, _)| user.contains(':'));
    let connect = match password().filter(|_| !has_password) {
        Some(password) => connect.password(&password),
        None => connect,
    };
    let shown = match connect.get_socket() {
        Some(socket) => format!("mysql://{}/{database}", socket.display()),
        None => format!("mysql://{}:{}/{database}", connect.get_host(), connect.get_port()),
    };
    let host = address::looked_up(connect.get_host()).to_owned();
    let connect = connect.host(&host);
    Ok(Backend {
        dialect: Box::new(MySql),
        server: Arc::new(Reach { connect: connect.disable_statement_logging(), patience: address.connect_timeout }),
        migrations: &MIGRATIONS,
        shown,
        creates_tables: address.creates_tables,
        start_marks: None,
    })
}

fn password() -> Option<String> {
    let from_file = || {
        let text = std::fs::read_to_string(std::env::var_os(PASSWORD_FILE)?).ok()?;
        Some(text.trim_end_matches(['\r', '\n']).to_owned())
    };
    std::env::var("MYSQL_PWD").ok().or_else(from_file)
}

struct Reach {
    connect: MySqlConnectOptions,
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

struct Connected(MySqlConnection);

impl Session for Connected {
    fn run(&mut self, statements: Vec<String>) -> Soon<'_, Result<Answers, Failure>> {
        Box::pin(async { driver::run(&mut self.0, statements).await.map_err(|error| sorted(&error)) })
    }

    fn close(self: Box<Self>) -> Soon<'static, ()> {
        Box::pin(async { drop(self.0.close().await) })
    }
}

/// What the server says, but for the sign before which a password is looked for by who masks it: `'user'@'host'`.
fn without_at(message: &str) -> String {
    message.replace('@', " at ")
}

/// What an error means, by the server's number for it.
fn sorted(error: &sqlx::Error) -> Failure {
    driver::sorted(error, |said| {
        let number = said.try_downcast_ref::<MySqlDatabaseError>().map_or(0, MySqlDatabaseError::number);
        let message = without_at(said.message());
        match number {
            // A lock that was not to be had, a deadlock, a row that somebody else was faster with or has changed, tables
            // that somebody else is making.
            1205 | 1213 | 1062 | 1020 | 1412 => Failure::Again(message),
            1146 => Failure::NoTables,
            1290 | 1792 | 1836 => Failure::Refused {
                message: format!("takes no writes: {message}"),
                help: "name the server that takes writes".into(),
            },
            1142 | 1143 | 1370 => Failure::Refused {
                message: format!("does not let this user do what is needed: {message}"),
                help: "grant it: `tickward run-log ddl` prints what".into(),
            },
            // It goes down, or has ended the connection.
            1053 | 1927 | 1040 | 1203 | 4031 => Failure::Unanswered(message),
            number => Failure::Failed(format!("{message} ({number})")),
        }
    })
}

/// The SQL that MySQL 8 and MariaDB 10.6 have in common.
struct MySql;

/// What tells names apart byte for byte, whatever the connection's own collation.
const BINARY: &str = "CHARACTER SET utf8mb4 COLLATE utf8mb4_bin";

/// Longer texts are written in base64, which takes less room than hexadecimal digits and more of the server's time.
const SHORT: usize = 1 << 10;

impl MySql {
    /// A value as a literal.
    fn cell(&self, value: Option<&Value>) -> String {
        match value {
            None | Some(Value::Null) => "NULL".into(),
            Some(Value::String(text)) if is_plain(text) => format!("'{text}'"),
            Some(Value::String(text)) if text.len() <= SHORT => format!("_utf8mb4 x'{}'", hexadecimal(text)),
            Some(Value::String(text)) => self.decoded(&literal(text)),
            Some(number) => number.to_string(),
        }
    }
}

fn hexadecimal(text: &str) -> String {
    let digit = |nibble: u8| char::from(b"0123456789abcdef"[usize::from(nibble)]);
    text.bytes().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

/// It has nothing that means anything within quotes.
fn is_plain(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_.:-".contains(&byte))
}

impl Dialect for MySql {
    fn begin_reading(&self) -> Vec<String> {
        vec![
            "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ".into(),
            "START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY".into(),
        ]
    }

    fn begin_writing(&self) -> Vec<String> {
        vec![
            "SET SESSION innodb_lock_wait_timeout = 5".into(),
            // Who is stopped between two texts does not hold the others up for long.
            "SET SESSION wait_timeout = 15".into(),
            "SET TRANSACTION ISOLATION LEVEL READ COMMITTED".into(),
            "START TRANSACTION".into(),
        ]
    }

    fn role(&self) -> &'static str {
        "SELECT CASE WHEN @@global.read_only = 1 THEN 'is read-only' ELSE '' END"
    }

    fn product(&self) -> &'static str {
        "SELECT CASE WHEN VERSION() LIKE '%MariaDB%' THEN 'MariaDB' ELSE 'MySQL' END, VERSION()"
    }

    fn rights(&self) -> &'static str {
        "SELECT COALESCE(SUM(granted = 'CREATE'), 0), COALESCE(SUM(granted = 'INSERT'), 0), \
         COALESCE(SUM(granted = 'UPDATE'), 0), COALESCE(SUM(granted = 'DELETE'), 0) FROM ( \
         SELECT grantee, privilege_type AS granted FROM information_schema.user_privileges \
         UNION ALL SELECT grantee, privilege_type FROM information_schema.schema_privileges \
         WHERE DATABASE() LIKE table_schema \
         UNION ALL SELECT grantee, privilege_type FROM information_schema.table_privileges \
         WHERE table_schema = DATABASE() AND table_name = 'tickward_attempt') each_one \
         WHERE grantee = CONCAT('''', REPLACE(CURRENT_USER(), '@', '''@'''), '''')"
    }

    fn begin_migrating(&self) -> Vec<String> {
        vec!["SELECT GET_LOCK(CONCAT('tickward_', DATABASE()), 30)".into()]
    }

    fn end_migrating(&self) -> Vec<String> {
        vec!["DO RELEASE_LOCK(CONCAT('tickward_', DATABASE()))".into()]
    }

    fn migration(&self, statements: &str) -> Vec<String> {
        ddl::repeatable(statements)
    }

    fn has_tables(&self) -> &'static str {
        "SELECT count(*) FROM information_schema.tables WHERE table_schema = DATABASE() AND table_name = 'tickward_meta'"
    }

    fn now(&self) -> &'static str {
        // The beginning of its own statement.
        "TIMESTAMPDIFF(MICROSECOND, '1970-01-01 00:00:00', UTC_TIMESTAMP(6))"
    }

    fn decoded(&self, literal: &str) -> String {
        format!("CONVERT(FROM_BASE64({literal}) USING utf8mb4) COLLATE utf8mb4_bin")
    }

    fn unpacked(&self, json: &str, columns: &[Column]) -> String {
        let columns: Vec<String> = columns
            .iter()
            .map(|(name, kind)| match kind {
                Kind::Number => format!("{name} BIGINT PATH '$.{name}'"),
                Kind::Word => format!("{name} VARCHAR(400) {BINARY} PATH '$.{name}'"),
                Kind::Text => format!("{name} LONGTEXT {BINARY} PATH '$.{name}'"),
            })
            .collect();
        format!("JSON_TABLE({json}, '$[*]' COLUMNS ({})) AS d", columns.join(", "))
    }

    fn values(&self, columns: &[Column], rows: &[Object]) -> Option<String> {
        // JSON_TABLE looks for each column through the whole of an object: a wide row takes three times as long.
        let row = |row: &Object| {
            let cells: Vec<String> = columns.iter().map(|(name, _)| self.cell(row.get(*name))).collect();
            format!("({})", cells.join(","))
        };
        let rows: Vec<String> = rows.iter().map(row).collect();
        Some(format!("VALUES {}", rows.join(",\n")))
    }

    fn for_update(&self, _: &str, skips_locked: bool) -> String {
        format!("FOR UPDATE{}", if skips_locked { " SKIP LOCKED" } else { "" })
    }

    fn is_open(&self) -> &'static str {
        "a.is_open = 1"
    }

    fn join(&self) -> &'static str {
        "STRAIGHT_JOIN"
    }

    fn found_by(&self, columns: &[Column]) -> &'static str {
        // A table of few rows is read whole otherwise, and all of it is locked.
        match columns {
            [("token", _), ..] => "FORCE INDEX (token)",
            [("id", _), ..] => "FORCE INDEX (id)",
            _ => "FORCE INDEX (PRIMARY)",
        }
    }

    fn update(&self, table: &Table, set: &[&str], source: &str, which: &str) -> String {
        let set: Vec<String> = set.iter().map(|name| format!("t.{name} = d.{name}")).collect();
        let on = matched("t", table.key());
        let by = self.found_by(table.key());
        format!("UPDATE {source} STRAIGHT_JOIN {} t {by} ON {on} SET {} WHERE {which}", table.name, set.join(", "))
    }

    fn delete(&self, table: &str, columns: &[Column], source: &str) -> String {
        let by = self.found_by(columns);
        format!("DELETE t FROM {source} STRAIGHT_JOIN {table} t {by} ON {}", matched("t", columns))
    }

    fn on_conflict_nothing(&self, table: &Table) -> String {
        // IGNORE would hide other mistakes as well.
        let (name, _) = table.columns[0];
        format!("ON DUPLICATE KEY UPDATE {name} = {}.{name}", table.name)
    }

    fn on_conflict_replace(&self, table: &Table) -> String {
        let set: Vec<String> =
            table.columns[table.key..].iter().map(|(name, _)| format!("{name} = VALUES({name})")).collect();
        format!("ON DUPLICATE KEY UPDATE {}", set.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_literals_that_no_quote_ends() {
        let long = "'é".repeat(SHORT);
        let encoded = format!("CONVERT(FROM_BASE64({}) USING utf8mb4) COLLATE utf8mb4_bin", literal(&long));
        let rows = [
            (Value::Null, "NULL"),
            (Value::from(-7), "-7"),
            (Value::from(""), "''"),
            (Value::from("a-b_c.D:9"), "'a-b_c.D:9'"),
            (Value::from("a'); --"), "_utf8mb4 x'6127293b202d2d'"),
            (Value::from("\\"), "_utf8mb4 x'5c'"),
            (Value::from("é\""), "_utf8mb4 x'c3a922'"),
            (Value::from(long), &encoded),
        ];
        for (value, written) in rows {
            assert_eq!(MySql.cell(Some(&value)), written, "{value}");
        }
        assert_eq!(MySql.cell(None), "NULL");
    }

    #[test]
    fn nothing_that_the_server_says_looks_like_a_password() {
        let said = "Access denied for user 'tickward'@'127.0.0.1' (using password: YES)";
        assert_eq!(without_at(said), "Access denied for user 'tickward' at '127.0.0.1' (using password: YES)");
    }
}
