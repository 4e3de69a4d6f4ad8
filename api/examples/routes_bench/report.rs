//! Prints the benchmark's result tables: speed of the routes, costs of a request, and memory of the processes.

use crate::{cost::PARTS, load::Run, side::Side, statics::Statics};

/// Memory that a process may have at rest and under load, in MiB.
const MAX_AT_REST: f64 = 64.0;
const MAX_UNDER_LOAD: f64 = 128.0;
/// Whose costs are told, if they were asked for.
const CLIENTS_OF_COSTS: usize = 64;

/// One route with so many clients, on each side.
pub struct Row {
    pub route: &'static str,
    pub clients: usize,
    pub sides: Vec<Summary>,
}

impl Row {
    pub fn wrong(&self) -> usize {
        self.sides.iter().map(|side| side.wrong).sum()
    }
}

/// Of the runs of one side: the median of each figure.
pub struct Summary {
    rate: f64,
    p50_ms: f64,
    p99_ms: f64,
    /// Of one body.
    bytes: f64,
    wrong: usize,
    /// Milliseconds of a core that one request costs, by [`PARTS`].
    cost_ms: Vec<f64>,
}

impl Summary {
    pub fn of(runs: Vec<Run>) -> Self {
        let answers: usize = runs.iter().map(|run| run.answers).sum();
        let per_answer = |all: f64| all / (answers.max(1) as f64);
        let bytes: usize = runs.iter().map(|run| run.bytes).sum();
        let cost = |part: usize| runs.iter().map(|run| run.cpu_s[part]).sum::<f64>();
        Self {
            rate: median(&runs, |run| run.rate),
            p50_ms: median(&runs, |run| run.percentile_ms(50)),
            p99_ms: median(&runs, |run| run.percentile_ms(99)),
            bytes: per_answer(bytes as f64),
            wrong: runs.iter().map(|run| run.wrong).sum(),
            cost_ms: (0..PARTS.len())
                .map(|part| per_answer(1000.0 * cost(part)))
                .collect(),
        }
    }
}

fn median(runs: &[Run], figure: impl Fn(&Run) -> f64) -> f64 {
    let mut figures: Vec<_> = runs.iter().map(figure).collect();
    figures.sort_by(f64::total_cmp);
    let middle = figures.len() / 2;
    match figures.len() % 2 {
        0 => figures[middle - 1].midpoint(figures[middle]),
        _ => figures[middle],
    }
}

/// Of the table of routes; `other` is compared with.
pub fn heading(other: Option<&str>) {
    match other {
        Some(other) => {
            println!(
                "\n| route | clients | {other} /s | now /s | ratio | {other} p50 ms | p50 | ratio | {other} p99 ms | p99 | bytes | wrong | of static |"
            );
            println!("|---|---|---|---|---|---|---|---|---|---|---|---|---|");
        }
        None => {
            println!("\n| route | clients | /s | p50 ms | p99 ms | bytes | wrong | of static |");
            println!("|---|---|---|---|---|---|---|---|");
        }
    }
}

pub fn line(row: &Row, statics: &Statics) {
    let (now, wrong) = (&row.sides[0], row.wrong());
    let of_static = 100.0 * now.rate / statics.rate(row.clients, now.bytes);
    let Row { route, clients, .. } = row;
    match row.sides.get(1) {
        Some(other) => println!(
            "| {route} | {clients} | {} | {} | {:.1} × | {:.2} | {:.2} | {:.2} × | {:.1} | {:.1} | {:.0} | {wrong} | {of_static:.0} % |",
            thousands(other.rate),
            thousands(now.rate),
            now.rate / other.rate,
            other.p50_ms,
            now.p50_ms,
            other.p50_ms / now.p50_ms,
            other.p99_ms,
            now.p99_ms,
            now.bytes,
        ),
        None => println!(
            "| {route} | {clients} | {} | {:.2} | {:.1} | {:.0} | {wrong} | {of_static:.0} % |",
            thousands(now.rate),
            now.p50_ms,
            now.p99_ms,
            now.bytes,
        ),
    }
}

/// What a request costs each part, at one number of clients.
pub fn costs(rows: &[Row], sides: &[Side]) {
    let has = |clients: usize| rows.iter().any(|row| row.clients == clients);
    let clients = match rows.last() {
        Some(_) if has(CLIENTS_OF_COSTS) => CLIENTS_OF_COSTS,
        Some(last) => last.clients,
        None => return,
    };
    println!(
        "\n| ms of a core, {clients} clients | side | {} | all but generator |",
        PARTS.join(" | ")
    );
    println!("|---|---|{}", "---|".repeat(PARTS.len() + 1));
    for row in rows.iter().filter(|row| row.clients == clients) {
        for (side, summary) in sides.iter().zip(&row.sides) {
            let parts: Vec<_> = summary
                .cost_ms
                .iter()
                .map(|ms| format!("{ms:.3}"))
                .collect();
            let all: f64 = summary.cost_ms[..PARTS.len() - 1].iter().sum();
            println!(
                "| {} | {} | {} | {all:.3} |",
                row.route,
                side.name,
                parts.join(" | ")
            );
        }
    }
}

/// Resident memory of each process; what exceeds the bound is bold.
pub fn memory(sides: &[Side], at_rest: &[Vec<(&'static str, f64, f64)>]) {
    println!("\n| resident memory, MiB | side | at rest | highest |\n|---|---|---|---|");
    let bounded = |mib: f64, bound: f64| match mib <= bound {
        true => format!("{mib:.0}"),
        false => format!("**{mib:.0}**"),
    };
    for (side, before) in sides.iter().zip(at_rest) {
        for ((process, rest, _), (_, _, highest)) in before.iter().zip(side.memory()) {
            println!(
                "| {process} | {} | {} | {} |",
                side.name,
                bounded(*rest, MAX_AT_REST),
                bounded(highest, MAX_UNDER_LOAD)
            );
        }
    }
}

/// A rate, with a comma before the thousands.
fn thousands(rate: f64) -> String {
    let whole = format!("{rate:.0}");
    match whole.len() {
        4.. => {
            let (front, back) = whole.split_at(whole.len() - 3);
            format!("{front},{back}")
        }
        _ => whole,
    }
}
