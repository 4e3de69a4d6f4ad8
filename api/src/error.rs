//! The API's one error type: an outcome of the table of codes, and what the client may know of its reason.
//!
//! A cause is logged where it arises, in this process or in a service, under the request id. It is never sent.

use std::time::Duration;

use http::StatusCode;
use idl::base::{Code, Reason};
use limits::Refused;
use service::RpcError;

use crate::i18n::{Language, Rule, code_message, name_message, reason_message};

/// Why a request was refused or failed.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{}: {}", .code.inner(), .detail.message(Language::English))]
pub struct ApiError {
    code: Code,
    detail: Detail,
    /// Where it isn't the one that the code stands for.
    status: Option<StatusCode>,
    retry_after: Option<Duration>,
}

/// What is behind an outcome, as far as the client may know.
#[derive(Debug, Clone)]
enum Detail {
    /// The message of the code says it all.
    None,
    /// A parameter by its name in the contract, and the rule that it breaks.
    Parameter(String, Rule),
    /// A reason that a service gave, with the limit that was passed, and the service's own English message.
    Reason(Reason, Option<u64>, String),
    /// A service's own English message. A service of another version gives no reason, or one that isn't known here.
    Message(String),
}

impl Detail {
    /// As `status_msg` goes on with it; empty when there is nothing to say.
    fn message(&self, language: Language) -> String {
        match self {
            Self::None => String::new(),
            Self::Parameter(name, rule) => {
                let name = name_message(name, language);
                format!("{name}{}{}", language.colon(), rule.message(language))
            }
            Self::Reason(reason, limit, message) => {
                reason_message(*reason, *limit, language).unwrap_or_else(|| message.clone())
            }
            Self::Message(message) => message.clone(),
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
            retry_after: None,
        }
    }

    /// A parameter that breaks a rule.
    pub fn bad_parameter(name: &str, rule: Rule) -> Self {
        Self::new(Code::BAD_PARAMETER).with_detail(Detail::Parameter(name.to_owned(), rule))
    }

    /// A required parameter that isn't there.
    pub fn missing(name: &str) -> Self {
        Self::bad_parameter(name, Rule::Missing)
    }

    /// The file in `name` is in none of the formats.
    pub fn unknown_format(name: &str) -> Self {
        let detail = Detail::Parameter(name.to_owned(), Rule::Container);
        Self::new(Code::NOT_A_VIDEO).with_detail(detail)
    }

    /// A body above its limit.
    pub fn too_large() -> Self {
        Self::new(Code::TOO_LARGE)
    }

    /// No route has this path.
    pub fn not_found() -> Self {
        Self::bad_parameter("path", Rule::NoSuchPath).with_status(StatusCode::NOT_FOUND)
    }

    /// The route at this path takes only `methods`.
    pub fn method_not_allowed(methods: &'static str) -> Self {
        Self::bad_parameter("method", Rule::OnlyMethods(methods))
            .with_status(StatusCode::METHOD_NOT_ALLOWED)
    }

    /// A content type that no route takes.
    pub fn unsupported_media_type() -> Self {
        Self::bad_parameter("Content-Type", Rule::NoSuchType)
            .with_status(StatusCode::UNSUPPORTED_MEDIA_TYPE)
    }

    /// A body that came too slowly.
    pub fn request_timeout() -> Self {
        Self::bad_parameter("body", Rule::TooSlow).with_status(StatusCode::REQUEST_TIMEOUT)
    }

    fn with_detail(self, detail: Detail) -> Self {
        Self { detail, ..self }
    }

    fn with_status(self, status: StatusCode) -> Self {
        Self {
            status: Some(status),
            ..self
        }
    }

    /// What the client sees as `status_code`.
    pub fn code(&self) -> Code {
        self.code
    }

    /// What the client sees as `status_msg`.
    pub fn message(&self, language: Language) -> String {
        let code = code_message(self.code, language);
        match self.detail.message(language) {
            detail if detail.is_empty() => code.to_owned(),
            detail => format!("{code}{}{detail}", language.colon()),
        }
    }

    /// Whether the failure is the server's. Then the request may have been carried out all the same.
    pub fn is_server_error(&self) -> bool {
        matches!(
            self.code,
            Code::INTERNAL | Code::UNAVAILABLE | Code::TIMED_OUT
        )
    }

    /// After how many seconds the client may try again; none where that would be of no use.
    pub fn retry_after(&self) -> Option<u64> {
        let is_temporary = matches!(
            self.http_status(),
            StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE
        );
        // Failed videos count until their author deletes them, so waiting doesn't help.
        let is_permanent = matches!(self.detail, Detail::Reason(Reason::TOO_MANY_UNFINISHED, ..));
        let wait = self.retry_after.unwrap_or_default();
        // Rounded up: a client that waits for so long is let in.
        (is_temporary && !is_permanent)
            .then(|| wait.as_secs() + u64::from(wait.subsec_nanos() > 0))
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
            retry_after: Some(refused.wait),
            ..Self::new(Code::TOO_MANY_REQUESTS)
        }
    }
}

