//! `tickward schema` and `tickward completions`: what editors and shells want to know.

use clap::CommandFactory;

use super::exit::Exit;
use super::print;

/// Prints the JSON Schema of configuration files, for editors
#[derive(clap::Args, Debug)]
pub struct Schema {}

impl Schema {
    pub fn execute(&self) -> Exit {
        print::out(&format!("{:#}\n", crate::config::schema()));
        Exit::Done
    }
}

/// Prints a completion script for a shell
#[derive(clap::Args, Debug)]
pub struct Completions {
    /// Which shell
    #[arg(value_enum)]
    shell: clap_complete::Shell,
}

impl Completions {
    pub fn execute(&self) -> Exit {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut super::Arguments::command(), "tickward", &mut script);
        print::out(&String::from_utf8_lossy(&script));
        Exit::Done
    }
}
