//! What the programs may do and how long: addresses, time, memory, permits; and whose fault it is when they fail.

use testkit::{Certificates, TlsProxy, Tripwire, eventually};

use super::*;
use crate::support::{HttpServer, SendFault, processes_naming};

/// By when a program that was started shows.
const SOON: Duration = Duration::from_secs(30);

fn is_unavailable<T>(outcome: &Result<T, MediaError>) -> bool {
    matches!(outcome, Err(MediaError::Unavailable(_)))
}

#[tokio::test]
async fn no_file_makes_the_programs_ask_another_address() {
    let bench = Bench::set_up().await;
    let wire = Tripwire::set();
    let video = Probe {
        duration_ms: 1000,
        width: 180,
        height: 320,
        ..Probe::default()
    };
    for (name, file) in [
        ("HLS", files::hls(&wire.url("x.ts"))),
        ("concat", files::concat(&wire.url("x.mp4"))),
        ("DASH", files::dash(&wire.url("x.mp4"))),
        ("SDP", files::sdp(wire.address())),
    ] {
        let url = bench.url(file).await;
        let probe = bench.media.probe(&url).await;
        assert_eq!(refusal(probe), Refusal::UnknownFormat, "{name}");
        let cover = bench.media.cover(&url, &video).await;
        assert_eq!(refusal(cover), Refusal::Undecodable, "{name}");
        assert_eq!(wire.visits(), 0, "{name}");
    }
    // An index may name another file; that one is not opened, whatever becomes of this one.
    let url = bench.url(files::dref(&wire.url("x.mp4"))).await;
    let _ = bench.media.probe(&url).await;
    let _ = bench.media.cover(&url, &video).await;
    assert_eq!(wire.visits(), 0, "dref");
}

#[tokio::test]
async fn a_store_that_cannot_be_read_is_not_the_files_fault() {
    let bench = Bench::with(|settings| {
        settings.media.probe_timeout_s = 4;
        settings.media.cover_timeout_s = 4;
    })
    .await;
    // Probed within the usual time limit.
    let unhurried = Bench::set_up().await;
    let video = unhurried.probe(files::mp4()).await.unwrap();
    let closed = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        format!("http://{}/file.mp4", listener.local_addr().unwrap())
    };
    let silent = Tripwire::set();
    let breaking = HttpServer::serve(files::mp4_moov_at_end(), SendFault::BreakOff).await;
    let closing = HttpServer::serve(Vec::new(), SendFault::Close).await;
    let missing = bench
        .store
        .internal_url("videos/none.mp4", Duration::from_secs(60))
        .unwrap();
    let forged = missing.replace("none.mp4", "file.mp4");
    for (name, url) in [
        ("no server", closed),
        ("silence", silent.url("file.mp4")),
        ("connection closed half-way", breaking.url()),
        ("connection closed at once", closing.url()),
        ("no such object", missing),
        ("signature refused", forged),
    ] {
        let probe = bench.media.probe(&url).await;
        assert!(is_unavailable(&probe), "{name}: {probe:?}");
        let cover = bench.media.cover(&url, &video).await;
        assert!(is_unavailable(&cover), "{name}: {cover:?}");
        let said = format!("{probe:?} {cover:?}");
        assert!(!said.contains("http:"), "no address is told: {said}");
    }
}

#[tokio::test]
async fn what_takes_too_long_is_cut_and_leaves_no_process() {
    // Looked at without haste, also by a busy machine.
    let video = Bench::set_up().await.probe(files::mp4()).await.unwrap();
    let bench = Bench::with(|settings| {
        settings.media.probe_timeout_s = 1;
        settings.media.cover_timeout_s = 1;
    })
    .await;
    // At this pace the file takes minutes: only the limit ends a program.
    let slow = HttpServer::serve(files::mp4(), SendFault::Drip).await;
    let probe = bench.media.probe(&slow.url()).await;
    assert_eq!(refusal(probe), Refusal::TooSlow);
    let cover = bench.media.cover(&slow.url(), &video).await;
    assert_eq!(refusal(cover), Refusal::TooSlow);
    assert_eq!(processes_naming(&slow.url()), 0);
}