impl From<volo_thrift::ClientError> for ApiError {
    fn from(error: volo_thrift::ClientError) -> Self {
        let refusal = match RpcError::from(error) {
            RpcError::Biz(refusal) => refusal,
            // Of a failure the client gets the code alone.
            failure => return Self::new(failure.code()),
        };
        if let Some(broken) = idl::ValidateError::from_biz(&refusal) {
            let name = broken.field.clone();
            return Self::bad_parameter(&name, Rule::Interface(broken));
        }
        let message = refusal.status_message.to_string();
        let detail = match idl::reason(&refusal) {
            Some((reason, limit)) => Detail::Reason(reason, limit, message),
            None if message.is_empty() => Detail::None,
            None => Detail::Message(message),
        };
        Self::new(idl::code(&refusal)).with_detail(detail)
    }
}

#[cfg(test)]
mod tests {
    use idl::{biz, biz_because};
    use volo_thrift::{BizError, ClientError};

    use super::*;

    fn details(error: BizError) -> [String; 2] {
        let error = ApiError::from(ClientError::Biz(error));
        [Language::English, Language::Chinese].map(|language| {
            let code = code_message(error.code(), language);
            let message = error.message(language);
            let detail = message.strip_prefix(code).unwrap();
            detail.trim_start_matches(language.colon()).to_owned()
        })
    }

    #[test]
    fn a_reason_is_shown_in_the_language_of_the_client() {
        let refusal = biz_because(
            Code::NOT_A_VIDEO,
            Reason::TOO_LONG,
            Some(60),
            "said by the service",
        );
        assert_eq!(
            details(refusal),
            ["the video is longer than 60 s", "视频时长超过 60 秒"]
        );
    }

    #[test]
    fn without_a_reason_that_is_known_the_services_message_is_shown() {
        let (code, message) = (Code::NOT_A_VIDEO, "the file is cut short");
        let earlier_version = biz(code, message);
        let later_version = biz_because(code, Reason::from(9999), None, message);
        let without_its_limit = biz_because(code, Reason::TOO_LONG, None, message);
        for refusal in [earlier_version, later_version, without_its_limit] {
            assert_eq!(details(refusal), [message; 2]);
        }
        assert_eq!(details(biz(code, "")), ["", ""]);
    }

    #[test]
    fn a_refused_parameter_is_named_with_its_rule() {
        let error = ApiError::missing("title");
        assert_eq!(
            error.message(Language::English),
            "bad parameter: title: is missing"
        );
        assert_eq!(
            error.message(Language::Chinese),
            "参数错误：title：缺少该参数"
        );
        let broken = idl::ValidateError::new("title", idl::Rule::MaxChars, "100");
        let error = ApiError::from(ClientError::Biz(broken.into()));
        let message = error.message(Language::English);
        assert_eq!(message, "bad parameter: title: at most 100 characters");
    }

    #[test]
    fn the_http_status_tells_whose_fault_it_is() {
        for (error, status) in [
            (ApiError::new(Code::NO_SUCH_VIDEO), 200),
            (ApiError::missing("title"), 200),
            (ApiError::unknown_format("data"), 200),
            (ApiError::not_found(), 404),
            (ApiError::method_not_allowed("POST"), 405),
            (ApiError::request_timeout(), 408),
            (ApiError::too_large(), 413),
            (ApiError::unsupported_media_type(), 415),
            (ApiError::new(Code::TOO_MANY_REQUESTS), 429),
            (ApiError::new(Code::INTERNAL), 500),
            (ApiError::new(Code::from(29_999)), 500),
            (ApiError::new(Code::UNAVAILABLE), 503),
            (ApiError::new(Code::TIMED_OUT), 504),
        ] {
            assert_eq!(error.http_status(), status, "{error}");
        }
    }

    #[test]
    fn the_wait_is_rounded_up_to_a_second() {
        for (wait, seconds) in [(0, 1), (1, 1), (1000, 1), (1001, 2), (60_000, 60)] {
            let wait = Duration::from_millis(wait);
            let error = ApiError::from(Refused { wait });
            assert_eq!(error.retry_after(), Some(seconds), "{wait:?}");
        }
        assert_eq!(ApiError::new(Code::UNAVAILABLE).retry_after(), Some(1));
        assert_eq!(ApiError::new(Code::INTERNAL).retry_after(), None);
    }

    #[test]
    fn where_waiting_is_of_no_use_no_wait_is_named() {
        let reason = Reason::TOO_MANY_UNFINISHED;
        let refusal = biz_because(Code::TOO_MANY_REQUESTS, reason, Some(20), "too many");
        let error = ApiError::from(ClientError::Biz(refusal));
        assert_eq!(error.http_status(), 429);
        assert_eq!(error.retry_after(), None);
        // A service of a version before gave no reason.
        let refusal = biz(Code::TOO_MANY_REQUESTS, "too many");
        let error = ApiError::from(ClientError::Biz(refusal));
        assert_eq!(error.retry_after(), Some(1));
    }
}
