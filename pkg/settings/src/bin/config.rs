//! Prints the settings that a process started here would run with: secrets masked, behind each value who decided it.

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
