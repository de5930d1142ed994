//! The examples run as they stand and give the results that their READMEs show.
//!
//! QuickETL's needs its virtual environment: `QUICKETL_VENV`, else `examples/quicketl/.venv`. Without one it is shown as
//! ignored; where `CI` is set, it fails instead. The fence's needs `psql` and `TICKWARD_TEST_POSTGRES_URL`, and is ignored
//! without.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

#[path = "examples/fence.rs"]
mod fence;
#[cfg(any(feature = "postgres", feature = "mysql"))]
#[path = "examples/roles.rs"]
mod roles;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use libtest_mimic::{Arguments, Failed, Trial};
use tempfile::TempDir;

fn main() {
    let venv = quicketl_venv();
    let is_missing = !venv.join("bin/python").exists();
    let in_ci = std::env::var_os("CI").is_some_and(|value| !value.is_empty());
    let quicketl = |name, test: fn(&Path)| {
        let venv = venv.clone();
        Trial::test(name, move || match is_missing {
            true => Err(Failed::from(format!("{} is missing: run examples/quicketl/setup.sh", venv.display()))),
            false => {
                test(&venv);
                Ok(())
            }
        })
        .with_ignored_flag(is_missing && !in_ci)
    };
    let on_server = |name, variable: &'static str, test: fn(&str)| {
        let url = std::env::var(variable).ok().filter(|url| !url.is_empty());
        let has_none = url.is_none();
        Trial::test(name, move || {
            test(&url.ok_or(format!("{variable} is not set: `tests/servers/run` starts a server and sets it"))?);
            Ok(())
        })
        .with_ignored_flag(has_none && !in_ci)
    };
    let trials = vec![
        on_server(
            "fence_postgres_refuses_a_late_writer",
            "TICKWARD_TEST_POSTGRES_URL",
            fence::a_late_writer_is_refused,
        ),
        #[cfg(feature = "postgres")]
        on_server("the_roles_of_the_page_on_postgres_tick", "TICKWARD_TEST_POSTGRES_URL", |url| {
            roles::those_of_the_page_make_tables_and_tick(url, "docs/run-log-postgres.md");
        }),
        #[cfg(feature = "mysql")]
        on_server("the_roles_of_the_page_on_mysql_tick", "TICKWARD_TEST_MYSQL_URL", |url| {
            roles::those_of_the_page_make_tables_and_tick(url, "docs/run-log-mysql.md");
        }),
        plain("hello_runs_what_fell_due_and_keeps_its_output", hello),
        plain("around_is_partial_by_its_results_and_tells_of_a_hook", around),
        plain("sales_of_a_day_are_summed_by_region", sales_of_a_day),
        plain("sales_with_a_bad_line_are_partial", sales_with_a_bad_line),
        plain("sales_that_are_not_there_yet_are_tried_again", sales_not_there_yet),
        plain("sales_without_an_input_are_fatal", sales_without_an_input),
        plain("the_starter_file_of_init_is_valid_and_runs", starter_file),
        quicketl("quicketl_writes_both_reports_with_the_batch_id", both_reports),
        quicketl("quicketl_with_one_report_is_partial", one_report),
    ];
    libtest_mimic::run(&Arguments::from_args(), trials).exit();
}

fn plain(name: &str, test: fn()) -> Trial {
    Trial::test(name, move || {
        test();
        Ok(())
    })
}

fn quicketl_venv() -> PathBuf {
    let named = std::env::var_os("QUICKETL_VENV").filter(|value| !value.is_empty()).map(PathBuf::from);
    let venv = named.unwrap_or_else(|| "examples/quicketl/.venv".into());
    Path::new(env!("CARGO_MANIFEST_DIR")).join(venv)
}

/// A place of its own for state and output.
struct Sandbox(TempDir);

