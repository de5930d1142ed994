//! Servers that take no writes, and users who may not do all: the reason is said, and nothing fires.

use tickward::run::{Outcome, Row};
use tickward::runlog::Error;
use tickward::runlog::contract::{Batch, Verdict};

use crate::bench::{at, claiming, end, id};
use crate::further::{Lack, Server};
use crate::kind::{Kind, commit, open, password, refused, wait, with, words};
use crate::sandbox::Sandbox;
use crate::servers::sql;

pub const CASES: &[crate::Case] = &[
    ("rights::a_server_that_is_read_only_is_refused_and_nothing_fires", read_only),
    ("rights::what_ddl_prints_makes_the_tables_and_gives_the_rights", as_ddl_prints),
    ("rights::who_may_do_nothing_is_told_what_to_grant", nothing),
];

pub const OF_POSTGRES: &[crate::Case] = &[("rights::a_replica_is_refused_and_nothing_fires", replica)];

const DAILY: &str = "pipelines: { p: { schedule: '@daily', command: ENTER } }";

/// A tick does nothing, ends with 4, and says this.
fn assert_refused(url: &str, says: &[&str]) {
    let error = refused(url);
    assert!(matches!(error, Error::Refused { .. }), "{error:?}");
    let sandbox = Sandbox::with(DAILY);
    let done = sandbox.call(&["run-due", "--interval", "86400", "--run-log-url", url]).expect(4);
    for says in says {
        assert!(done.stderr.contains(says), "{says}: {done:?}");
    }
    assert!(!done.stderr.contains(password(url)), "{done:?}");
    assert_eq!(sandbox.starts(), []);
    // Who asks whether it is fit for use is told the same.
    let checked = sandbox.call(&["run-log", "check", url]).expect(4);
    assert!(checked.stdout.contains("connect  wrong"), "{checked:?}");
    assert!(says[..says.len() - 1].iter().all(|says| checked.stdout.contains(says)), "{checked:?}");
    assert!(!format!("{checked:?}").contains(password(url)), "{checked:?}");
}

fn read_only(kind: &'static Kind) -> Result<(), Lack> {
    let mut server = kind.server(&[])?;
    drop(open(&server.url).unwrap());
    server.stop();
    let arguments =
        if kind.is_postgres() { &["--set", "default_transaction_read_only=on"][..] } else { &["--read-only"] };
    server.start_again(arguments)?;
    let says = ["is read-only: claims cannot be made there", "name the server that takes writes"];
    assert_refused(&server.url, &says);
    // People may look.
    let sandbox = Sandbox::with(DAILY);
    sandbox.call(&["history", "--run-log-url", &server.url]).expect(0);
    Ok(())
}

fn replica(kind: &'static Kind) -> Result<(), Lack> {
    let primary = kind.server(&[])?;
    drop(open(&primary.url).unwrap());
    let replica = Server::start("postgres", &["--replica-of", primary.folder().to_str().unwrap()])?;
    assert_refused(&replica.url, &["is a replica: claims cannot be made there", "name the server that takes writes"]);
    Ok(())
}

/// The schema or database of a store.
fn place_of(url: &str) -> &str {
    url.split_once("schema=").map_or_else(|| url.rsplit_once('/').unwrap().1, |(_, schema)| schema)
}

/// Makes a user of this name who may do what `grants` says in the store's place, and returns his address.
fn user(kind: &'static Kind, url: &str, name: &str, grants: &[&str]) -> String {
    let make = if kind.is_postgres() {
        format!("DROP ROLE IF EXISTS {name}; CREATE ROLE {name} LOGIN PASSWORD 'gartenzwerg'")
    } else {
        format!("CREATE OR REPLACE USER {name}@'%' IDENTIFIED BY 'gartenzwerg'")
    };
    sql(url, &make).unwrap();
    for grant in grants {
        sql(url, &grant.replace("PLACE", place_of(url)).replace("USER", name)).unwrap();
    }
    of_user(kind, url, name, "gartenzwerg")
}

fn of_user(kind: &'static Kind, url: &str, name: &str, password: &str) -> String {
    let (_, server) = url.split_once('@').unwrap();
    format!("{}://{name}:{password}@{server}", kind.name)
}

fn remove_user(kind: &'static Kind, url: &str, name: &str) {
    let remove = if kind.is_postgres() {
        format!("DROP OWNED BY {name}; DROP ROLE {name}")
    } else {
        format!("DROP USER {name}@'%'")
    };
    sql(url, &remove).unwrap();
}

