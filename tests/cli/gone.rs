//! A run-log that was there and is not any more.

use std::fs;

use super::sandbox::Sandbox;

#[test]
fn a_run_log_that_is_gone_or_empty_is_no_new_one() {
    for what in ["gone", "empty"] {
        let sandbox = Sandbox::with("pipelines: { p: { schedule: '@daily', command: ENTER } }");
        let tick = || sandbox.run("run-due --interval 86400 -o json");
        tick().expect(0);
        sandbox.run("pause p").expect(0);
        let file = sandbox.state().join("run_log.db");
        let kept = fs::read(&file).unwrap();
        for beside in ["run_log.db-wal", "run_log.db-shm"] {
            assert!(!sandbox.state().join(beside).exists(), "it was closed");
        }
        fs::remove_file(&file).unwrap();
        if what == "empty" {
            fs::write(&file, "").unwrap();
        }
        let done = tick().expect(0);
        assert!(done.stderr.contains(&format!("run_log.db` is {what}, and this host knows 1")), "{done:?}");
        assert_eq!((&done.json()["tick"]["degraded"], sandbox.starts().len()), (&true.into(), 1), "{what}: {done:?}");
        assert_eq!(file.exists(), what == "empty", "nothing is put in its place");
        fs::write(&file, &kept).unwrap();
        tick().expect(0);
        let status = sandbox.run("status -o json").expect(0).json();
        assert_eq!((status[0]["state"].as_str(), sandbox.starts().len()), (Some("paused"), 1), "{what}");
    }
}
