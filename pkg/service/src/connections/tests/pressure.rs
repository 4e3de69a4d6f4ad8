//! Which connection is evicted when the limit is reached, over real sockets. Each client has a loopback address of its own.

use std::net::{IpAddr, Ipv4Addr};

use ::http::{Request, StatusCode};
use http_body_util::BodyExt as _;
use tokio::net::TcpSocket;

use super::*;
use crate::connections::activity::Phase;

/// A minute of everything: what ends within a test isn't ended by a timeout.
const PATIENT: Timeouts = Timeouts {
    receive: Duration::from_secs(60),
    idle: Duration::from_secs(60),
    send: Duration::from_secs(60),
    body: BodyRate {
        admission: Duration::from_secs(60),
        rate: 1,
        grace: Duration::from_secs(60),
        stall: Duration::from_secs(60),
    },
    first_head: Duration::from_secs(60),
    recent: Duration::ZERO,
};

struct Pressed {
    address: SocketAddr,
    all: Arc<Connections>,
}

/// Does what a request's path says, then reads its body.
async fn handle(_peer: SocketAddr, request: Request<RequestBody>) -> Response<Full<Bytes>> {
    let admission = Admission::of(request.extensions());
    let (action, of) = request.uri().path()[1..].split_once('/').unwrap();
    match action {
        "counted" => admission.counted(),
        "admitted" => admission.admitted(),
        "discarding" => admission.discarding(),
        _ => {}
    }
    let client = of.parse::<IpAddr>();
    let mut response = Response::new(Full::default());
    if client.is_ok_and(|client| !admission.client(client)) {
        *response.status_mut() = StatusCode::TOO_MANY_REQUESTS;
    } else {
        let body = request.into_body().collect().await.unwrap().to_bytes();
        *response.body_mut() = Full::new(body);
    }
    response
}

fn pressed(max: u32, proxy: Option<&str>, max_per_client: u32) -> Pressed {
    let (listener, closer) = Listener::bind(([127, 0, 0, 1], 0).into(), false).unwrap();
    // Without it the listener stays open.
    drop(closer);
    let address = listener.address();
    let proxies = proxy.map(|proxy| proxy.parse().unwrap());
    let proxies = proxies.into_iter().collect();
    let all = Connections::with(max, PATIENT, proxies, max_per_client);
    let serve = |connection| http::serve(connection, handle);
    tokio::spawn(all.clone().serve(listener, serve));
    Pressed { address, all }
}

impl Pressed {
    /// From 127.0.0.`host`.
    async fn connect(&self, host: u8) -> TcpStream {
        let socket = TcpSocket::new_v4().unwrap();
        let from = Ipv4Addr::new(127, 0, 0, host);
        socket.bind((from, 0).into()).unwrap();
        socket.connect(self.address).await.unwrap()
    }

    /// Likewise, and begins a request whose body waits for [`end`]; it has arrived when as many are in that phase.
    async fn begin(&self, host: u8, path: &str, phase: Phase) -> TcpStream {
        let before = self.count(phase);
        let mut stream = self.connect(host).await;
        let head = format!("POST /{path} HTTP/1.1\r\nHost: test\r\nContent-Length: 4\r\n\r\n");
        stream.write_all(head.as_bytes()).await.unwrap();
        let what = format!("{path} from {host}");
        eventually(SOON, &what, async || {
            (self.count(phase) > before).then_some(())
        })
        .await;
        stream
    }

    fn count(&self, phase: Phase) -> usize {
        let open = self.all.open();
        open.values().filter(|one| one.phase() == phase).count()
    }
}

/// Ends its request, which is answered.
async fn end(stream: &mut TcpStream) {
    stream.write_all(b"well").await.unwrap();
    assert!(answer(stream).await.unwrap().ends_with("well"));
}

#[tokio::test]
async fn whoever_drips_more_bodies_than_there_are_places_loses_them_to_the_next() {
    let server = pressed(2, None, 0);
    let mut dripping = Vec::new();
    for _ in 0..2 {
        dripping.push(server.begin(2, "upload/", Phase::Body).await);
    }
    let mut honest = server.begin(1, "counted/", Phase::Counted).await;
    assert!(is_closed(&mut dripping[0]).await);
    end(&mut honest).await;
    end(&mut dripping[1]).await;
}

