//! Compares every count with its rows and prints the differences; `--fix` mends them.

use std::process::ExitCode;

use dal::{Db, reconcile};

#[tokio::main]
async fn main() -> ExitCode {
    let fix = match std::env::args().nth(1).as_deref() {
        None => false,
        Some("--fix") => true,
        Some(other) => {
            eprintln!("reconcile: {other} is not --fix");
            return ExitCode::FAILURE;
        }
    };
    match run(fix).await {
        Ok(0) => println!("counts: all equal to their rows"),
        Ok(count) if fix => println!("counts: {count} mended, in Redis after the next fold"),
        Ok(count) => {
            println!("counts: {count} differ; --fix mends them");
            return ExitCode::FAILURE;
        }
        Err(error) => {
            eprintln!("reconcile: {error}");
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}

async fn run(fix: bool) -> Result<usize, Box<dyn std::error::Error>> {
    let settings = settings::Settings::load()?;
    let db = Db::connect(&settings.mysql)?;
    let found = match fix {
        true => reconcile::fix(&db).await?,
        false => reconcile::differences(&db).await?,
    };
    for reconcile::Difference {
        counter,
        shown,
        rows,
    } in &found
    {
        println!("{counter:?}: {shown} shown, {rows} rows");
    }
    Ok(found.len())
}
