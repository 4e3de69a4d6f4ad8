//! From a request to its reply: parameters in, the handler within its time limit, JSON out.

use std::{future::Future, sync::Arc, time::Duration};

use http::{HeaderValue, StatusCode, header};
use idl::base::Code;
use serde::Serialize;
use volo_http::{request::Request, response::Response};

use crate::{
    access,
    app::App,
    call::Call,
    client_address::ClientAddress,
    error::ApiError,
    limit::Uncounted,
    params::Params,
    reply::{Nothing, failure, success},
    routes::publish::publish,
    rules::Rule,
    words::Language,
};

/// Collects the parameters, runs the handler within the time limit, answers in JSON. What is sent when it fails, besides
/// the status, is `on_failure`.
pub async fn answer<H, F, T, C>(
    app: Arc<App>,
    route: &'static str,
    request: Request,
    handler: H,
    on_failure: fn() -> C,
) -> Response
where
    H: Fn(Arc<App>, Call) -> F,
    F: Future<Output = Result<T, ApiError>>,
    T: Serialize,
    C: Serialize,
{
    access::at_route(route);
    let language = Language::of(request.headers());
    let (parts, body) = request.into_parts();
    let work = async {
        let client = ClientAddress::of(&parts.extensions)?;
        let mut params = Params::from_query(parts.uri.query().unwrap_or_default())?;
        let read = params.add_body(&parts.headers, body).await;
        let call = Call::new(&parts.headers, client, params);
        if let Some(uncounted) = parts.extensions.get::<Uncounted>() {
            uncounted.count(&app, client, call.viewer(&app).ok().flatten())?;
        }
        read?;
        handler(app.clone(), call).await
    };
    let limit = Duration::from_millis(app.settings.http.request_timeout_ms);
    let result = match tokio::time::timeout(limit, work).await {
        Ok(result) => result,
        Err(_) => Err(ApiError::new(Code::TIMED_OUT)),
    };
    parting(&app, reply(result, on_failure, language))
}

/// The upload: it reads its body itself and has time limits of its own.
pub async fn answer_upload(app: Arc<App>, route: &'static str, request: Request) -> Response {
    access::at_route(route);
    let language = Language::of(request.headers());
    let result = publish(app.clone(), request).await;
    parting(&app, reply(result, || Nothing {}, language))
}

/// Tells the clients of a stopping process to take another connection, so that none is closed just when it is used again.
fn parting(app: &App, mut response: Response) -> Response {
    if app.admin.is_stopping() {
        let close = HeaderValue::from_static("close");
        response.headers_mut().insert(header::CONNECTION, close);
    }
    response
}

fn reply<T: Serialize, C: Serialize>(
    result: Result<T, ApiError>,
    on_failure: fn() -> C,
    language: Language,
) -> Response {
    match result {
        Ok(content) => success(content, language),
        Err(error) => failure(&error, on_failure(), language),
    }
}

/// Where no route is.
pub async fn not_found(request: Request) -> Response {
    let error = ApiError {
        status: Some(StatusCode::NOT_FOUND),
        ..ApiError::bad_parameter("path", Rule::NothingHere)
    };
    failure(&error, Nothing {}, Language::of(request.headers()))
}

/// Where a route is, but not for this method.
pub async fn allow_only(methods: &'static str, request: Request) -> Response {
    let error = ApiError {
        status: Some(StatusCode::METHOD_NOT_ALLOWED),
        ..ApiError::bad_parameter("method", Rule::OnlyMethods(methods))
    };
    let mut response = failure(&error, Nothing {}, Language::of(request.headers()));
    response
        .headers_mut()
        .insert(header::ALLOW, HeaderValue::from_static(methods));
    response
}
