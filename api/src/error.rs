//! The API's one error: an outcome of the table of codes, and what of it the client may know.
//!
//! Causes are logged where they arise in this process or in the service, under the request id; never sent.

use http::StatusCode;
use idl::base::Code;
use service::RpcError;

use crate::params::body::BodyError;

/// Why a request was refused or failed.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{}: {detail}", .code.inner())]
pub struct ApiError {
    /// The outcome that the client sees as `status_code`.
    pub code: Code,
    /// What is wrong with which parameter; empty: the words of the code say it all.
    pub detail: String,
    /// The HTTP status, where it isn't the one that the code stands for.
    pub status: Option<StatusCode>,
}

impl ApiError {
    /// An outcome that needs no further words.
    pub fn new(code: Code) -> Self {
        Self {
            code,
            detail: String::new(),
            status: None,
        }
    }

    /// A parameter that breaks a rule.
    pub fn bad_parameter(name: &str, rule: &str) -> Self {
        Self {
            detail: format!("{name}: {rule}"),
            ..Self::new(Code::BAD_PARAMETER)
        }
    }

    /// A required parameter that isn't there.
    pub fn missing(name: &str) -> Self {
        Self::bad_parameter(name, "is missing")
    }

    /// What the interface calls `field` in the words of the contract, which calls it `name`.
    #[must_use]
    pub fn renamed(self, field: &str, name: &str) -> Self {
        let rule = self.detail.strip_prefix(field);
        match rule.and_then(|rest| rest.strip_prefix(':')) {
            Some(rule) => Self {
                detail: format!("{name}:{rule}"),
                ..self
            },
            None => self,
        }
    }

    /// A body above its limit.
    pub fn too_large() -> Self {
        Self::new(Code::TOO_LARGE)
    }

    /// A content type that no route takes.
    pub fn unsupported_media_type() -> Self {
        let error = Self::bad_parameter("Content-Type", "no route takes this type");
        Self {
            status: Some(StatusCode::UNSUPPORTED_MEDIA_TYPE),
            ..error
        }
    }

    /// Whether something of ours is to blame; then it may have been carried out all the same.
    pub fn is_ours(&self) -> bool {
        matches!(
            self.code,
            Code::INTERNAL | Code::UNAVAILABLE | Code::TIMED_OUT
        )
    }

    /// The HTTP status that tells the truth: 200 for the contract's own outcomes.
    pub fn http_status(&self) -> StatusCode {
        if let Some(status) = self.status {
            return status;
        }
        match self.code {
            Code::TOO_LARGE => StatusCode::PAYLOAD_TOO_LARGE,
            Code::TOO_MANY_REQUESTS => StatusCode::TOO_MANY_REQUESTS,
            Code::UNAVAILABLE => StatusCode::SERVICE_UNAVAILABLE,
            Code::TIMED_OUT => StatusCode::GATEWAY_TIMEOUT,
            code if code.inner() >= Code::INTERNAL.inner() => StatusCode::INTERNAL_SERVER_ERROR,
            _ => StatusCode::OK,
        }
    }
}

impl From<BodyError> for ApiError {
    fn from(error: BodyError) -> Self {
        let refused = Self::bad_parameter("body", &error.to_string());
        match error {
            BodyError::Stalled => Self {
                status: Some(StatusCode::REQUEST_TIMEOUT),
                ..refused
            },
            BodyError::Broken(_) => Self::bad_parameter("body", "is malformed or broke off"),
        }
    }
}

impl From<&idl::ValidateError> for ApiError {
    fn from(error: &idl::ValidateError) -> Self {
        Self {
            detail: error.to_string(),
            ..Self::new(Code::BAD_PARAMETER)
        }
    }
}

impl From<volo_thrift::ClientError> for ApiError {
    fn from(error: volo_thrift::ClientError) -> Self {
        match RpcError::from(error) {
            // A business error's message is made for the client; of a failure the code says all.
            RpcError::Biz(refusal) => Self {
                detail: refusal.status_message.to_string(),
                ..Self::new(idl::code(&refusal))
            },
            failure => Self::new(failure.code()),
        }
    }
}
