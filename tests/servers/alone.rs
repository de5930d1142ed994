//! Each script alone: what was asked for is what there is.

use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};

use crate::Case;
use crate::further::{Lack, Server, script};

/// Every case, by its name.
pub const CASES: &[(&str, Case)] = &[
    ("postgres::what_was_committed_is_there_after_a_crash", postgres_after_a_crash),
    ("postgres::a_replica_has_the_data_and_takes_no_writes", postgres_replica),
    ("postgres::with_tls_nothing_else_is_taken", postgres_tls),
    ("postgres::a_small_disk_is_full_soon", postgres_small_disk),
    ("mariadb::what_was_committed_is_there_after_a_crash", mariadb_after_a_crash),
    ("mariadb::a_read_only_one_has_the_data_and_takes_no_writes", mariadb_read_only),
    ("mariadb::with_tls_nothing_else_is_taken", mariadb_tls),
    ("mariadb::a_small_disk_is_full_soon", mariadb_small_disk),
    ("mariadb::it_removes_no_temporary_files_of_others_when_it_starts", mariadb_temporary_files),
    ("pgbouncer::a_connection_of_the_server_is_shared_between_transactions", pgbouncer_shares),
    ("scripts::what_is_missing_is_named", what_is_missing_is_named),
    ("scripts::what_they_do_not_know_is_refused", what_they_do_not_know_is_refused),
];

/// What a statement answers over Postgres' own client, or what is said against it, with the code.
fn psql(url: &str, statement: &str) -> Result<String, String> {
    let mut client = Command::new("psql");
    client.args(["-X", "-At", "-v", "VERBOSITY=verbose", "-c", statement, url]);
    answer(client)
}

/// The same over MariaDB's client.
fn mariadb(url: &str, options: &[&str], statement: &str) -> Result<String, String> {
    let (login, place) = url.strip_prefix("mysql://").unwrap().split_once('@').unwrap();
    let (user, password) = login.split_once(':').unwrap();
    let (host, database) = place.split_once('/').unwrap();
    let (host, port) = host.split_once(':').unwrap();
    let mut client = Command::new("mariadb");
    client.args(["--no-defaults", "-NB", "-h", host, "-P", port, "-u", user, "-e", statement]);
    client.arg(format!("-p{password}")).args(options).arg(database);
    answer(client)
}

fn answer(mut client: Command) -> Result<String, String> {
    let output = client.env("LC_ALL", "C").output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap().trim_end().to_owned();
    if output.status.success() { Ok(text(output.stdout)) } else { Err(text(output.stderr)) }
}

/// It was refused, with words that have this among them.
fn assert_refused(answer: Result<String, String>, word: &str) {
    let said = answer.unwrap_err();
    assert!(said.contains(word), "{said}");
}

fn postgres_after_a_crash() -> Result<(), Lack> {
    let mut server = Server::start("postgres", &[])?;
    let url = server.url.clone();
    psql(&url, "CREATE TABLE kept AS SELECT 42 AS answer").unwrap();
    server.crash();
    assert_refused(psql(&url, "SELECT 1"), "Connection refused");
    server.start_again(&["--set", "statement_timeout=4711ms"])?;
    assert_eq!(psql(&server.url, "SELECT answer FROM kept").unwrap(), "42");
    assert_eq!(psql(&server.url, "SHOW statement_timeout").unwrap(), "4711ms");
    assert_refused(psql(&server.url.replace('@', "0@"), "SELECT 1"), "password authentication failed");
    Ok(())
}

fn postgres_replica() -> Result<(), Lack> {
    let primary = Server::start("postgres", &[])?;
    psql(&primary.url, "CREATE TABLE kept AS SELECT 42 AS answer").unwrap();
    let replica = Server::start("postgres", &["--replica-of", primary.folder().to_str().unwrap()])?;
    assert_eq!(psql(&replica.url, "SELECT answer, pg_is_in_recovery() FROM kept").unwrap(), "42|t");
    assert_refused(psql(&replica.url, "DELETE FROM kept"), "25006");
    Ok(())
}

fn postgres_tls() -> Result<(), Lack> {
    let server = Server::start("postgres", &["--tls"])?;
    let other = Server::start("postgres", &["--tls"])?;
    let with = |server: &Server, ca: &Server| {
        let ca = ca.ca.as_ref().unwrap().display();
        psql(&format!("{}?sslmode=verify-full&sslrootcert={ca}", server.url), "SHOW ssl")
    };
    assert_eq!(with(&server, &server).unwrap(), "on");
    assert_refused(with(&server, &other), "certificate verify failed");
    assert_refused(psql(&format!("{}?sslmode=disable", server.url), "SHOW ssl"), "no encryption");
    Ok(())
}

fn postgres_small_disk() -> Result<(), Lack> {
    let server = Server::start("postgres", &["--disk", "40"])?;
    let fill = "CREATE TABLE filling AS SELECT repeat('x', 100) FROM generate_series(1, 1000000)";
    assert_refused(psql(&server.url, fill), "No space left on device");
    Ok(())
}