impl Sandbox {
    fn new() -> Sandbox {
        Sandbox(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn read(&self, name: &str) -> String {
        let path = self.path(name);
        std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }

    /// The program, to be called in the repository's top folder.
    fn tickward(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tickward"));
        command.args(arguments).current_dir(env!("CARGO_MANIFEST_DIR")).env_clear();
        command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command.env("HOME", self.0.path()).env("XDG_STATE_HOME", self.path("state"));
        command
    }

    /// Runs `pipeline` of `config` for an instant, with variables, and expects an exit code.
    fn run(&self, pipeline: &str, config: &str, scheduled_for: &str, variables: &[(&str, &Path)], code: i32) -> String {
        let mut command = self.tickward(&["run", pipeline, "-c", config, "--scheduled-for", scheduled_for]);
        command.args(["-o", "json"]).envs(variables.iter().map(|(name, value)| (name, value)));
        let output = command.output().unwrap();
        assert_eq!(output.status.code(), Some(code), "{output:?}");
        text(&output.stdout)
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[track_caller]
fn succeeded(output: &Output) {
    assert_eq!(output.status.code(), Some(0), "{output:?}");
}

fn hello() {
    let sandbox = Sandbox::new();
    let tick = sandbox.tickward(&["run-due", "-c", "examples/hello.yaml"]).output().unwrap();
    succeeded(&tick);
    assert_eq!(text(&tick.stdout), "");
    let said = text(&tick.stderr);
    assert!(said.starts_with("succeeded hello@"), "{said}");
    let logs = sandbox.tickward(&["logs", "hello", "-c", "examples/hello.yaml"]).output().unwrap();
    succeeded(&logs);
    assert!(text(&logs.stdout).starts_with("hello, it is "), "{logs:?}");
}

fn around() {
    let sandbox = Sandbox::new();
    for (environment, target) in [(None, "a test of its own"), (Some("production"), "warehouse")] {
        let variables: Vec<_> = environment.iter().map(|name| ("TICKWARD_ENV", Path::new(name))).collect();
        let said = sandbox.run("around", "examples/around.yaml", "2026-03-01T03:00Z", &variables, 0);
        assert!(said.contains(r#""outcome":"partial""#), "{said}");
        let logs = sandbox.tickward(&["logs", "around", "-c", "examples/around.yaml"]).output().unwrap();
        assert!(text(&logs.stdout).starts_with(&format!("loads into {target}\n")), "{logs:?}");
    }
    let history =
        sandbox.tickward(&["history", "around", "-o", "json", "-c", "examples/around.yaml"]).output().unwrap();
    let results = r#""results":{"status":"partial","rows_written":41,"rejected":1}"#;
    let told = text(&history.stdout).replace([' ', '\n'], "");
    assert!(told.contains(results), "{told}");
    assert!(told.contains("the`after`hookfailed:exitcode1"), "{told}");
}

const SALES: &str = "examples/sales/tickward.yaml";

fn sales_of_a_day() {
    let sandbox = Sandbox::new();
    let out = sandbox.path("out");
    let said = sandbox.run("daily_sales", SALES, "2026-03-01T22:30Z", &[("SALES_OUT", &out)], 0);
    assert!(said.contains(r#""outcome":"succeeded""#), "{said}");
    let report = "region,quantity,revenue\nnorth,15,66.60\nsouth,7,57.40\nwest,20,68.00\n";
    assert_eq!(sandbox.read("out/sales-2026-03-01.csv"), report);
    let files = std::fs::read_dir(&out).unwrap().count();
    assert_eq!(files, 1, "nothing but the report is left");
}

fn sales_with_a_bad_line() {
    let sandbox = Sandbox::new();
    let out = sandbox.path("out");
    let said = sandbox.run("daily_sales", SALES, "2026-03-02T22:30Z", &[("SALES_OUT", &out)], 0);
    assert!(said.contains(r#""outcome":"partial""#) && said.contains(r#""exit_code":2"#), "{said}");
    assert_eq!(sandbox.read("out/sales-2026-03-02.csv"), "region,quantity,revenue\nsouth,15,52.50\nwest,4,32.40\n");
    assert_eq!(sandbox.read("out/sales-2026-03-02.rejects.csv"), "2026-03-02,north,coffee,eleven,8.20\n");
}

fn sales_not_there_yet() {
    let sandbox = Sandbox::new();
    let out = sandbox.path("out");
    let said = sandbox.run("daily_sales", SALES, "2026-03-04T22:30Z", &[("SALES_OUT", &out)], 1);
    assert!(said.contains(r#""exit_code":4"#) && said.contains(r#""gave_up":false"#), "{said}");
    assert!(said.contains(r#""next_attempt_at":""#), "{said}");
}

fn sales_without_an_input() {
    let sandbox = Sandbox::new();
    let variables = [("SALES_OUT", &*sandbox.path("out")), ("SALES_INPUT", Path::new("nowhere.csv"))];
    let said = sandbox.run("daily_sales", SALES, "2026-03-01T22:30Z", &variables, 1);
    assert!(said.contains(r#""exit_code":3"#) && said.contains(r#""next_attempt_at":null"#), "{said}");
}

fn starter_file() {
    let sandbox = Sandbox::new();
    let file = sandbox.path("tickward.yaml");
    let file = file.to_str().unwrap();
    for arguments in [&["init", file][..], &["validate", "-c", file], &["run", "hello", "-c", file]] {
        succeeded(&sandbox.tickward(arguments).output().unwrap());
    }
}

const REPORTS: &str = "examples/quicketl/tickward.yaml";

fn both_reports(venv: &Path) {
    let sandbox = Sandbox::new();
    let variables = [("QUICKETL_VENV", venv), ("QUICKETL_OUT", &*sandbox.path("out"))];
    let said = sandbox.run("daily_reports", REPORTS, "2026-03-01T22:45Z", &variables, 0);
    assert!(said.contains(r#""outcome":"succeeded""#), "{said}");
    let batch = "daily_reports-20260301T224500Z";
    let report = format!("region,revenue,batch\nnorth,66.60,{batch}\nsouth,57.40,{batch}\nwest,68.00,{batch}\n");
    assert_eq!(sandbox.read("out/revenue-2026-03-01.csv"), report);
    assert!(sandbox.path("out/lines-2026-03-01.csv").exists());
}

fn one_report(venv: &Path) {
    let sandbox = Sandbox::new();
    let variables = [("QUICKETL_VENV", venv), ("QUICKETL_OUT", &*sandbox.path("out"))];
    let said = sandbox.run("daily_reports", REPORTS, "2026-03-02T22:45Z", &variables, 0);
    assert!(said.contains(r#""outcome":"partial""#), "{said}");
    assert!(sandbox.path("out/lines-2026-03-02.csv").exists());
    assert!(!sandbox.path("out/revenue-2026-03-02.csv").exists());
}