/// All that a tick and those who look after it do, as somebody who may make no tables.
fn assert_works(url: &str) {
    let without = url.replace("&create_tables=false", "").replace("?create_tables=false", "");
    for (name, url) in [("q", url), ("r", &without)] {
        let log = open(url).unwrap_or_else(|error| panic!("{}", words(&error)));
        wait(async {
            let claim = claiming(Row::absent(id(name)), at("02:00"), 1);
            let attempt = claim.claim.clone().unwrap();
            assert_eq!(commit(&*log, vec![claim]).await.unwrap(), [Verdict::Won]);
            let ends = vec![end(&attempt, Outcome::Failed, at("02:01"))];
            log.commit(Batch { ends, transitions: Vec::new() }).await.unwrap();
            log.take_alerts(9, std::time::Duration::from_secs(1)).await.unwrap();
            assert_eq!(log.rename(id(name), id(&format!("{name}2"))).await.unwrap(), Verdict::Won);
        });
    }
    let sandbox = Sandbox::with(&format!("alerters: ['stdout://']\n{}", DAILY.replace("ENTER", "exit 3")));
    let done = sandbox.call(&["run-due", "--interval", "86400", "-o", "json", "--run-log-url", url]);
    assert_eq!(done.json()["tick"]["degraded"], false, "{done:?}");
    for line in ["skip p", "pause p", "resume p", "cancel p", "history", "prune p --keep 1", "forget p --yes"] {
        let line: Vec<&str> = line.split(' ').chain(["--run-log-url", url]).collect();
        sandbox.call(&line).expect(0);
    }
    let check = sandbox.call(&["run-log", "check", url]).expect(0);
    assert!(check.stdout.contains("may insert, update and delete; may not create tables"), "{check:?}");
}

/// What a person gets who runs all that `tickward run-log ddl` prints, its comments of rights too, with names of his own. (What the
/// pages say of two roles is tried in tests/examples/roles.rs.)
fn as_ddl_prints(kind: &'static Kind) -> Result<(), Lack> {
    let bench = kind.bench()?;
    let empty = bench.another_url();
    let place = place_of(&empty);
    let name = format!("clerk_{}", std::process::id());
    let url = user(kind, &bench.url, &name, &[]).replace(place_of(&bench.url), place);
    if kind.is_postgres() {
        sql(&bench.url, &format!("CREATE SCHEMA {place}")).unwrap();
    }
    let ddl = Sandbox::new().call(&["run-log", "ddl", "--dialect", kind.name]).expect(0).stdout;
    let (tables, rights) = ddl.split_once("-- for a role that creates no tables\n").unwrap();
    sql(&empty, tables).unwrap();
    let names = [(kind.pick("SCHEMA public", "jobs.*"), kind.pick("SCHEMA PLACE", "PLACE.*")), ("'tickward'", "USER")];
    let names = names.into_iter().chain(kind.is_postgres().then_some((" TO tickward;", " TO USER;")));
    let rights: Vec<&str> = rights.lines().filter_map(|line| line.strip_prefix("-- ")).collect();
    let (address, grants) = rights.split_last().unwrap();
    for grant in grants {
        let grant = names.clone().fold((*grant).to_owned(), |grant, (theirs, ours)| grant.replace(theirs, ours));
        assert!(grant.starts_with("GRANT ") && grant.contains("USER"), "{grant}");
        sql(&empty, &grant.replace("PLACE", place).replace("USER", &name)).unwrap();
    }
    let parameter = address.split_once('?').unwrap().1;
    assert_works(&with(&url, parameter));
    remove_user(kind, &empty, &name);
    Ok(())
}

fn nothing(kind: &'static Kind) -> Result<(), Lack> {
    let bench = kind.bench()?;
    let name = format!("guest_{}", std::process::id());
    let grant = kind.pick("GRANT USAGE ON SCHEMA PLACE TO USER", "GRANT SHOW VIEW ON PLACE.* TO USER@'%'");
    let url = user(kind, &bench.url, &name, &[grant]);
    assert_refused(&url, &["does not let this", "denied", "`tickward run-log ddl` prints what"]);
    // Reads alone do not make a tick.
    let grant = kind.pick("GRANT SELECT ON ALL TABLES IN SCHEMA PLACE TO USER", "GRANT SELECT ON PLACE.* TO USER@'%'");
    sql(&bench.url, &grant.replace("PLACE", place_of(&bench.url)).replace("USER", &name)).unwrap();
    let log = open(&url).unwrap();
    let answer = wait(commit(&*log, vec![claiming(Row::absent(id("p")), at("02:00"), 1)]));
    assert!(matches!(&answer, Err(Error::Refused { message, .. }) if message.contains("denied")), "{answer:?}");
    let sandbox = Sandbox::with(DAILY);
    let done = sandbox.call(&["run-due", "--interval", "86400", "--run-log-url", &url]);
    assert_eq!((done.code, sandbox.starts().len()), (4, 0), "{done:?}");
    // In a place without tables, who may not make them.
    let empty = bench.another_url();
    if kind.is_postgres() {
        let schema = empty.split_once("schema=").unwrap().1;
        sql(&bench.url, &format!("CREATE SCHEMA {schema}; GRANT USAGE ON SCHEMA {schema} TO {name}")).unwrap();
    } else {
        let place = empty.rsplit_once('/').unwrap().1;
        sql(&bench.url, &format!("GRANT SELECT ON {place}.* TO {name}@'%'")).unwrap();
    }
    let url = of_user(kind, &empty, &name, "gartenzwerg");
    assert_refused(&url, &["does not let this", "denied", "`tickward run-log ddl` prints what"]);
    remove_user(kind, &bench.url, &name);
    Ok(())
}
