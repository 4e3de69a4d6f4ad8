//! Brings the schema up to date. Safe to run again, and by several at once.

use std::process::ExitCode;

#[tokio::main]
async fn main() -> ExitCode {
    match migrate().await {
        Ok(steps) if steps.is_empty() => println!("schema: up to date"),
        Ok(steps) => println!("schema: applied {}", steps.join(", ")),
        Err(error) => {
            eprintln!("migrate: {error}");
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}

async fn migrate() -> Result<Vec<String>, Box<dyn std::error::Error>> {
    let settings = settings::Settings::load()?;
    Ok(dal::migrate(&settings.mysql).await?)
}
