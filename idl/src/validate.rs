//! Validation at run time: the generated checks, the error they give and the layer that runs them on both ends of a
//! call.

use std::fmt;

use pilota::{AHashMap, FastStr};
use volo_thrift::{BizError, context::ThriftContext};

use crate::{
    base::Code,
    biz, refuse,
    rule::{RULES, Rule},
};

/// Checks a value against the rules of its .thrift file. The generator implements it.
pub trait Validate {
    /// Looks for the first broken rule, also in nested structs.
    ///
    /// # Errors
    /// The rule that is broken, and where.
    fn validate(&self) -> Result<(), ValidateError>;
}

/// A value that breaks a rule of the interface. Never holds the value itself, which may be a password.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ValidateError {
    /// Path within the request: `username`, `user_ids[]`, `page.limit`.
    pub field: String,
    /// The rule that is broken.
    pub rule: Rule,
    /// The rule's limit as the .thrift file states it; empty when it has none.
    pub limit: FastStr,
}

impl ValidateError {
    /// Called by generated code.
    pub fn new(field: &str, rule: Rule, limit: &'static str) -> Self {
        Self {
            field: field.to_owned(),
            rule,
            limit: FastStr::from_static_str(limit),
        }
    }

    /// Called by generated code: the same error, seen from the struct that holds this one in `field`.
    #[must_use]
    pub fn within(mut self, field: &str) -> Self {
        self.field = format!("{field}.{}", self.field);
        self
    }

    /// The broken rule that a business error carries; `None` for every other business error.
    pub fn from_biz(error: &BizError) -> Option<Self> {
        if error.status_code != Code::BAD_PARAMETER.inner() {
            return None;
        }
        let extra = error.extra.as_ref()?;
        let field = extra.get("field")?;
        Some(Self {
            field: field.to_string(),
            rule: Rule::from_name(extra.get("rule")?, field)?,
            limit: extra.get("limit")?.clone(),
        })
    }
}

/// Checks a text against the rules of one field, as the generated [`Validate`] of its struct does: for whoever has the text before there
/// is a request to put it into.
///
/// # Errors
/// The first rule that is broken.
pub fn validate_text(strct: &str, field: &str, text: &str) -> Result<(), ValidateError> {
    let mut rules = RULES
        .iter()
        .filter(|entry| entry.strct == strct && entry.field == field);
    match rules.find(|entry| !entry.rule.admits(entry.limit, text)) {
        Some(broken) => Err(ValidateError::new(field, broken.rule, broken.limit)),
        None => Ok(()),
    }
}

impl fmt::Display for ValidateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.field, self.rule.describe(&self.limit))
    }
}

impl std::error::Error for ValidateError {}

impl From<ValidateError> for BizError {
    fn from(error: ValidateError) -> Self {
        let mut answer = biz(Code::BAD_PARAMETER, error.to_string());
        answer.extra = Some(AHashMap::from_iter([
            (FastStr::from_static_str("field"), error.field.into()),
            (
                FastStr::from_static_str("rule"),
                FastStr::from_static_str(error.rule.name()),
            ),
            (FastStr::from_static_str("limit"), error.limit),
        ]));
        answer
    }
}

/// Refuses requests that break a rule with [`Code::BAD_PARAMETER`].
///
/// On a client it is the outermost layer (`layer_outer_front`), so that neither discovery nor a connection is spent on
/// a refused request; on a server it stands before the handler.
#[derive(Clone, Copy, Debug, Default)]
pub struct ValidateLayer;

impl<S> volo::Layer<S> for ValidateLayer {
    type Service = ValidateService<S>;

    fn layer(self, inner: S) -> Self::Service {
        ValidateService { inner }
    }
}

/// What [`ValidateLayer`] makes of a service.
#[derive(Clone, Debug)]
pub struct ValidateService<S> {
    inner: S,
}

impl<S, Cx, Req> volo::Service<Cx, Req> for ValidateService<S>
where
    S: volo::Service<Cx, Req> + Send + Sync + 'static,
    S::Error: From<BizError>,
    Cx: ThriftContext,
    Req: Validate + Send + 'static,
{
    type Response = S::Response;
    type Error = S::Error;

    async fn call(&self, cx: &mut Cx, req: Req) -> Result<Self::Response, Self::Error> {
        req.validate().map_err(|error| refuse(cx, error.into()))?;
        self.inner.call(cx, req).await
    }
}
