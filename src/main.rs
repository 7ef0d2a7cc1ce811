//! The `sextant` command: parses the command line and hands over.

use std::process::ExitCode;

fn main() -> ExitCode {
    sextant::cli::main(std::env::args_os())
}
