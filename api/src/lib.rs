//! The HTTP front: routing, tokens, parameters, uploads, fan-out to RPC, JSON. Stateless.
//!
//! `router` names all routes; each is a file in `routes`. Knows the services by their interfaces alone: no SQL, no Redis.

pub mod access;
mod accounts;
pub mod answer;
pub mod app;
pub mod call;
pub mod client_address;
pub mod clients;
pub mod compression;
pub mod cors;
pub mod discard;
pub mod docs;
pub mod document;
pub mod error;
pub mod limit;
pub mod manners;
pub mod objects;
pub mod page;
pub mod params;
pub mod reasons;
pub mod reply;
pub mod router;
pub mod routes;
pub mod rules;
pub mod server;
pub mod upload;
pub mod web;
pub mod words;
