//! The API's one error: an outcome of the table of codes, and what of it the client may know.
//!
//! Causes are logged where they arise in this process or in the service, under the request id; never sent.

use std::time::Duration;

use http::StatusCode;
use idl::base::{Code, Reason};
use limits::Refused;
use service::RpcError;

use crate::{
    params::body::BodyError,
    reasons::reason_words,
    rules::{Rule, name_words},
    words::Language,
};

/// Why a request was refused or failed.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{}: {}", .code.inner(), .detail.words(Language::English))]
pub struct ApiError {
    /// The outcome that the client sees as `status_code`.
    pub code: Code,
    /// What the words of the code don't say.
    pub detail: Detail,
    /// The HTTP status, where it isn't the one that the code stands for.
    pub status: Option<StatusCode>,
    /// When it may be tried again, where that is known.
    pub wait: Option<Duration>,
}

/// What is behind an outcome, as far as the client may know.
#[derive(Debug, Clone)]
pub enum Detail {
    /// The words of the code say it all.
    None,
    /// A parameter by its name in the contract, and the rule that it breaks.
    Parameter(String, Rule),
    /// A reason that a service gave, with the limit that was passed, and what it said of it in English.
    Reason(Reason, Option<u64>, String),
    /// What a service said, in English: one of another version gives a reason that isn't known here, or none.
    Said(String),
}

impl Detail {
    /// As `status_msg` goes on with it; empty when there is nothing to say.
    pub fn words(&self, language: Language) -> String {
        match self {
            Self::None => String::new(),
            Self::Parameter(name, rule) => {
                let name = name_words(name, language);
                format!("{name}{}{}", language.colon(), rule.words(language))
            }
            Self::Reason(reason, limit, said) => {
                reason_words(*reason, *limit, language).unwrap_or_else(|| said.clone())
            }
            Self::Said(text) => text.clone(),
        }
    }
}

impl ApiError {
    /// An outcome that needs no further words.
    pub fn new(code: Code) -> Self {
        Self {
            code,
            detail: Detail::None,
            status: None,
            wait: None,
        }
    }

    /// A parameter that breaks a rule.
    pub fn bad_parameter(name: &str, rule: Rule) -> Self {
        Self {
            detail: Detail::Parameter(name.to_owned(), rule),
            ..Self::new(Code::BAD_PARAMETER)
        }
    }

    /// A required parameter that isn't there.
    pub fn missing(name: &str) -> Self {
        Self::bad_parameter(name, Rule::Missing)
    }

    /// What the interface calls `field` in the words of the contract, which calls it `name`.
    #[must_use]
    pub fn renamed(self, field: &str, name: &str) -> Self {
        match self.detail {
            Detail::Parameter(known, rule) if known == field => Self {
                detail: Detail::Parameter(name.to_owned(), rule),
                ..self
            },
            _ => self,
        }
    }

    /// A body above its limit.
    pub fn too_large() -> Self {
        Self::new(Code::TOO_LARGE)
    }

    /// A content type that no route takes.
    pub fn unsupported_media_type() -> Self {
        let error = Self::bad_parameter("Content-Type", Rule::NoSuchType);
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

    /// When the client is told to come again, in seconds.
    pub fn retry_after(&self) -> Option<u64> {
        let soon = matches!(
            self.http_status(),
            StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE
        );
        let wait = self.wait.unwrap_or_default();
        // Rounded up: who waits for so long is let in.
        soon.then(|| wait.as_secs() + u64::from(wait.subsec_nanos() > 0))
            .map(|seconds| seconds.max(1))
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

impl From<Refused> for ApiError {
    fn from(refused: Refused) -> Self {
        Self {
            wait: Some(refused.wait),
            ..Self::new(Code::TOO_MANY_REQUESTS)
        }
    }
}

impl From<BodyError> for ApiError {
    fn from(error: BodyError) -> Self {
        match error {
            BodyError::Stalled => Self {
                status: Some(StatusCode::REQUEST_TIMEOUT),
                ..Self::bad_parameter("body", Rule::Stalled)
            },
            BodyError::Broken(_) => Self::bad_parameter("body", Rule::BrokeOff),
        }
    }
}

impl From<&idl::ValidateError> for ApiError {
    fn from(error: &idl::ValidateError) -> Self {
        Self::bad_parameter(&error.field, Rule::Interface(error.clone()))
    }
}

impl From<volo_thrift::ClientError> for ApiError {
    fn from(error: volo_thrift::ClientError) -> Self {
        match RpcError::from(error) {
            // A business error's message is made for the client; of a failure the code says all.
            RpcError::Biz(refusal) => match idl::ValidateError::from_biz(&refusal) {
                Some(broken) => Self::from(&broken),
                None => Self {
                    detail: match (idl::reason(&refusal), refusal.status_message.as_str()) {
                        (Some((reason, limit)), said) => {
                            Detail::Reason(reason, limit, said.to_owned())
                        }
                        (None, "") => Detail::None,
                        (None, said) => Detail::Said(said.to_owned()),
                    },
                    ..Self::new(idl::code(&refusal))
                },
            },
            failure => Self::new(failure.code()),
        }
    }
}
