//! How a route is declared: its path, its handler and what the document says of it, in one value.
//!
//! The handler's types give the rest: who may ask, the parameters with their rules, the reply. `Route` knows no route by name.

use std::{future::Future, sync::Arc, time::Duration};

use http::{HeaderValue, header};
use idl::base::Code;
use serde::Serialize;
use serde_json::Value;
use utoipa::{
    PartialSchema,
    openapi::{RefOr, Schema, schema::Object},
};
use volo_http::{
    request::Request,
    response::Response,
    server::route::{MethodRouter, get, post},
};

use crate::{
    app::App,
    call::{Auth, Call, Lenient, Streamed, TokenUse},
    client_address::ClientAddress,
    error::ApiError,
    i18n::Language,
    params::{Declared, ParameterLocation, Parameters, Params},
    rate_limit::PendingCount,
    request_logging,
    response::{Empty, Fail, Negotiated, fail_with, failure, success},
};

/// The methods of a GET route, as `Allow` names them.
pub const READS: &str = "GET, HEAD";
/// The method of a POST route.
const WRITES: &str = "POST";

/// One route of the contract.
pub struct Route {
    /// As the contract writes it, with its trailing slash; the route also answers without.
    pub path: &'static str,
    /// As `Allow` names them.
    pub methods: &'static str,
    /// What it does, in a few words.
    pub summary: &'static str,
    /// What else a client has to know.
    pub description: &'static str,
    /// Whether it reads the token.
    pub token: TokenUse,
    /// Its parameters but the token.
    pub parameters: &'static [Declared],
    /// The outcomes at HTTP 200 besides success, by number.
    pub refusals: Vec<Code>,
    /// The fields of a success beside the status.
    pub content: fn() -> Content,
    /// The fields of a failure beside the status.
    pub failure_content: fn() -> Content,
    /// Makes the reply to a request that failed.
    pub fail: Fail,
    mount: Mount,
}

/// Makes the router of one path for one process.
type Mount = Box<dyn Fn(&Arc<App>, Endpoint) -> MethodRouter>;

/// What the answer to a request needs to know of its route.
#[derive(Clone, Copy)]
struct Endpoint {
    path: &'static str,
    fail: Fail,
}

/// The fields of a reply beside its status, for the document.
pub struct Content {
    /// Their types.
    pub schema: Object,
    /// One of them.
    pub example: Value,
}

/// A reply's content that the document can show.
pub trait Example: Serialize + PartialSchema {
    /// One as a client might get it.
    fn example() -> Self;

    /// The reply with this content.
    fn reply(self, negotiated: &Negotiated) -> Response
    where
        Self: Sized,
    {
        success(self, negotiated)
    }
}

impl Example for Empty {
    fn example() -> Self {
        Self {}
    }
}

fn content_of<T: Example>() -> Content {
    content(&T::example())
}

fn default_content<T: Default + Serialize + PartialSchema>() -> Content {
    content(&T::default())
}

fn content<T: Serialize + PartialSchema>(example: &T) -> Content {
    let schema = match T::schema() {
        RefOr::T(Schema::Object(object)) => object,
        // Every content is an object, whose fields stand beside the status.
        _ => Object::new(),
    };
    let example = serde_json::to_value(example).unwrap_or_default();
    Content { schema, example }
}

