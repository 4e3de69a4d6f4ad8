//! Brings the schema up to date. Safe to run again, and by several at once.

use std::process::ExitCode;

use dal::Migrated;

#[tokio::main]
async fn main() -> ExitCode {
    match migrate().await {
        Ok(Migrated { applied, .. }) if !applied.is_empty() => {
            println!("schema: applied {}", applied.join(", "));
        }
        Ok(Migrated { newer, .. }) if !newer.is_empty() => println!(
            "schema: up to date, by a newer release, which added {}",
            newer.join(", ")
        ),
        Ok(_) => println!("schema: up to date"),
        Err(error) => {
            eprintln!("migrate: {error}");
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}

async fn migrate() -> Result<Migrated, Box<dyn std::error::Error>> {
    let settings = settings::Settings::load()?;
    Ok(dal::migrate(&settings.mysql).await?)
}
