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
    run(&["run-due", "--interval", "0"], &owner, 0);
    let said = run(&["run", "hello"], &ticks, 0);
    assert!(said.starts_with("succeeded hello@"), "{said}");
    let doctor = sandbox.tickward(&["doctor", "-c", "examples/hello.yaml", "--run-log-url", &ticks]).output().unwrap();
    let told = text(&doctor.stdout);
    assert!(
        told.contains("can be read; the last claim was at ") && told.contains("`tickward run-log check` tries"),
        "{told}"
    );
    assert!(told.contains(&format!("{word}:***@")) && !told.contains("change-me"), "{told}");
    run(&["pause", "hello"], &ticks, 0);
    run(&["forget", "hello", "--yes"], &ticks, 0);
}
