//! What a handler gets of a request: who asks, the parameters, and where the request comes from.

use std::marker::PhantomData;

use auth::TokenSubject;
use idl::base::Code;
use volo_http::request::Request;

use crate::{
    app::App,
    client_address::ClientAddress,
    error::ApiError,
    i18n::Rule,
    params::{Params, types::UserId},
};

/// A request with its token and its parameters read.
pub struct Call<A, P> {
    /// Who asks, as far as the route wants to know.
    pub user: A,
    /// What is asked for.
    pub params: P,
    /// Where the request comes from.
    pub client: ClientAddress,
}

/// A request whose body the handler reads itself, as it comes. The types say what it will find there.
pub struct Streamed<A, P> {
    /// As it came.
    pub request: Request,
    declared: PhantomData<fn() -> (A, P)>,
}

impl<A, P> Streamed<A, P> {
    /// Leaves everything to the handler.
    pub fn new(request: Request) -> Self {
        Self {
            request,
            declared: PhantomData,
        }
    }
}

/// Whether a route reads the token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenUse {
    /// It doesn't.
    Ignored,
    /// The token may be missing.
    Optional,
    /// The token may not be missing.
    Required,
}

/// Who asks. A route chooses by the type what it does with the token.
pub trait Auth: Sized {
    /// What the document says of it.
    const TOKEN: TokenUse;
    /// The codes with which it refuses.
    const REFUSALS: &'static [Code];

    /// Reads and verifies the token. Whether the account still exists is asked of [`Accounts`](crate::accounts::Accounts).
    ///
    /// # Errors
    /// One of [`Self::REFUSALS`].
    fn read(app: &App, params: &Params) -> Result<Self, ApiError>;
}

/// Anybody may ask, and the token is not read.
impl Auth for () {
    const TOKEN: TokenUse = TokenUse::Ignored;
    const REFUSALS: &'static [Code] = &[];

    fn read(_: &App, _: &Params) -> Result<Self, ApiError> {
        Ok(())
    }
}

/// Anybody may ask, but a broken token is refused.
impl Auth for Option<TokenSubject> {
    const TOKEN: TokenUse = TokenUse::Optional;
    const REFUSALS: &'static [Code] = &[Code::BAD_TOKEN];

    fn read(app: &App, params: &Params) -> Result<Self, ApiError> {
        let token = params.token();
        token.map(|token| app.verify_token(token)).transpose()
    }
}

/// Only a user may ask.
impl Auth for TokenSubject {
    const TOKEN: TokenUse = TokenUse::Required;
    const REFUSALS: &'static [Code] = &[Code::NOT_LOGGED_IN, Code::BAD_TOKEN];

    fn read(app: &App, params: &Params) -> Result<Self, ApiError> {
        let holder = Option::<Self>::read(app, params)?;
        holder.ok_or_else(|| ApiError::new(Code::NOT_LOGGED_IN))
    }
}

/// Anybody may ask, and a broken token counts as none.
#[derive(Debug, Clone, Copy)]
pub struct Lenient(pub Option<TokenSubject>);

impl Auth for Lenient {
    const TOKEN: TokenUse = TokenUse::Optional;
    const REFUSALS: &'static [Code] = &[];

    fn read(app: &App, params: &Params) -> Result<Self, ApiError> {
        Ok(Self(
            Option::<TokenSubject>::read(app, params).ok().flatten(),
        ))
    }
}

/// To whom something is done that nobody does to themself: `to_user_id`.
///
/// # Errors
/// It is the one who asks.
pub fn somebody_else(user_id: i64, to: UserId) -> Result<i64, ApiError> {
    match to {
        UserId(id) if id == user_id => Err(ApiError::bad_parameter("to_user_id", Rule::Oneself)),
        UserId(id) => Ok(id),
    }
}

/// Whose list is asked for: that of `user_id`, else the token's user's.
///
/// # Errors
/// The request names nobody.
pub fn list_owner(user_id: Option<UserId>, viewer: Option<i64>) -> Result<i64, ApiError> {
    let named = user_id.map(|UserId(id)| id).or(viewer);
    named.ok_or_else(|| ApiError::new(Code::NOT_LOGGED_IN))
}
