//! What one run-log knows goes over to one of another kind, and from there on, and is the same in the end.

use serde_json::Value;

use crate::further::Lack;
use crate::kind::{KINDS, Kind};
use crate::sandbox::Sandbox;

pub const CASES: &[crate::Case] = &[("copies::it_is_the_same_behind_every_other_kind_of_run_log", round)];

const CONFIG: &str = "
run_log: runs.db
alerters: ['http://127.0.0.1:9/nobody']
pipelines:
  good: { schedule: '@daily', command: ['true'] }
  Good: { schedule: '@daily', command: 'echo größer; exit 0' }
  bad: { schedule: '@daily', retry: { max_attempts: 3, delay: 100d }, command: 'echo \"no rows\" >&2; exit 3' }
  held: { schedule: '@daily', on_gave_up: hold, command: exit 1 }
  gone: { command: ['true'] }
  later: { schedule: '0 0 29 2 *', command: ['true'] }
";

fn round(kind: &'static Kind) -> Result<(), Lack> {
    let other = KINDS.iter().find(|other| other.name != kind.name).unwrap();
    let (first, second) = (kind.bench()?, other.bench()?);
    let sandbox = Sandbox::with(CONFIG);
    sandbox.run("run-due --interval 86400").expect(1);
    for line in ["pause later --note tea", "skip good", "run good", "run gone", "forget gone --yes"] {
        sandbox.run(line).expect(0);
    }
    let mut digests = Vec::new();
    let way = ["runs.db", &first.url, &second.url, "back.db"];
    for leg in way.windows(2) {
        let done = sandbox.call(&["run-log", "copy", leg[0], leg[1], "-o", "json"]).expect(0).json();
        assert_eq!((&done["verified"], &done["from"]), (&Value::Bool(true), &done["to"]), "{leg:?}");
        assert_eq!((&done["differs"], &done["known"]), (&0.into(), &0.into()), "{leg:?}: {done}");
        digests.push(done["from"].clone());
    }
    assert_eq!(digests[0]["attempts"], 5, "{}", digests[0]);
    assert!(digests[0]["alerts_waiting"].as_u64().unwrap() > 0, "{}", digests[0]);
    assert!(digests.iter().all(|digest| *digest == digests[0]), "{digests:?}");
    for name in ["good", "Good", "bad", "held", "later"] {
        let rows = way.map(|url| {
            let mut row = sandbox.call(&["run-log", "show", name, "-o", "json", "--run-log-url", url]).expect(0).json();
            // Each store raises it by itself.
            row.as_object_mut().unwrap().remove("version");
            row
        });
        assert!(rows.iter().all(|row| *row == rows[0]), "{name}: {rows:?}");
    }
    // Nothing that was decided runs again.
    let tick = sandbox.run("run-due --interval 86400 -o json --run-log-url back.db").json();
    assert_eq!((&tick["ran"], &tick["failed"]), (&serde_json::json!([]), &serde_json::json!([])), "{tick}");
    Ok(())
}
