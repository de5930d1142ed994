//! `tickward init`: a starter file, and the line to put into a crontab.

use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Component, Path, PathBuf};

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
        let absolute = as_typed(&self.file);
        let config = shell_word(&absolute.display().to_string());
        let program = called_as().or_else(|| std::env::current_exe().ok()).unwrap_or_else(|| "tickward".into());
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

/// A path made absolute without following links: where one leads is for its owner to change.
fn as_typed(path: &Path) -> PathBuf {
    if path.is_absolute() {
        return path.to_owned();
    }
    // The shell knows by which links it came here; the system does not.
    let here = std::env::var_os("PWD").map(PathBuf::from).filter(|here| here.is_absolute());
    let here = here
        .filter(|here| is_same(here, Path::new(".")) && !here.components().any(|part| part == Component::ParentDir));
    let joined = here.map_or_else(|| path.to_owned(), |here| here.join(path));
    std::path::absolute(&joined).unwrap_or(joined)
}

/// The path by which this program was called, typed or found in `PATH`; none where it does not lead here.
fn called_as() -> Option<PathBuf> {
    let word = PathBuf::from(std::env::args_os().next()?);
    let is_path = word.as_os_str().as_bytes().contains(&b'/');
    let found = match std::env::var_os("PATH") {
        _ if is_path => as_typed(&word),
        paths => {
            std::env::split_paths(&paths?).map(|folder| as_typed(&folder.join(&word))).find(|path| path.is_file())?
        }
    };
    is_same(&found, &std::env::current_exe().ok()?).then_some(found)
}

/// Whether two paths lead to one file.
fn is_same(one: &Path, other: &Path) -> bool {
    let [one, other] = [one, other].map(|path| path.metadata().ok().map(|data| (data.dev(), data.ino())));
    one.is_some() && one == other
}

/// A path as one word of a shell line.
fn shell_word(path: &str) -> String {
    let plain = path.chars().all(|c| c.is_ascii_alphanumeric() || "/._-+@".contains(c));
    if plain { path.into() } else { format!("'{}'", path.replace('\'', r"'\''")) }
}