fn mariadb_after_a_crash() -> Result<(), Lack> {
    let mut server = Server::start("mariadb", &[])?;
    let url = server.url.clone();
    mariadb(&url, &[], "CREATE TABLE kept AS SELECT 42 AS answer").unwrap();
    server.crash();
    assert_refused(mariadb(&url, &[], "SELECT 1"), "ERROR 2002");
    server.start_again(&["--set", "lock-wait-timeout=4711"])?;
    let found = mariadb(&server.url, &[], "SELECT answer, @@lock_wait_timeout FROM kept");
    assert_eq!(found.unwrap(), "42\t4711");
    assert_refused(mariadb(&server.url.replace('@', "0@"), &[], "SELECT 1"), "ERROR 1045");
    Ok(())
}

fn mariadb_read_only() -> Result<(), Lack> {
    let mut server = Server::start("mariadb", &[])?;
    mariadb(&server.url, &[], "CREATE TABLE kept AS SELECT 42 AS answer").unwrap();
    server.stop();
    server.start_again(&["--read-only"])?;
    assert_eq!(mariadb(&server.url, &[], "SELECT answer FROM kept").unwrap(), "42");
    assert_refused(mariadb(&server.url, &[], "DELETE FROM kept"), "ERROR 1290");
    server.stop();
    server.start_again(&[])?;
    assert_eq!(mariadb(&server.url, &[], "DELETE FROM kept").unwrap(), "");
    Ok(())
}

fn mariadb_tls() -> Result<(), Lack> {
    let server = Server::start("mariadb", &["--tls"])?;
    let ca = format!("--ssl-ca={}", server.ca.as_ref().unwrap().display());
    let question =
        "SELECT variable_value <> '' FROM information_schema.session_status WHERE variable_name = 'ssl_cipher'";
    assert_eq!(mariadb(&server.url, &[&ca, "--ssl-verify-server-cert"], question).unwrap(), "1");
    // Versions differ in what they say of it: that TLS is required, or only that access is denied.
    assert_refused(mariadb(&server.url, &["--skip-ssl"], question), "ERROR ");
    Ok(())
}

fn mariadb_small_disk() -> Result<(), Lack> {
    let server = Server::start("mariadb", &["--disk", "60"])?;
    let fill = "CREATE TABLE filling AS SELECT repeat('x', 100) AS x FROM seq_1_to_1000000";
    assert_refused(mariadb(&server.url, &[], fill), "full");
    Ok(())
}

/// Two clients at once are served by the same and only process of the server, which goes for no other mode.
fn mariadb_temporary_files() -> Result<(), Lack> {
    let of_another = tempfile::Builder::new().prefix("#sql-temptable-").suffix(".MAI").tempfile_in("/tmp").unwrap();
    // As another server's are, where root starts them.
    Command::new("chown").arg("mysql").arg(of_another.path()).stderr(Stdio::null()).status().unwrap();
    Server::start("mariadb", &[])?;
    assert!(of_another.path().exists());
    Ok(())
}

fn pgbouncer_shares() -> Result<(), Lack> {
    let server = Server::start("postgres", &[])?;
    let bouncer = Server::start("pgbouncer", &[&server.url, "--set", "default_pool_size=1"])?;
    assert_ne!(bouncer.url, server.url);
    let mut first = Command::new("psql");
    first.args(["-X", "-At", &bouncer.url]).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut first = first.spawn().unwrap();
    let (mut asking, question) = (first.stdin.take().unwrap(), "SELECT pg_backend_pid();");
    writeln!(asking, "{question}").unwrap();
    let mut process = String::new();
    BufReader::new(first.stdout.take().unwrap()).read_line(&mut process).unwrap();
    assert_eq!(psql(&bouncer.url, question).unwrap(), process.trim_end());
    drop(asking);
    assert!(first.wait().unwrap().success());
    Ok(())
}

fn what_is_missing_is_named() -> Result<(), Lack> {
    let empty = tempfile::tempdir().unwrap();
    for (kind, variable, package) in [
        ("postgres", "TICKWARD_TEST_POSTGRES_BIN", "sudo apt-get install postgresql"),
        ("mariadb", "TICKWARD_TEST_MARIADB_BIN", "sudo apt-get install mariadb-server"),
    ] {
        let mut start = Command::new(script(kind));
        start.arg("start").arg(empty.path().join("server")).env(variable, empty.path());
        let output = start.output().unwrap();
        assert_eq!((output.status.code(), output.stdout), (Some(77), Vec::new()), "{kind}");
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(said.starts_with(&format!("tests/servers/{kind}: `")), "{said}");
        assert!(said.trim_end().ends_with(package), "{said}");
        assert!(!empty.path().join("server").exists(), "{kind}");
    }
    Ok(())
}

fn what_they_do_not_know_is_refused() -> Result<(), Lack> {
    for kind in ["postgres", "mariadb", "pgbouncer"] {
        for arguments in [&[][..], &["start"], &["begin", "/nowhere"]] {
            let output = Command::new(script(kind)).args(arguments).output().unwrap();
            assert_eq!(output.status.code(), Some(2), "{kind} {arguments:?}");
            assert!(String::from_utf8(output.stderr).unwrap().contains("start FOLDER"), "{kind}");
        }
        let nothing = Command::new(script(kind)).args(["remove", "/nowhere/at/all"]).output().unwrap();
        assert!(nothing.status.success(), "{kind}");
    }
    Ok(())
}
