//! The HTTP front: routing, tokens, parameters, uploads, fan-out to RPC, JSON. Stateless.
//!
//! [`routes`] lists all routes; each has a file. The front reaches the services only through the clients generated from [`idl`]. It runs no
//! SQL. It uses Redis only through [`limits`] (rate limits) and [`marks`] (recent writes).
//!
//! A request goes through [`server`] (connections), [`middleware`], [`router`] and [`params`] to its handler in [`routes`]; the handler asks the
//! services through [`app`], and [`page`] and [`shared`] put together what many ask for at once. [`response`] and [`error`] are how it ends,
//! [`i18n`] has the words, [`openapi`] the document.
//!
//! The other rooms: [`idl`], the interfaces; the services <a href="../rpc_user/index.html">user</a>,
//! <a href="../rpc_video/index.html">video</a>, <a href="../rpc_favorite/index.html">favorite</a>,
//! <a href="../rpc_comment/index.html">comment</a>, <a href="../rpc_relation/index.html">relation</a> and
//! <a href="../rpc_message/index.html">message</a>; <a href="../dal/index.html">dal</a>, the rows; [`service`], how a process starts and
//! ends; [`settings`], every key. The whole system on one page is `ARCHITECTURE.md` in the repository.

mod accept_encoding;
pub mod accounts;
pub mod app;
pub mod assets;
pub mod call;
pub mod chat;
pub mod client_address;
pub mod error;
pub mod flags;
pub mod flights;
pub mod i18n;
pub mod middleware;
pub mod objects;
pub mod openapi;
pub mod page;
pub mod pages;
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
pub mod users;
