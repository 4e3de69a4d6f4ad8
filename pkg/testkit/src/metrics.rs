//! Reads the metrics of processes from their admin ports.

use crate::{Client, Process, System};

/// The samples of some processes, at one moment.
#[derive(Debug, Default)]
pub struct Metrics(Vec<String>);

impl Metrics {
    /// Of one process.
    pub async fn of(process: &Process) -> Self {
        let admin = format!("http://{}", process.admin_address().await);
        Self::parse(&Client::new(&admin).get("/metrics", &[]).await.text)
    }

    fn parse(text: &str) -> Self {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_samples_with_all_labels_of_the_family_itself_are_added_up() {
        let metrics = Metrics::parse(
            "# TYPE asked_total counter\n\
             asked_total{verb=\"read\",server=\"primary\"} 2\n\
             asked_total{verb=\"read\",server=\"replica-1\"} 40\n\
             asked_total{verb=\"write\",server=\"primary\"} 100\n\
             asked_total_more{verb=\"read\",server=\"primary\"} 1000\n\
             up 1\n",
        );
        let read = ("verb", "read");
        assert_eq!(metrics.sum("asked_total", &[read]), 42.0);
        assert_eq!(
            metrics.sum("asked_total", &[read, ("server", "primary")]),
            2.0
        );
        assert_eq!(metrics.sum("asked_total", &[]), 142.0);
        assert_eq!(metrics.sum("asked_total", &[("verb", "rea")]), 0.0);
        assert_eq!(metrics.sum("up", &[]), 1.0);
    }
}
