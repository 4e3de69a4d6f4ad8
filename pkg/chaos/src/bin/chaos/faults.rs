//! The table of faults. To add one, add a line to [`FAULTS`]; a new kind of fault needs a variant of [`FaultKind`], with code that breaks
//! and code that repairs.

use std::time::Duration;

use testkit::{Builder, NetworkPartition, Refusal};

use crate::{
    partitions::{PartitionKind, PreparedPartition},
    servers::{self, Server},
    testbed::Testbed,
};

/// Something that breaks for a while.
#[derive(Debug, Clone, Copy)]
pub struct Fault {
    pub name: &'static str,
    pub kind: FaultKind,
    pub may_fail: MayFail,
    /// How long it is broken.
    pub lasts: Duration,
}

/// A server that is killed is noticed at once, and what waits for it has waited long enough.
const SHORT: Duration = Duration::from_secs(6);
/// A partition outlasts leases, timeouts of connections and what TCP sends again.
const LONG: Duration = Duration::from_secs(60);

/// When requests may fail. Whatever else fails is a fault of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MayFail {
    /// At the moment it breaks.
    AtFirst,
    /// As long as it is broken, and a moment longer.
    WhileBroken,
    /// Writes, as long as it is broken, and a moment longer; reads only at the moment it breaks.
    WritesWhileBroken,
    /// Publishes, as long as it is broken, and a moment longer; all else only at the moment it breaks.
    PublishesWhileBroken,
}

