//! The layer of what HTTP asks of every reply, whatever its route: origins and compression.

use std::{convert::Infallible, sync::Arc};

use volo::{Layer, Service};
use volo_http::{context::ServerContext, request::Request, response::Response};

use crate::{
    compression::{compress, takes_gzip},
    cors::Cors,
};

/// Puts [`Manners`] around a route.
#[derive(Clone)]
pub struct MannersLayer(pub Arc<Cors>);

/// A route with manners.
pub struct Manners<S> {
    cors: Arc<Cors>,
    inner: S,
}

impl<S> Layer<S> for MannersLayer {
    type Service = Manners<S>;

    fn layer(self, inner: S) -> Self::Service {
        Manners {
            cors: self.0,
            inner,
        }
    }
}

impl<S> Service<ServerContext, Request> for Manners<S>
where
    S: Service<ServerContext, Request, Response = Response, Error = Infallible> + Send + Sync,
{
    type Response = Response;
    type Error = Infallible;

    async fn call(&self, cx: &mut ServerContext, request: Request) -> Result<Response, Infallible> {
        if let Some(answer) = self.cors.preflight(request.method(), request.headers()) {
            return Ok(answer);
        }
        let origin = self.cors.origin(request.headers()).cloned();
        let takes_gzip = takes_gzip(request.headers());
        let response = self.inner.call(cx, request).await?;
        let mut response = compress(response, takes_gzip).await;
        self.cors.mark(origin.as_ref(), response.headers_mut());
        Ok(response)
    }
}
