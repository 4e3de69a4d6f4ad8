//! One real server for each service, which counts what reaches it, and clients with and without the layer.

use std::{
    io,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use idl::{comment::*, favorite::*, message::*, relation::*, user::*, video::*};
use pilota::FastStr;
use volo::net::{
    conn::Conn,
    incoming::{DefaultIncoming, Incoming, MakeIncoming},
};
use volo_thrift::ClientError;

/// What reached any of the servers.
#[derive(Debug, Default)]
pub struct Seen {
    connections: AtomicUsize,
    handled: AtomicUsize,
}

impl Seen {
    /// Connections accepted, requests handled.
    pub fn counts(&self) -> (usize, usize) {
        (
            self.connections.load(Ordering::SeqCst),
            self.handled.load(Ordering::SeqCst),
        )
    }
}

#[derive(Debug)]
struct Counted {
    incoming: DefaultIncoming,
    seen: Arc<Seen>,
}

impl Incoming for Counted {
    async fn accept(&mut self) -> io::Result<Option<Conn>> {
        let conn = self.incoming.accept().await?;
        self.seen.connections.fetch_add(1, Ordering::SeqCst);
        Ok(conn)
    }
}

impl MakeIncoming for Counted {
    type Incoming = Self;

    async fn make_incoming(self) -> io::Result<Self> {
        Ok(self)
    }
}

/// Answers every method with an empty response.
#[derive(Clone)]
pub struct Handler(Arc<Seen>);

impl Handler {
    pub fn count(&self) {
        self.0.handled.fetch_add(1, Ordering::SeqCst);
    }
}

/// A request that one method takes.
pub trait Rpc: Clone + Send + Sync + 'static {
    /// One that breaks no rule.
    fn valid() -> Self;
    /// Calls the method.
    fn send(self, clients: &Clients) -> impl Future<Output = Result<(), ClientError>> + Send;
}

/// Implements the service for [`Handler`] and [`Rpc`] for its requests, each with a value that breaks no rule.
macro_rules! interface {
    ($service:ident $client:ident {
        $($method:ident($request:ident { $($name:ident: $value:expr),* $(,)? }) -> $response:ident;)*
    }) => {
        impl $service for Handler {
            $(async fn $method(&self, _: $request) -> Result<$response, ServerError> {
                self.count();
                Ok($response::default())
            })*
        }
        $(impl Rpc for $request {
            fn valid() -> Self {
                $request { $($name: $value),* }
            }

            async fn send(self, clients: &Clients) -> Result<(), ClientError> {
                clients.$client.$method(self).await.map(|_| ())
            }
        })*

        /// Calls every method with its valid request; the number of methods.
        pub async fn call_everything(clients: &Clients) -> Result<usize, ClientError> {
            let mut calls = 0;
            $($request::valid().send(clients).await?; calls += 1;)*
            Ok(calls)
        }
    };
}
pub(crate) use interface;

/// A client of every service.
pub struct Clients {
    pub user: UserServiceClient,
    pub video: VideoServiceClient,
    pub favorite: FavoriteServiceClient,
    pub comment: CommentServiceClient,
    pub relation: RelationServiceClient,
    pub message: MessageServiceClient,
}

/// `part`, so many times.
pub fn text(part: &str, times: usize) -> FastStr {
    part.repeat(times).into()
}

/// A server with the layer, on a port of its own until the test's runtime ends.
macro_rules! serve {
    ($server:ident, $seen:expr) => {{
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let incoming = Counted {
            incoming: listener.into(),
            seen: $seen.clone(),
        };
        let server = $server::new(Handler($seen.clone())).layer(idl::ValidateLayer);
        tokio::spawn(async move { server.run(incoming).await });
        address
    }};
}

/// The address of a server for every service, and what reaches them.
pub struct Servers {
    pub seen: Arc<Seen>,
    user: SocketAddr,
    video: SocketAddr,
    favorite: SocketAddr,
    comment: SocketAddr,
    relation: SocketAddr,
    message: SocketAddr,
}

impl Servers {
    pub async fn start() -> Self {
        let seen = Arc::new(Seen::default());
        Self {
            user: serve!(UserServiceServer, seen),
            video: serve!(VideoServiceServer, seen),
            favorite: serve!(FavoriteServiceServer, seen),
            comment: serve!(CommentServiceServer, seen),
            relation: serve!(RelationServiceServer, seen),
            message: serve!(MessageServiceServer, seen),
            seen,
        }
    }
}

macro_rules! client {
    ($builder:ident, $address:expr) => {
        $builder::new("service")
            .address($address)
            .connect_timeout(Some(Duration::from_secs(2)))
            .read_write_timeout(Some(Duration::from_secs(5)))
            .rpc_timeout(Some(Duration::from_secs(5)))
    };
}

impl Clients {
    /// Clients as the project's programs build them.
    pub fn with_layer(to: &Servers) -> Self {
        let layer = idl::ValidateLayer;
        Self {
            user: client!(UserServiceClientBuilder, to.user)
                .layer_outer_front(layer)
                .build(),
            video: client!(VideoServiceClientBuilder, to.video)
                .layer_outer_front(layer)
                .build(),
            favorite: client!(FavoriteServiceClientBuilder, to.favorite)
                .layer_outer_front(layer)
                .build(),
            comment: client!(CommentServiceClientBuilder, to.comment)
                .layer_outer_front(layer)
                .build(),
            relation: client!(RelationServiceClientBuilder, to.relation)
                .layer_outer_front(layer)
                .build(),
            message: client!(MessageServiceClientBuilder, to.message)
                .layer_outer_front(layer)
                .build(),
        }
    }

    /// Clients that send whatever they are given.
    pub fn without_layer(to: &Servers) -> Self {
        Self {
            user: client!(UserServiceClientBuilder, to.user).build(),
            video: client!(VideoServiceClientBuilder, to.video).build(),
            favorite: client!(FavoriteServiceClientBuilder, to.favorite).build(),
            comment: client!(CommentServiceClientBuilder, to.comment).build(),
            relation: client!(RelationServiceClientBuilder, to.relation).build(),
            message: client!(MessageServiceClientBuilder, to.message).build(),
        }
    }
}