#[tokio::test]
async fn one_that_takes_long_does_not_hold_up_another() {
    let bench = Bench::set_up().await;
    let slow = HttpServer::serve(files::mp4(), SendFault::Drip).await;
    let url = slow.url();
    let long = bench.media.probe(&url);
    tokio::pin!(long);
    let patience = Duration::from_millis(300);
    assert!(tokio::time::timeout(patience, &mut long).await.is_err());
    tokio::select! {
        biased;
        ended = &mut long => panic!("the slow one is done first: {ended:?}"),
        other = bench.probe(files::mp4()) => { other.unwrap(); }
    }
}

#[tokio::test]
async fn a_probe_nobody_waits_for_any_more_is_ended() {
    let bench = Bench::set_up().await;
    let slow = HttpServer::serve(files::mp4(), SendFault::Drip).await;
    let url = slow.url();
    let patience = Duration::from_millis(300);
    let dropped = tokio::time::timeout(patience, bench.media.probe(&url)).await;
    assert!(dropped.is_err());
    eventually(Duration::from_secs(5), "the end of ffprobe", async || {
        (processes_naming(&url) == 0).then_some(())
    })
    .await;
}

#[tokio::test]
async fn what_needs_too_much_memory_is_refused() {
    let bench = Bench::with(|settings| settings.media.memory_bytes = 400 << 20).await;
    let huge = "-f lavfi -i color=size=12000x12000:rate=1:duration=1 -c:v mjpeg";
    let url = bench.url(made(huge, "mkv")).await;
    let video = Probe {
        duration_ms: 1000,
        width: 12000,
        height: 12000,
        ..Probe::default()
    };
    let cover = bench.media.cover(&url, &video).await;
    assert_eq!(refusal(cover), Refusal::TooBig);
    let small = bench.url(files::mp4()).await;
    assert!(bench.media.cover(&small, &video).await.is_ok());
}

#[tokio::test]
async fn more_than_may_run_at_once_wait_for_a_while() {
    let bench = Bench::with(|settings| {
        settings.media.parallel = 1;
        settings.media.probe_timeout_s = 2;
        // Longer than anything here waits for.
        settings.media.cover_timeout_s = 120;
    })
    .await;
    let url = bench.url(files::mp4()).await;
    // Probed within the usual time limit.
    let video = Bench::set_up().await.media.probe(&url).await.unwrap();
    let slow = HttpServer::serve(files::mp4(), SendFault::Drip).await;
    let slow_url = slow.url();
    let waiting = async {
        eventually(SOON, "the slot taken", async || {
            (processes_naming(&slow_url) > 0).then_some(())
        })
        .await;
        let outcome = bench.media.probe(&url).await;
        assert!(matches!(outcome, Err(MediaError::Busy)), "{outcome:?}");
    };
    // It holds its slot until the one that waits has given up, and is dropped then.
    tokio::select! {
        held = bench.media.cover(&slow_url, &video) => panic!("it gave its slot up: {held:?}"),
        () = waiting => {}
    }
    let probe = bench.media.probe(&url).await;
    assert!(
        !matches!(probe, Err(MediaError::Busy)),
        "the slot is free again"
    );
}

#[tokio::test]
async fn programs_that_cannot_start_are_our_fault() {
    let bench = Bench::with(|settings| settings.media.memory_bytes = 16 << 20).await;
    let started = bench.media.check_programs().await;
    assert!(matches!(started, Err(MediaError::Tool(_))), "{started:?}");
    let bench = Bench::set_up().await;
    bench.media.check_programs().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_by_tls_is_read_where_its_certificate_is_trusted() {
    let certificates = Certificates::make();
    let endpoint = environment::s3_endpoint();
    let proxy = TlsProxy::before(endpoint.trim_start_matches("http://"), &certificates).await;
    for (ca_file, is_trusted) in [
        (Some(certificates.ca()), true),
        (None, false),
        (Some(Certificates::make().ca()), false),
    ] {
        let bench = Bench::with(|settings| {
            settings.object_store.endpoint = proxy.url();
            settings.object_store.ca_file = ca_file;
        })
        .await;
        let url = bench.url(files::mp4()).await;
        let probe = bench.media.probe(&url).await;
        let video = Probe {
            duration_ms: 1000,
            width: 180,
            height: 320,
            ..Probe::default()
        };
        let cover = bench.media.cover(&url, &video).await;
        if is_trusted {
            probe.unwrap();
            jpeg_size(&cover.unwrap().large);
        } else {
            assert!(is_unavailable(&probe), "{probe:?}");
            assert!(is_unavailable(&cover), "{cover:?}");
        }
    }
}
