//! A route of the table: a request that is right, and ways to be wrong.

use reqwest::Method;

use super::{locations::Pairs, wrong::Wrong};

/// An id that is nobody's.
pub const UNUSED_ID: &str = "9007199254740991";

pub struct Route {
    pub method: Method,
    pub path: &'static str,
    /// A request that is right.
    pub right: Pairs,
    pub wrong: Vec<Wrong>,
}
