//! Ways to servers that the kernel can cut: packets of a cut way vanish in both directions, and neither end is told, as when a network is
//! partitioned. A [`crate::TcpProxy`] closes connections instead.
//!
//! Each way is an address of loopback (127.a.b.n) that nftables leads to a server's own. A process that is given the address as a setting is
//! cut off from that server alone, and nobody else is.
//!
//! The rules are in a table that belongs to a process of `nft`, our child, which ends when its standard input is closed. So the kernel
//! removes them as soon as either process is gone, however it went (`flags owner` in nft(8)). Needs root and `nft`.

use std::{
    io::Write as _,
    process::{Child, Command, Stdio},
    time::Duration,
};

use crate::{eventually, names};

/// How long it may take until the kernel has a rule.
const RULE_LIMIT: Duration = Duration::from_secs(10);

/// Ways, all open at first. Gone when the value goes, with every connection on them.
#[derive(Debug)]
pub struct Ways {
    nft: Child,
    table: String,
    /// 127.a.b, at random: other runs have ways, too.
    network: String,
    /// Their addresses.
    all: Vec<String>,
}

impl Ways {
    /// Why there can be none on this machine; `None`: there can.
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

    /// None yet. Panics where there can be none.
    pub async fn new() -> Self {
        let table = format!("dousheng_{}", names::unique('_'));
        let nft = Command::new("nft")
            .arg("-i")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::inherit())
            .spawn();
        let (a, b): (u8, u8) = (rand::random_range(64..=255), rand::random());
        let ways = Self {
            nft: nft.expect("start nft"),
            table,
            network: format!("127.{a}.{b}"),
            all: Vec::new(),
        };
        let table = ways.table.clone();
        ways.say(&format!("add table ip {table} {{ flags owner; }}"));
        ways.say(&format!(
            "add chain ip {table} ways {{ type nat hook output priority -100; }}"
        ));
        // On loopback all packets come in, those of clients and those of servers.
        ways.say(&format!(
            "add chain ip {table} cuts {{ type filter hook input priority 0; }}"
        ));
        ways.eventually_has("chain cuts").await;
        ways
    }

    /// A new way to the server at `target` (127.0.0.1:3306): its address, with the same port.
    pub async fn to(&mut self, target: &str) -> String {
        let (host, port) = target.rsplit_once(':').expect("host:port");
        let number = self.all.len() + 1;
        assert!(number < 255, "a way for each number");
        let address = format!("{}.{number}", self.network);
        let table = &self.table;
        self.say(&format!(
            "add rule ip {table} ways ip daddr {address} tcp dport {port} dnat to {host}:{port}"
        ));
        self.eventually_has(&format!("ip daddr {address} tcp dport {port} dnat"))
            .await;
        let way = format!("{address}:{port}");
        self.all.push(way.clone());
        way
    }

    /// From now on nothing gets through on any of them, to or fro; connections stay open as far as their ends know.
    pub async fn cut(&self) {
        for way in &self.all {
            let (address, _) = way.rsplit_once(':').expect("host:port");
            // What the client asked for, before the way led it on: it finds the packets of both directions.
            let rule = format!("ct original ip daddr {address} drop");
            self.say(&format!("add rule ip {} cuts {rule}", self.table));
            self.eventually_has(&rule).await;
        }
    }

    /// Everything gets through again.
    pub async fn mend(&self) {
        self.say(&format!("flush chain ip {} cuts", self.table));
        eventually(RULE_LIMIT, "the end of a cut", async || {
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

    fn say(&self, command: &str) {
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

impl Drop for Ways {
    fn drop(&mut self) {
        let _ = self.nft.kill();
        let _ = self.nft.wait();
    }
}
