//! A program that brings its pipelines along: `cargo run --example library -- run-due`.

mod pipelines;

fn main() -> std::process::ExitCode {
    tickward::cli::main(pipelines::registry())
}
