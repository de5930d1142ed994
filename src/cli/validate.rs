//! `tickward validate`: what is wrong with the configuration, all of it.

use serde_json::json;

use super::exit::Exit;
use super::print::{self, Format};
use super::session::{ConfigArgs, RunLogArgs, Session};
use crate::config::Severity;

/// Checks the configuration and shows every mistake with its place
#[derive(clap::Args, Debug)]
pub struct Validate {
    #[command(flatten)]
    config: ConfigArgs,
    /// How to print
    #[arg(short, long, value_enum, default_value_t)]
    output: Format,
}

impl Validate {
    pub fn execute(&self) -> Exit {
        let run_log = RunLogArgs { run_log_url: None, no_run_log: false };
        let mut session = Session::load_quietly(&self.config, &run_log);
        let misnamed = session.misnamed_run_log();
        let runs_nothing = misnamed.is_some() || session.is_run_log_unknown() || session.loaded.pipelines.is_empty();
        session.loaded.problems.extend(misnamed);
        let loaded = &session.loaded;
        let exit = match (loaded.has_errors(), runs_nothing) {
            (false, _) => Exit::Done,
            (true, true) => Exit::Usage,
            (true, false) => Exit::PartlyInvalid,
        };
        if self.output == Format::Json {
            print::json(&json!({
                "pipelines": loaded.pipelines.iter().map(|p| p.id.to_string()).collect::<Vec<_>>(),
                "broken": loaded.broken,
                "problems": loaded.problems,
                "rc": exit.code(),
            }));
            return exit;
        }
        for problem in &loaded.problems {
            print::note(&print::printable(&problem.to_string()));
        }
        let count = |severity| loaded.problems.iter().filter(|problem| problem.severity == severity).count();
        let files: Vec<_> = loaded.files.iter().map(|file| file.display().to_string()).collect();
        print::out(&format!(
            "{}: {} valid, {} broken; {} errors, {} warnings\n",
            if files.is_empty() { "configuration".into() } else { files.join(", ") },
            loaded.pipelines.len(),
            loaded.broken.len(),
            count(Severity::Error),
            count(Severity::Warning),
        ));
        exit
    }
}