impl Route {
    /// A GET route, which answers HEAD too.
    pub fn get<A, P, T, H, F>(path: &'static str, handler: H) -> Self
    where
        A: Auth + Send + 'static,
        P: Parameters + Send + 'static,
        T: Example + Send + 'static,
        H: Fn(Arc<App>, Call<A, P>) -> F + Clone + Send + Sync + 'static,
        F: Future<Output = Result<T, ApiError>> + Send + 'static,
    {
        let mount = move |app: &Arc<App>, endpoint| {
            let (app, handler) = (app.clone(), handler.clone());
            let answer =
                move |request: Request| answer(app.clone(), endpoint, request, handler.clone());
            get(answer.clone()).head(answer)
        };
        Self::new::<A, P, T>(path, READS, Box::new(mount))
    }

    /// A POST route.
    pub fn post<A, P, T, H, F>(path: &'static str, handler: H) -> Self
    where
        A: Auth + Send + 'static,
        P: Parameters + Send + 'static,
        T: Example + Send + 'static,
        H: Fn(Arc<App>, Call<A, P>) -> F + Clone + Send + Sync + 'static,
        F: Future<Output = Result<T, ApiError>> + Send + 'static,
    {
        let mount = move |app: &Arc<App>, endpoint| {
            let (app, handler) = (app.clone(), handler.clone());
            post(move |request: Request| answer(app.clone(), endpoint, request, handler.clone()))
        };
        Self::new::<A, P, T>(path, WRITES, Box::new(mount))
    }

    /// A POST route that takes a file. Its handler reads the body itself and keeps its own time limits.
    pub fn upload<A, P, T, H, F>(path: &'static str, handler: H) -> Self
    where
        A: Auth + 'static,
        P: Parameters + 'static,
        T: Example + Send + 'static,
        H: Fn(Arc<App>, Streamed<A, P>) -> F + Clone + Send + Sync + 'static,
        F: Future<Output = Result<T, ApiError>> + Send + 'static,
    {
        let mount = move |app: &Arc<App>, endpoint: Endpoint| {
            let (app, handler) = (app.clone(), handler.clone());
            post(move |request: Request| {
                let (app, handler) = (app.clone(), handler.clone());
                async move {
                    request_logging::set_route(endpoint.path);
                    let negotiated = Negotiated::of(request.headers(), endpoint.path);
                    let result = handler(app, Streamed::new(request)).await;
                    respond(endpoint, result, &negotiated)
                }
            })
        };
        Self::new::<A, P, T>(path, WRITES, Box::new(mount))
    }

    fn new<A: Auth, P: Parameters, T: Example>(
        path: &'static str,
        methods: &'static str,
        mount: Mount,
    ) -> Self {
        let route = Self {
            path,
            methods,
            summary: "",
            description: "",
            token: A::TOKEN,
            parameters: P::DECLARED,
            refusals: vec![Code::BAD_PARAMETER],
            content: content_of::<T>,
            failure_content: default_content::<Empty>,
            fail: fail_with::<Empty>,
            mount,
        };
        let key = route
            .idempotency_key()
            .map(|_| Code::IDEMPOTENCY_KEY_REUSED);
        route.refuses(A::REFUSALS).refuses(key.as_slice())
    }

    /// What the document says of it.
    #[must_use]
    pub fn described(self, summary: &'static str, description: &'static str) -> Self {
        Self {
            summary,
            description,
            ..self
        }
    }

    /// More codes with which it refuses: those of the token, the parameters and the idempotency key are known from their types.
    #[must_use]
    pub fn refuses(mut self, codes: &[Code]) -> Self {
        self.refusals.extend(codes);
        self.refusals.sort_by_key(Code::inner);
        self.refusals.dedup();
        self
    }

    /// Has every failure carry an empty `T`, also one that the rate limit refuses before the handler is reached.
    #[must_use]
    pub fn fails_with<T: Default + Serialize + PartialSchema>(self) -> Self {
        Self {
            failure_content: default_content::<T>,
            fail: fail_with::<T>,
            ..self
        }
    }

    /// What the document groups it by: the second part of its path.
    pub fn tag(&self) -> &'static str {
        self.path.split('/').nth(2).unwrap_or_default()
    }

    /// The parameter that is the idempotency key, if it has one.
    pub fn idempotency_key(&self) -> Option<&'static Declared> {
        let is_header = |one: &&Declared| matches!(one.location, ParameterLocation::Header(_));
        self.parameters.iter().find(is_header)
    }

    /// The router of its path. Any other method is 405.
    pub fn mount(&self, app: &Arc<App>) -> MethodRouter {
        let endpoint = Endpoint {
            path: self.path,
            fail: self.fail,
        };
        only(self.methods, (self.mount)(app, endpoint))
    }
}

/// Answers all but `methods` with 405.
pub fn only(methods: &'static str, router: MethodRouter) -> MethodRouter {
    router.fallback(move |request: Request| async move { method_not_allowed(methods, &request) })
}

/// The reply to a request of a method that isn't one of `methods`.
pub fn method_not_allowed(methods: &'static str, request: &Request) -> Response {
    let error = ApiError::method_not_allowed(methods);
    let mut response = failure(&error, Empty {}, Language::of(request.headers()));
    let allow = HeaderValue::from_static(methods);
    response.headers_mut().insert(header::ALLOW, allow);
    response
}

/// Answers a request: reads the token and the parameters, runs the handler within the time limit.
async fn answer<A, P, T, H, F>(
    app: Arc<App>,
    endpoint: Endpoint,
    request: Request,
    handler: H,
) -> Response
where
    A: Auth,
    P: Parameters,
    T: Example,
    H: Fn(Arc<App>, Call<A, P>) -> F,
    F: Future<Output = Result<T, ApiError>>,
{
    request_logging::set_route(endpoint.path);
    let negotiated = Negotiated::of(request.headers(), endpoint.path);
    let limit = Duration::from_millis(app.settings.http.request_timeout_ms);
    let work = async {
        let call = read(&app, request, endpoint.path).await?;
        handler(app.clone(), call).await
    };
    let result = match tokio::time::timeout(limit, work).await {
        Ok(result) => result,
        Err(_) => Err(ApiError::new(Code::TIMED_OUT)),
    };
    respond(endpoint, result, &negotiated)
}

/// Reads a request to its end. Refuses in this order: the body, the rate limit, the token, the parameters.
async fn read<A: Auth, P: Parameters>(
    app: &App,
    request: Request,
    path: &str,
) -> Result<Call<A, P>, ApiError> {
    let (parts, body) = request.into_parts();
    let client = ClientAddress::of(&parts.extensions)?;
    let query = parts.uri.query().unwrap_or_default();
    let mut params = Params::from_head(query, &parts.headers)?;
    let message = idl::proto::request_of(path);
    let body = params.add_body(&app.body_budget, &parts.headers, body, P::keeps, message);
    let body = body.await;
    if let Some(pending) = parts.extensions.get::<PendingCount>() {
        let Lenient(viewer) = Lenient::read(app, &params)?;
        pending.count(app, client, viewer)?;
    }
    body?;
    Ok(Call {
        user: A::read(app, &params)?,
        params: P::read(&params)?,
        client,
    })
}

fn respond<T: Example>(
    endpoint: Endpoint,
    result: Result<T, ApiError>,
    negotiated: &Negotiated,
) -> Response {
    match result {
        Ok(content) => content.reply(negotiated),
        Err(error) => (endpoint.fail)(&error, negotiated.language),
    }
}
