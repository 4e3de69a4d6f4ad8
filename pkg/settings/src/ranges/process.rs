//! Range checks of the settings `[trace]`, `[log]`, `[auth]`, `[upload]`, `[reaper]` and `[page]`.

use super::Check;
use crate::Settings;

impl Settings {
    pub(super) fn process_checks(&self) -> Vec<Check> {
        vec![
            (
                self.trace.endpoint.is_empty()
                    || ["http://", "https://"]
                        .iter()
                        .any(|scheme| self.trace.endpoint.starts_with(scheme)),
                "trace.endpoint",
                "must be http://host:port or https://host:port, or empty",
            ),
            (
                (0.0..=1.0).contains(&self.trace.sample_ratio),
                "trace.sample_ratio",
                "must be 0 to 1",
            ),
            (
                self.log.rotate_bytes == 0 || self.log.rotate_bytes >= 65_536,
                "log.rotate_bytes",
                "must be at least 65536, or 0",
            ),
            (
                self.auth.token_ttl_s > 0,
                "auth.token_ttl_s",
                "must be above 0",
            ),
            (
                self.auth.bcrypt_cost == 0 || (4..=31).contains(&self.auth.bcrypt_cost),
                "auth.bcrypt_cost",
                "must be 4 to 31, or 0",
            ),
            (
                self.upload.max_bytes > 0,
                "upload.max_bytes",
                "must be above 0",
            ),
            (
                (5 << 20..=64 << 20).contains(&self.upload.part_bytes),
                "upload.part_bytes",
                "must be 5 MiB to 64 MiB",
            ),
            (
                (1..=10_000).contains(&self.upload.parallel),
                "upload.parallel",
                "must be 1 to 10000",
            ),
            (
                (1..=10_000).contains(&self.upload.parallel_per_user),
                "upload.parallel_per_user",
                "must be 1 to 10000",
            ),
            (
                (1..=3600).contains(&self.upload.stall_timeout_s),
                "upload.stall_timeout_s",
                "must be 1 to 3600",
            ),
            (
                self.upload.spool_slots > 0,
                "upload.spool_slots",
                "must be above 0",
            ),
            (
                (10..=604_800).contains(&self.upload.deadline_s),
                "upload.deadline_s",
                "must be 10 to 604800",
            ),
            (
                self.reaper.age_s >= 2 * self.upload.deadline_s,
                "reaper.age_s",
                "must be at least twice upload.deadline_s",
            ),
            (
                (1..=86_400).contains(&self.reaper.period_s),
                "reaper.period_s",
                "must be 1 to 86400",
            ),
            (
                self.reaper.unknown_age_s <= 31_536_000,
                "reaper.unknown_age_s",
                "must be 0 to 31536000",
            ),
            (
                (1..=30).contains(&self.page.feed),
                "page.feed",
                "must be 1 to 30",
            ),
            (
                (1..=300).contains(&self.page.list),
                "page.list",
                "must be 1 to 300",
            ),
        ]
    }
}
