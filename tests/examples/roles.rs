//! The roles that the pages on servers tell people to make: one makes the tables, the other ticks.

use std::path::Path;
use std::process::Command;

use super::{Sandbox, succeeded, text};

/// An address, in its parts.
struct Server<'a> {
    scheme: &'a str,
    user: &'a str,
    password: &'a str,
    host: &'a str,
    port: &'a str,
    database: &'a str,
}

impl<'a> Server<'a> {
    fn of(url: &'a str) -> Server<'a> {
        let (scheme, rest) = url.split_once("://").unwrap();
        let (login, rest) = rest.split_once('@').unwrap();
        let (user, password) = login.split_once(':').unwrap();
        let (place, rest) = rest.split_once('/').unwrap();
        let (host, port) = place.split_once(':').unwrap();
        Server { scheme, user, password, host, port, database: rest.split('?').next().unwrap() }
    }

    fn apply(&self, sql: &str) {
        let mut client = match self.scheme {
            "postgres" => {
                let mut psql = Command::new("psql");
                psql.args(["-X", "-q", "-v", "ON_ERROR_STOP=1", "-h", self.host, "-p", self.port, "-U", self.user]);
                psql.env("PGPASSWORD", self.password).args(["-d", self.database, "-c", sql]);
                psql
            }
            _ => {
                let mut mariadb = Command::new("mariadb");
                mariadb.args(["-h", self.host, "-P", self.port, "-u", self.user, self.database, "-e", sql]);
                mariadb.env("MYSQL_PWD", self.password);
                mariadb
            }
        };
        succeeded(&client.output().unwrap());
    }
}

/// The first block of SQL of a page, in which all names begin with another word.
fn sql_of(page: &str, word: &str) -> String {
    let page = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(page)).unwrap();
    let (_, rest) = page.split_once("```sql\n").unwrap();
    rest.split_once("```").unwrap().0.replace("tickward", word).replace("jobs", word)
}

/// What a verb of `run-log` says.
fn run_log(sandbox: &Sandbox, arguments: &[&str]) -> String {
    let output = sandbox.tickward(&["run-log"]).args(arguments).output().unwrap();
    succeeded(&output);
    text(&output.stdout) + &text(&output.stderr)
}

pub fn those_of_the_page_make_tables_and_tick(url: &str, page: &str) {
    let server = Server::of(url);
    let word = format!("roles_{}", std::process::id());
    server.apply(&sql_of(page, &word));
    let (database, parameters) = match server.scheme {
        "postgres" => (server.database, format!("schema={word}&")),
        _ => (&*word, String::new()),
    };
    let of = |user: &str, password: &str, creates: bool| {
        let Server { scheme, host, port, .. } = &server;
        format!("{scheme}://{user}:{password}@{host}:{port}/{database}?{parameters}create_tables={creates}")
    };
    let owner = of(&format!("{word}_owner"), "change-me", true);
    let ticks = of(&word, "change-me-too", false);
    let sandbox = Sandbox::new();
    let run = |arguments: &[&str], url: &str, code: i32| {
        let mut command = sandbox.tickward(arguments);
        let output = command.args(["-c", "examples/hello.yaml", "--run-log-url", url]).output().unwrap();
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {output:?}");
        text(&output.stderr)
    };
    let refused = run(&["run", "hello"], &ticks, 4);
    assert!(refused.contains("has no tables, and create_tables=false"), "{refused}");
    let made = run_log(&sandbox, &["migrate", &owner]);
    assert!(made.contains("applied   0001_run_log\n"), "{made}");
    let said = run(&["run", "hello"], &ticks, 0);
    assert!(said.starts_with("succeeded hello@"), "{said}");
    let doctor = |url: &str, code: i32| {
        let arguments = ["doctor", "-c", "examples/hello.yaml", "--run-log-url", url];
        let output = sandbox.tickward(&arguments).output().unwrap();
        assert_eq!(output.status.code(), Some(code), "{output:?}");
        text(&output.stdout)
    };
    let told = doctor(&ticks, 0);
    assert!(told.contains(&format!("{word}:***@")) && !told.contains("change-me"), "{told}");
    assert!(told.contains("can be read and written (") && told.contains("; the last claim was at "), "{told}");
    let checked = run_log(&sandbox, &["check", &ticks, "--rounds", "1"]);
    assert!(checked.contains("8 claimed one occurrence at once, 1 won"), "{checked}");
    run(&["pause", "hello"], &ticks, 0);
    run(&["forget", "hello", "--yes"], &ticks, 0);
    let (object, role) = match server.scheme {
        "postgres" => (format!("{word}.tickward_attempt"), word.clone()),
        _ => (format!("{word}.*"), format!("'{word}'@'%'")),
    };
    server.apply(&format!("REVOKE UPDATE, DELETE ON {object} FROM {role}"));
    let told = doctor(&ticks, 1);
    assert!(told.contains("does not let this user update and delete\n"), "{told}");
}
