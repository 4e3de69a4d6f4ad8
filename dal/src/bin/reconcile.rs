//! Compares every count with its rows and prints the differences; `--fix` repairs them. Also prints orphans: rows that refer to nobody.

use std::process::ExitCode;

use dal::{
    Db,
    orphans::{self, Found, MAX_NAMED, Orphans},
    reconcile,
};

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
    let (counts, orphans) = match run(fix).await {
        Ok(found) => found,
        Err(error) => {
            eprintln!("reconcile: {error}");
            return ExitCode::FAILURE;
        }
    };
    match counts {
        0 => println!("counts: all equal to their rows"),
        count if fix => println!("counts: {count} mended, in Redis after the next fold"),
        count => println!("counts: {count} differ; --fix mends them"),
    }
    match orphans {
        0 => println!("rows: all refer to what is there"),
        orphans => println!(
            "rows: {orphans} refer to ids that nobody has, as after a restore of an older dump; they are shown nowhere, and left. \
             At most {MAX_NAMED} ids of each column are named"
        ),
    }
    match (counts == 0 || fix) && orphans == 0 {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    }
}

/// How many counts were wrong, and how many rows refer to nobody.
async fn run(fix: bool) -> Result<(usize, i64), Box<dyn std::error::Error>> {
    let settings = settings::Settings::load()?;
    let db = Db::connect(&settings.mysql)?;
    let mut found = 0;
    let print = |difference| {
        let reconcile::Difference {
            counter,
            shown,
            rows,
        } = difference;
        found += 1;
        println!("{counter:?}: {shown} shown, {rows} rows");
    };
    reconcile::visit(&db, fix, print).await?;
    let Found {
        named,
        rows: orphans,
    } = orphans::find(&db).await?;
    for Orphans {
        table,
        column,
        refers_to,
        id,
        rows,
    } in named
    {
        println!("{table}.{column}: {rows} rows refer to {id}, which isn't in {refers_to}");
    }
    Ok((found, orphans))
}
