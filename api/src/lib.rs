//! The HTTP front: routing, tokens, parameters, uploads, fan-out to RPC, JSON. Stateless.
//!
//! [`routes`] lists all routes; each has a file. The services are known by their interfaces alone: no SQL, no Redis.

mod accept_encoding;
pub mod accounts;
pub mod app;
pub mod assets;
pub mod call;
pub mod chat;
pub mod client_address;
pub mod error;
pub mod flights;
pub mod i18n;
pub mod middleware;
pub mod objects;
pub mod openapi;
pub mod page;
pub mod params;
pub mod protobuf;
pub mod rate_limit;
pub mod rendered;
pub mod request_logging;
pub mod response;
pub mod route;
pub mod router;
pub mod routes;
pub mod server;
pub mod shared;
pub mod upload;
