//! What the tests themselves leave on a server, which may be somebody's own: nothing.

use tickward::runlog::Purpose;

use crate::bench::{Bench, id};
use crate::further::Lack;
use crate::kind::{Kind, wait};
use crate::servers::sql;

pub const CASES: &[crate::Case] = &[("leftovers::a_bench_that_is_dropped_leaves_nothing", nothing)];

/// The schema or database of an address.
fn place(url: &str) -> String {
    let name = url.split_once("schema=").map(|(_, name)| name).or_else(|| url.rsplit_once('/').map(|(_, name)| name));
    name.unwrap().split(['?', '&']).next().unwrap().to_owned()
}

fn nothing(kind: &'static Kind) -> Result<(), Lack> {
    let watching = kind.bench()?;
    let count = |names: &[String]| {
        let names: Vec<String> = names.iter().map(|name| format!("'{name}'")).collect();
        let names = names.join(", ");
        let rows = sql(
            &watching.url,
            &format!("SELECT count(*) FROM information_schema.schemata WHERE schema_name IN ({names})"),
        );
        rows.unwrap()[0][0].clone().unwrap()
    };
    let places = |bench: &Bench| {
        let another = bench.another_url();
        drop(bench.open(&another, Purpose::Work).unwrap());
        [place(&bench.url), place(&another)]
    };
    let bench = kind.bench()?;
    wait(bench.claimed("p", "02:00"));
    let names = places(&bench);
    assert_eq!(count(&names), "2");
    drop(bench);
    assert_eq!(count(&names), "0");
    // A case that fails, too.
    let bench = kind.bench()?;
    let names = places(&bench);
    let failed = std::thread::spawn(move || assert_eq!(wait(bench.row(&id("p"))).version, 7, "as it is meant to"));
    assert!(failed.join().is_err());
    assert_eq!(count(&names), "0");
    Ok(())
}
