//! Prints the effective settings: secrets masked, with the source of each value.

use std::process::ExitCode;

fn main() -> ExitCode {
    match settings::Settings::explain() {
        Ok(settings) => {
            print!("{settings}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}