#[tokio::test]
async fn a_new_connection_is_not_closed_for_another_before_its_head_can_come() {
    let server = pressed(2, None, 0);
    let mut dripping = server.begin(2, "counted/", Phase::Counted).await;
    let mut new = server.connect(3).await;
    eventually(SOON, "the new connection", async || {
        (server.count(Phase::Head) == 1).then_some(())
    })
    .await;
    let mut other = server.begin(4, "upload/", Phase::Body).await;
    assert!(is_closed(&mut dripping).await);
    let request = b"POST /x/ HTTP/1.1\r\nHost: test\r\nContent-Length: 4\r\n\r\nwell";
    new.write_all(request).await.unwrap();
    assert!(answer(&mut new).await.unwrap().ends_with("well"));
    end(&mut other).await;
}

#[tokio::test]
async fn the_address_with_the_most_loses_one_though_another_s_is_older() {
    let server = pressed(3, None, 0);
    let mut old = server.begin(3, "upload/", Phase::Body).await;
    let mut first = server.begin(2, "upload/", Phase::Body).await;
    let mut second = server.begin(2, "upload/", Phase::Body).await;
    let mut next = server.begin(1, "admitted/", Phase::Working).await;
    assert!(is_closed(&mut first).await);
    for stream in [&mut old, &mut second, &mut next] {
        end(stream).await;
    }
}

#[tokio::test]
async fn the_least_admitted_goes_first_and_an_admitted_one_never() {
    let server = pressed(5, None, 0);
    let mut admitted = server.begin(2, "admitted/", Phase::Working).await;
    let counted = server.begin(2, "counted/", Phase::Counted).await;
    let unadmitted = server.begin(2, "upload/", Phase::Body).await;
    let mut idle = server.begin(2, "upload/", Phase::Body).await;
    end(&mut idle).await;
    let discarding = server.begin(2, "discarding/", Phase::Discarding).await;
    let mut later = Vec::new();
    for (mut next, host) in [discarding, idle, unadmitted, counted]
        .into_iter()
        .zip(10..)
    {
        later.push(server.begin(host, "admitted/", Phase::Working).await);
        assert!(is_closed(&mut next).await, "{host}");
    }
    // All are admitted: one more waits until one has ended.
    let mut waits = server.connect(20).await;
    let request = b"POST /x/ HTTP/1.1\r\nHost: test\r\nContent-Length: 4\r\n\r\nwell";
    waits.write_all(request).await.unwrap();
    end(&mut admitted).await;
    assert!(answer(&mut waits).await.unwrap().ends_with("well"));
    for stream in &mut later {
        end(stream).await;
    }
}

#[tokio::test]
async fn behind_a_trusted_proxy_the_client_with_the_most_loses_one() {
    let server = pressed(3, Some("127.0.0.5"), 0);
    let mut other = server.begin(5, "x/2001:db8:0:2::1", Phase::Body).await;
    // One network of IPv6 is one client.
    let mut first = server.begin(5, "x/2001:db8:0:1::1", Phase::Body).await;
    let mut second = server.begin(5, "x/2001:db8:0:1::2", Phase::Body).await;
    let mut next = server.begin(1, "admitted/", Phase::Working).await;
    assert!(is_closed(&mut first).await);
    for stream in [&mut other, &mut second, &mut next] {
        end(stream).await;
    }
}

#[tokio::test]
async fn a_hard_limit_per_address_holds_without_pressure_and_behind_a_proxy_for_its_clients() {
    let server = pressed(10, Some("127.0.0.5"), 1);
    let mut only = server.begin(2, "upload/", Phase::Body).await;
    assert!(is_closed(&mut server.connect(2).await).await);
    let mut other = server.begin(3, "upload/", Phase::Body).await;
    end(&mut other).await;
    end(&mut only).await;
    drop(only);
    eventually(SOON, "a place of one's own again", async || {
        let mut again = server.connect(2).await;
        let request = b"POST /x/ HTTP/1.1\r\nHost: test\r\nContent-Length: 4\r\n\r\nwell";
        // It may be closed already.
        let _ = again.write_all(request).await;
        answer(&mut again)
            .await
            .ok()
            .filter(|text| text.ends_with("well"))
    })
    .await;

    let mut first = server.begin(5, "x/192.0.2.1", Phase::Body).await;
    let mut second = server.connect(5).await;
    let request = b"POST /x/192.0.2.1 HTTP/1.1\r\nHost: test\r\nContent-Length: 4\r\n\r\nwell";
    second.write_all(request).await.unwrap();
    assert!(answer(&mut second).await.unwrap().contains(" 429 "));
    end(&mut first).await;
    // Nothing is under way for that client any more.
    let mut third = server.connect(5).await;
    third.write_all(request).await.unwrap();
    assert!(answer(&mut third).await.unwrap().ends_with("well"));
}
