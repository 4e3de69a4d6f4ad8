//! Network partitions. nftables forwards a loopback address (127.a.b.n) to a server. `cut` drops all packets of that address in both
//! directions, and neither side gets an error. A [`crate::TcpProxy`] closes connections instead.
//!
//! Only a process whose settings contain the address is cut off, and only from that server.
//!
//! The rules are in a table that a child process (`nft`) owns. The kernel removes the table when that process or this one ends, however
//! it ends (`flags owner` in nft(8)). Needs root and `nft`.

use std::{
    io::Write as _,
    process::{Child, Command, Stdio},
    time::Duration,
};

use crate::{eventually, names};

/// How long it may take until the kernel has a rule.
const RULE_LIMIT: Duration = Duration::from_secs(10);

/// A partition between the processes that use its addresses and the servers behind them. Everything gets through at first. The addresses
/// end when the value goes, with every connection to them.
#[derive(Debug)]
pub struct NetworkPartition {
    nft: Child,
    table: String,
    /// 127.a.b, at random: other runs have partitions, too.
    network: String,
    /// The addresses with their ports.
    addresses: Vec<String>,
}

impl NetworkPartition {
    /// Why this machine can have no partition; `None`: it can.
    pub fn unavailable() -> Option<&'static str> {
        let run = |program: &str, arguments: &[&str]| {
            let output = Command::new(program).args(arguments).output();
            output.ok().filter(|output| output.status.success())
        };
        let user = run("id", &["-u"]).map(|output| output.stdout);
        if user.as_deref() != Some(b"0\n") {
            return Some("needs root");
        }
        if run("nft", &["--version"]).is_none() {
            return Some("needs nft (package nftables)");
        }
        match run("nft", &["list", "tables"]) {
            Some(_) => None,
            None => Some("needs a kernel with nftables"),
        }
    }

    /// Without an address yet. Panics where no partition is possible.
    pub async fn new() -> Self {
        let table = format!("dousheng_{}", names::unique('_'));
        let nft = Command::new("nft")
            .arg("-i")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::inherit())
            .spawn();
        let (a, b): (u8, u8) = (rand::random_range(64..=255), rand::random());
        let partition = Self {
            nft: nft.expect("start nft"),
            table,
            network: format!("127.{a}.{b}"),
            addresses: Vec::new(),
        };
        let table = partition.table.clone();
        partition.send_command(&format!("add table ip {table} {{ flags owner; }}"));
        partition.send_command(&format!(
            "add chain ip {table} routes {{ type nat hook output priority -100; }}"
        ));
        // On loopback all packets come in, those of clients and those of servers.
        partition.send_command(&format!(
            "add chain ip {table} cuts {{ type filter hook input priority 0; }}"
        ));
        partition.eventually_has("chain cuts").await;
        partition
    }

    /// A new address that leads to the server at `target` (127.0.0.1:3306), with the same port.
    pub async fn add_route(&mut self, target: &str) -> String {
        let (host, port) = target.rsplit_once(':').expect("host:port");
        let number = self.addresses.len() + 1;
        assert!(number < 255, "an address for each number");
        let address = format!("{}.{number}", self.network);
        let table = &self.table;
        self.send_command(&format!(
            "add rule ip {table} routes ip daddr {address} tcp dport {port} dnat to {host}:{port}"
        ));
        self.eventually_has(&format!("ip daddr {address} tcp dport {port} dnat"))
            .await;
        let route = format!("{address}:{port}");
        self.addresses.push(route.clone());
        route
    }

    /// From now on nothing gets through to any of the addresses, nor back. Both ends still take their connections for open.
    pub async fn cut(&self) {
        for address in &self.addresses {
            let (address, _) = address.rsplit_once(':').expect("host:port");
            // The address that the client asked for, before it was forwarded: that finds the packets of both directions.
            let rule = format!("ct original ip daddr {address} drop");
            self.send_command(&format!("add rule ip {} cuts {rule}", self.table));
            self.eventually_has(&rule).await;
        }
    }

    /// Everything gets through again.
    pub async fn heal(&self) {
        self.send_command(&format!("flush chain ip {} cuts", self.table));
        eventually(RULE_LIMIT, "the end of a partition", async || {
            (!self.rules().contains("drop")).then_some(())
        })
        .await;
    }

    /// The process that the rules belong to.
    pub fn owner(&self) -> u32 {
        self.nft.id()
    }

    /// The rules, as the kernel has them; empty when it has none.
    pub fn rules(&self) -> String {
        let list = ["list", "table", "ip", &self.table];
        let output = Command::new("nft").args(list).output().expect("run nft");
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    fn send_command(&self, command: &str) {
        let mut input = self.nft.stdin.as_ref().expect("nft's input");
        writeln!(input, "{command}").expect("nft takes commands");
    }

    async fn eventually_has(&self, rule: &str) {
        eventually(RULE_LIMIT, &format!("nft: {rule}"), async || {
            self.rules().contains(rule).then_some(())
        })
        .await;
    }
}

impl Drop for NetworkPartition {
    fn drop(&mut self) {
        let _ = self.nft.kill();
        let _ = self.nft.wait();
    }
}
