//! Scripts that get the server's `run_id` as an argument.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use redis_client::{Client, Reply, Script, Value};
use settings::Secret;
use testkit::{Redis, eventually};

const PATIENCE: Duration = Duration::from_secs(15);
/// What it was told, and what is so.
const BOTH: &str = "return { ARGV[1], string.match(redis.call('INFO', 'server'), 'run_id:(%w+)') }";

fn opened(redis: &Redis) -> Arc<Client> {
    let settings = settings::Redis {
        url: Secret::new(redis.url()),
        favorites_db: 1,
        comments_db: 2,
        marks_db: 3,
        limits_db: 4,
        key_prefix: String::new(),
        counter_ttl_s: 60,
        command_timeout_ms: 500,
        ca_file: None,
    };
    Client::open("test", &settings, 0).unwrap()
}

async fn ask(client: &Arc<Client>, script: &Script) -> Option<(String, String)> {
    let call = (vec!["key".to_owned()], Vec::new());
    let replies = client.get_by_script_of_run(script, &[call]).await.ok()?;
    let reply: Reply<Value> = replies.into_iter().next()?;
    let Value::Array(both) = reply.ok()? else {
        return None;
    };
    let mut both = both.into_iter().map(|part| part.into_string().unwrap());
    Some((both.next()?, both.next()?))
}

#[tokio::test]
async fn the_second_script_on_a_connection_is_told_the_run_id() {
    let redis = Redis::start().await;
    let (client, script) = (opened(&redis), Script::from_lua(BOTH));
    let (told, is) = eventually(PATIENCE, "an answer", async || ask(&client, &script).await).await;
    assert_eq!(told, "", "nothing is known yet");
    let before = client.stats().round_trips;
    for _ in 0..5 {
        assert_eq!(ask(&client, &script).await, Some((is.clone(), is.clone())));
    }
    assert_eq!(client.stats().round_trips, before + 5);
    // Another connection to the same server.
    redis.command(0, &["CLIENT", "KILL", "TYPE", "normal"]);
    eventually(PATIENCE, "the run id again", async || {
        let (told, _) = ask(&client, &script).await?;
        (told == is).then_some(())
    })
    .await;
}

#[tokio::test]
async fn no_script_is_told_the_run_id_of_another_server_while_servers_come_and_go() {
    let redis = Redis::start().await;
    let (client, stop) = (opened(&redis), Arc::new(AtomicBool::new(false)));
    let askers: Vec<_> = (0..8)
        .map(|_| {
            let (client, stop) = (client.clone(), stop.clone());
            tokio::spawn(async move {
                let script = Script::from_lua(BOTH);
                let (mut told_right, mut runs) = (0_u64, Vec::new());
                while !stop.load(Ordering::Relaxed) {
                    match ask(&client, &script).await {
                        Some((told, is)) => {
                            assert!(told.is_empty() || told == is, "told {told}, it is {is}");
                            told_right += u64::from(!told.is_empty());
                            if runs.last() != Some(&is) {
                                runs.push(is);
                            }
                        }
                        None => tokio::time::sleep(Duration::from_millis(2)).await,
                    }
                }
                (told_right, runs.len())
            })
        })
        .collect();
    let script = Script::from_lua(BOTH);
    let mut last = String::new();
    for turn in 0..4 {
        // Until it is known which run this is; and it is another one each time.
        last = eventually(PATIENCE, "a run id that is known", async || {
            let (told, is) = ask(&client, &script).await?;
            (told == is && is != last).then_some(is)
        })
        .await;
        redis.kill();
        match turn % 2 {
            0 => redis.restart().await,
            _ => redis.restart_empty().await,
        }
    }
    stop.store(true, Ordering::Relaxed);
    for asker in askers {
        let (told_right, runs) = asker.await.unwrap();
        assert!(
            told_right > 0 && runs >= 3,
            "{told_right} told, {runs} runs"
        );
    }
}
