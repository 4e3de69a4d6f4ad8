//! What processes show at their admin ports, in Prometheus' text format.

use crate::{Client, Process, System};

/// The samples of some processes, at one moment.
#[derive(Debug, Default)]
pub struct Metrics(Vec<String>);

impl Metrics {
    /// Of one process.
    pub async fn of(process: &Process) -> Self {
        let admin = format!("http://{}", process.admin_address().await);
        let text = Client::new(&admin).get("/metrics", &[]).await.text;
        Self(text.lines().map(str::to_owned).collect())
    }

    /// Of all processes of these services.
    pub async fn of_services(system: &System, services: &[&str]) -> Self {
        let mut all = Self::default();
        for process in services.iter().flat_map(|name| system.instances(name)) {
            all.0.extend(Self::of(process).await.0);
        }
        all
    }

    /// The sum of a counter's samples that have all of these labels (`("verb", "read")`).
    pub fn sum(&self, family: &str, labels: &[(&str, &str)]) -> f64 {
        let has = |line: &str, (name, value): &(&str, &str)| {
            let label = format!("{name}=\"{value}\"");
            let parts = line.split(['{', ',', '}']);
            parts.into_iter().any(|part| part == label)
        };
        let samples = self.0.iter().filter(|line| {
            let rest = line.strip_prefix(family);
            rest.is_some_and(|rest| rest.starts_with(['{', ' ']))
                && labels.iter().all(|label| has(line, label))
        });
        let values = samples.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok());
        values.sum()
    }
}
