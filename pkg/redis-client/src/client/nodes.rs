//! Commands that a cluster needs on every node: ping, scan, info, and reads of many keys.

use std::{
    hash::{DefaultHasher, Hash as _, Hasher as _},
    sync::Arc,
};

use fred::{
    error::{Error, ErrorKind},
    interfaces::{ClientLike, ClusterInterface, KeysInterface},
    types::{InfoKind, config::Server},
};

use super::Client;
use crate::{Bytes, Reply, Unavailable};

/// What `INFO server` says of the run id.
pub(super) fn run_id_in(info: &str) -> Option<&str> {
    let id = info.lines().find_map(|line| line.strip_prefix("run_id:"))?;
    Some(id.trim())
}

impl Client {
    /// Reads many keys. In a cluster the keys are on several nodes, which are asked at once.
    pub(super) async fn texts(&self, keys: Vec<String>) -> Reply<Vec<Option<Bytes>>> {
        if !self.is_cluster {
            return self.client.mget(keys).await;
        }
        let pipeline = self.client.pipeline();
        for key in keys {
            let () = pipeline.get(key).await?;
        }
        pipeline.all().await
    }

    /// Pings the server; in a cluster all nodes, because any of them may be needed next.
    pub(super) async fn ping_all(&self) -> Reply<()> {
        if !self.is_cluster {
            return self.client.ping(None).await;
        }
        for node in self.nodes()? {
            let () = self.client.with_cluster_node(node).ping(None).await?;
        }
        Ok(())
    }

    /// The primaries of the cluster, always in the same order.
    fn nodes(&self) -> Reply<Vec<Server>> {
        let state = self.client.cached_cluster_state();
        let mut nodes = state.map_or_else(Vec::new, |state| state.unique_primary_nodes());
        nodes.sort();
        if nodes.is_empty() {
            return Err(Error::new(ErrorKind::Cluster, "no node is known yet"));
        }
        Ok(nodes)
    }

    /// One page of a `SCAN`: the next cursor ("0" at the end), and keys. In a cluster node after node; keys that move meanwhile may be
    /// passed over.
    pub async fn scan_page(
        self: &Arc<Self>,
        cursor: &str,
        pattern: &str,
        about: u32,
    ) -> Result<(String, Vec<Bytes>), Unavailable> {
        if !self.is_cluster {
            let (cursor, pattern) = (cursor.to_owned(), pattern.to_owned());
            let page = self.client.scan_page(cursor, pattern, Some(about), None);
            return self.run("scan", page).await;
        }
        let (node, cursor) = cursor.split_once('/').unwrap_or(("0", "0"));
        let at: usize = node.parse().map_err(|_| Unavailable)?;
        let nodes = self.nodes().map_err(|_| Unavailable)?;
        let Some(node) = nodes.get(at).cloned() else {
            return Ok(("0".to_owned(), Vec::new()));
        };
        let client = self.client.with_cluster_node(node);
        let page = client.scan_page(cursor.to_owned(), pattern.to_owned(), Some(about), None);
        let (next, keys): (String, Vec<Bytes>) = self.run("scan", page).await?;
        let next = match next.as_str() {
            "0" if at + 1 == nodes.len() => next,
            "0" => format!("{}/0", at + 1),
            _ => format!("{at}/{next}"),
        };
        Ok((next, keys))
    }

    /// The run id of the server, or a hash of the run ids of a cluster: it changes when a server restarts. At most 64 characters.
    pub async fn run_id(self: &Arc<Self>) -> Option<String> {
        let infos: Vec<String> = self.run("info", self.infos()).await.ok()?;
        let mut ids = Vec::new();
        for info in &infos {
            ids.push(run_id_in(info)?);
        }
        match ids.as_slice() {
            [id] => Some((*id).to_owned()),
            ids => {
                let mut all = DefaultHasher::new();
                ids.hash(&mut all);
                Some(format!("{:016x}", all.finish()))
            }
        }
    }

    async fn infos(&self) -> Reply<Vec<String>> {
        if !self.is_cluster {
            let info = self.client.info(Some(InfoKind::Server)).await?;
            return Ok(vec![info]);
        }
        let mut infos = Vec::new();
        for node in self.nodes()? {
            let client = self.client.with_cluster_node(node);
            infos.push(client.info(Some(InfoKind::Server)).await?);
        }
        Ok(infos)
    }
}