/// What breaks, and how.
#[derive(Debug, Clone, Copy)]
pub enum FaultKind {
    Nothing,
    Kill(Server),
    /// And never comes back: a replica takes its place, and gets one in turn.
    LosePrimary,
    StopApplying,
    FlushRedis,
    /// Only of one that is no cluster, whose nodes name each other's real addresses.
    DelayRedis(Duration),
    /// It goes on answering reads.
    RefuseRedisWrites(Refusal),
    /// For all processes of a service alone. Of no cluster, as above.
    CutFromRedis(&'static str),
    /// One process of a service, by its number.
    KillOne(&'static str, usize),
    /// The primary's address leads to a replica that takes its place; the old primary lives on, read-only.
    SwitchOver,
    /// A partition.
    Partition(PartitionKind),
    /// More reads at once than the pools of the services take, one workload after the other.
    Burst,
}

use FaultKind::{
    Burst, CutFromRedis, DelayRedis, FlushRedis, Kill, KillOne, LosePrimary, Nothing, Partition,
    RefuseRedisWrites, StopApplying, SwitchOver,
};
use MayFail::{AtFirst, PublishesWhileBroken, WhileBroken, WritesWhileBroken};

const fn fault(name: &'static str, kind: FaultKind, may_fail: MayFail) -> Fault {
    Fault {
        name,
        kind,
        may_fail,
        lasts: SHORT,
    }
}

const fn partition(name: &'static str, kind: PartitionKind, may_fail: MayFail) -> Fault {
    Fault {
        name,
        kind: Partition(kind),
        may_fail,
        lasts: LONG,
    }
}

pub const FAULTS: &[Fault] = &[
    fault("none", Nothing, AtFirst),
    fault("replica killed", Kill(Server::Replica), AtFirst),
    fault("replica stops applying", StopApplying, AtFirst),
    fault("primary killed", Kill(Server::Primary), WritesWhileBroken),
    fault(
        "primary lost, a replica promoted",
        LosePrimary,
        WritesWhileBroken,
    ),
    fault(
        "switchover, the old primary alive",
        SwitchOver,
        WritesWhileBroken,
    ),
    fault("pools full of a burst of reads", Burst, WhileBroken),
    fault("Redis killed", Kill(Server::Redis), AtFirst),
    fault("Redis emptied", FlushRedis, AtFirst),
    fault(
        "Redis 200 ms late",
        DelayRedis(Duration::from_millis(200)),
        AtFirst,
    ),
    fault(
        "Redis read-only",
        RefuseRedisWrites(Refusal::ReadOnly),
        AtFirst,
    ),
    fault(
        "Redis without its replicas",
        RefuseRedisWrites(Refusal::NoReplicas),
        AtFirst,
    ),
    fault(
        "Redis can't save",
        RefuseRedisWrites(Refusal::Unsaved),
        AtFirst,
    ),
    fault(
        "favorite cut off from Redis",
        CutFromRedis("favorite"),
        AtFirst,
    ),
    fault(
        "comment cut off from Redis",
        CutFromRedis("comment"),
        AtFirst,
    ),
    fault(
        "relation cut off from Redis",
        CutFromRedis("relation"),
        AtFirst,
    ),
    fault(
        "message cut off from Redis",
        CutFromRedis("message"),
        AtFirst,
    ),
    fault("etcd's leader killed", Kill(Server::EtcdLeader), AtFirst),
    fault("object store killed", Kill(Server::Store), AtFirst),
    fault("one user killed", KillOne("user", 0), AtFirst),
    fault("one video killed", KillOne("video", 0), AtFirst),
    fault("one favorite killed", KillOne("favorite", 0), AtFirst),
    fault("one comment killed", KillOne("comment", 0), AtFirst),
    fault("one relation killed", KillOne("relation", 0), AtFirst),
    fault("one message killed", KillOne("message", 0), AtFirst),
    fault("API killed", KillOne("api", 0), WhileBroken),
    partition(
        "API partitioned from etcd",
        PartitionKind::ApiFromEtcd,
        AtFirst,
    ),
    partition(
        "favorite partitioned from Redis",
        PartitionKind::FromRedis("favorite"),
        AtFirst,
    ),
    partition(
        "replica partitioned from the primary",
        PartitionKind::ReplicaFromPrimary,
        AtFirst,
    ),
    partition(
        "video partitioned from the object store",
        PartitionKind::VideoFromStore,
        PublishesWhileBroken,
    ),
];

impl FaultKind {
    /// Whether it can break in what these servers are.
    pub fn is_possible(self) -> bool {
        // A node of a cluster can't be made a replica like that.
        let of_one_node = matches!(
            self,
            DelayRedis(_)
                | CutFromRedis(_)
                | RefuseRedisWrites(Refusal::ReadOnly)
                | Partition(PartitionKind::FromRedis(_))
        );
        !of_one_node || servers::redis_nodes().len() == 1
    }

    /// Why this machine can't break it; `None`: it can.
    pub fn unavailable(self) -> Option<&'static str> {
        match self {
            Partition(_) => NetworkPartition::unavailable(),
            _ => None,
        }
    }

    /// What must be there before the system starts.
    pub async fn prepare(self) -> Option<PreparedPartition> {
        match self {
            Partition(kind) => Some(kind.prepare().await),
            _ => None,
        }
    }

    /// Settings under which it breaks something.
    pub fn settings(self, builder: Builder) -> Builder {
        match self {
            Burst => builder
                .set("mysql.max_connections", 2)
                .set("mysql.max_fallback_connections", 1),
            _ => builder,
        }
    }

    /// Breaks it.
    pub async fn begin(self, bed: &mut Testbed) {
        match self {
            Nothing => {}
            Kill(server) => server.kill().await,
            LosePrimary => servers::lose_primary().await,
            StopApplying => servers::stop_applying().await,
            FlushRedis => servers::flush_redis().await,
            DelayRedis(delay) => bed.delay_redis(delay),
            RefuseRedisWrites(why) => servers::refuse_redis_writes(why).await,
            CutFromRedis(service) => bed.cut_from_redis(service),
            KillOne(service, instance) => bed.system.instances(service)[instance].kill9(),
            SwitchOver => {
                servers::switch(Server::Primary, Server::Replica).await;
                bed.set_primary(Server::Replica);
            }
            Partition(_) => bed.partition().await,
            Burst => bed.begin_burst(),
        }
    }

    /// Connects the replica directly to the primary again, before the partition's address is removed. Under semi-synchronous replication, a
    /// primary may hang when its replica vanishes.
    pub async fn leave(self) {
        if let Partition(PartitionKind::ReplicaFromPrimary) = self {
            servers::follow_over(Server::Replica, &servers::address(Server::Primary)).await;
        }
    }

    /// Repairs it.
    pub async fn end(self, bed: &mut Testbed) {
        match self {
            Nothing | FlushRedis => {}
            Kill(_) | StopApplying => servers::back().await,
            LosePrimary => {
                servers::promote().await;
                servers::back().await;
            }
            DelayRedis(_) => bed.delay_redis(Duration::ZERO),
            RefuseRedisWrites(_) => servers::accept_redis_writes().await,
            CutFromRedis(service) => bed.reconnect_redis(service),
            KillOne(service, instance) => bed.replace(service, instance).await,
            SwitchOver => {
                servers::follow(Server::Primary, Server::Replica).await;
                servers::switch(Server::Replica, Server::Primary).await;
                bed.set_primary(Server::Primary);
                servers::follow(Server::Replica, Server::Primary).await;
                servers::back().await;
            }
            Partition(_) => bed.heal().await,
            Burst => bed.end_burst().await,
        }
    }
}
