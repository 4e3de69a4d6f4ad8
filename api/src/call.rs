//! One request on its way through a route: what it asks, and who asks.

use auth::Holder;
use http::{HeaderMap, HeaderValue, header};
use idl::base::Code;

use crate::{
    app::App, client_address::ClientAddress, error::ApiError, params::Params, rules::Rule,
};

/// The header with which a client makes the repeat of a write harmless.
pub const IDEMPOTENCY_KEY: &str = "Idempotency-Key";

/// The parameters of a request and the token that came with it.
#[derive(Debug)]
pub struct Call {
    /// What it asks.
    pub params: Params,
    /// Who sent it, to the limits.
    pub client: ClientAddress,
    bearer: Option<String>,
    /// As it came.
    idempotency_key: Option<HeaderValue>,
}

impl Call {
    /// Takes the bearer token and the idempotency key from the headers.
    pub fn new(headers: &HeaderMap, client: ClientAddress, params: Params) -> Self {
        Self {
            params,
            client,
            bearer: bearer(headers).map(str::to_owned),
            idempotency_key: headers.get(IDEMPOTENCY_KEY).cloned(),
        }
    }

    /// The token: as a parameter, which wins, or as `Authorization: Bearer`. An empty one counts as missing.
    fn token(&self) -> Option<&str> {
        self.params.filled("token").or(self.bearer.as_deref())
    }

    /// The user who asks, on a route that needs one.
    pub fn user(&self, app: &App) -> Result<i64, ApiError> {
        Ok(self.holder(app)?.user_id)
    }

    /// The user who asks, if one is named; a broken token is an error.
    pub fn viewer(&self, app: &App) -> Result<Option<i64>, ApiError> {
        Ok(self.named(app)?.map(|holder| holder.user_id))
    }

    /// Whom the token was issued to, if there is one.
    pub fn named(&self, app: &App) -> Result<Option<Holder>, ApiError> {
        self.token().map(|token| app.holder_of(token)).transpose()
    }

    /// Whom the token was issued to, on a route that needs one.
    pub fn holder(&self, app: &App) -> Result<Holder, ApiError> {
        self.named(app)?
            .ok_or_else(|| ApiError::new(Code::NOT_LOGGED_IN))
    }

    /// The idempotency key; its rule stands in the interfaces.
    pub fn idempotency_key(&self) -> Result<Option<&str>, ApiError> {
        let key = self.idempotency_key.as_ref().map(HeaderValue::to_str);
        key.transpose()
            .map_err(|_| ApiError::bad_parameter(IDEMPOTENCY_KEY, Rule::NotAscii))
    }

    /// Whose list is asked for: `user_id`, or the token's user.
    pub fn list_owner(&self, app: &App) -> Result<i64, ApiError> {
        let viewer = self.viewer(app)?;
        self.params
            .id("user_id")?
            .or(viewer)
            .ok_or_else(|| ApiError::new(Code::NOT_LOGGED_IN))
    }
}

/// The token of an `Authorization: Bearer` header; an empty one counts as missing.
pub fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    let token = token.trim();
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty()).then_some(token)
}
