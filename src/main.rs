//! The `tickward` program.

fn main() -> std::process::ExitCode {
    tickward::cli::main(tickward::Registry::new())
}
