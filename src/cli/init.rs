//! `tickward init`: a starter file, and the line to put into a crontab.

use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;

use super::exit::Exit;
use super::print;

const STARTER: &str = "\
# Pipelines of this host. `tickward validate` checks this file, `tickward next hello` shows when `hello` is due.
pipelines:
  hello:
    schedule: \"@hourly\"
    command: echo \"hello, it is $(date)\"
";

/// Writes a starter file and shows the crontab line to add
#[derive(clap::Args, Debug)]
pub struct Init {
    /// The file to write
    #[arg(default_value = "tickward.yaml")]
    file: PathBuf,
}

impl Init {
    pub fn execute(&self) -> Exit {
        let file = self.file.display();
        let folder = self.file.parent().filter(|folder| !folder.as_os_str().is_empty());
        if let Some(Err(error)) = folder.map(fs::create_dir_all) {
            print::error(&format!("`{file}` cannot be written: {error}"), "");
            return Exit::Usage;
        }
        let created = OpenOptions::new().write(true).create_new(true).mode(0o644).open(&self.file);
        match created.and_then(|mut file| file.write_all(STARTER.as_bytes())) {
            Ok(()) => {}
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                print::error(
                    &format!("`{file}` exists already; it is left as it is"),
                    "name another file: tickward init FILE",
                );
                return Exit::Usage;
            }
            Err(error) => {
                print::error(&format!("`{file}` cannot be written: {error}"), "");
                return Exit::Usage;
            }
        }
        let absolute = self.file.canonicalize().unwrap_or_else(|_| self.file.clone());
        let config = shell_word(&absolute.display().to_string());
        let program = std::env::current_exe().unwrap_or_else(|_| "tickward".into());
        let program = shell_word(&program.display().to_string());
        // In a crontab `%` ends the command, even between quotes.
        let line = format!("{program} run-due -c {config}").replace('%', r"\%");
        print::out(&format!(
            "Wrote {}.\n\n\
             Try it now:\n    {program} run hello -c {config}\n\n\
             Then let cron call it every minute: add this line with `crontab -e`\n    \
             * * * * * {line}\n",
            absolute.display(),
        ));
        Exit::Done
    }
}

/// A path as one word of a shell line.
fn shell_word(path: &str) -> String {
    let plain = path.chars().all(|c| c.is_ascii_alphanumeric() || "/._-+@".contains(c));
    if plain { path.into() } else { format!("'{}'", path.replace('\'', r"'\''")) }
}
