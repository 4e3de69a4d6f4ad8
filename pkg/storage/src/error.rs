//! The errors of the object store.
//!
//! The errors of the library contain URLs, headers and text of the server, any of which may hold a signature. So only a status, a code or
//! a kind of failure is kept.

use std::error::Error;

use minio::s3::{
    error::{Error as S3Error, NetworkError, S3ServerError, ValidationErr},
    minio_error_response::MinioErrorCode,
};

/// An error of the object store.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StorageError {
    /// There is no such object, upload or bucket.
    #[error("object store: {operation}: not found")]
    NotFound {
        /// What was asked for.
        operation: &'static str,
    },
    /// The store can't be reached, is too slow or fails: a later retry may succeed.
    #[error("object store: {operation}: {reason}")]
    Unavailable {
        /// What was asked for.
        operation: &'static str,
        /// The kind of failure.
        reason: String,
    },
    /// The store refused the request; a retry wouldn't help.
    #[error("object store: {operation}: refused: {code}")]
    Refused {
        /// What was asked for.
        operation: &'static str,
        /// The store's code, in lower case for codes that the library doesn't know, or what is wrong with the request.
        code: String,
    },
    /// A setting of `[object_store]` can't be used.
    #[error("settings: object_store.{key}: {reason}")]
    Settings {
        /// The key in the section.
        key: &'static str,
        /// What is wrong.
        reason: String,
    },
}

/// Why [`crate::Store::send_parts`] stopped.
#[derive(Debug, thiserror::Error)]
pub enum SendError<E> {
    /// The stream's own error, unchanged.
    #[error(transparent)]
    Source(E),
    /// The stream was empty.
    #[error("nothing to store")]
    Empty,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StorageError),
}

impl StorageError {
    pub(crate) fn refused(operation: &'static str, code: impl Into<String>) -> Self {
        let code = code.into();
        Self::Refused { operation, code }
    }

    pub(crate) fn unavailable(operation: &'static str, reason: impl Into<String>) -> Self {
        let reason = reason.into();
        Self::Unavailable { operation, reason }
    }

    pub(crate) fn from_s3(operation: &'static str, error: S3Error) -> Self {
        match error {
            S3Error::S3Server(S3ServerError::S3Error(answer)) => {
                Self::from_code(operation, &answer.code())
            }
            S3Error::S3Server(
                S3ServerError::InvalidServerResponse {
                    http_status_code: status,
                    ..
                }
                | S3ServerError::HttpError(status, _),
            )
            | S3Error::Network(NetworkError::ServerError(status)) => {
                Self::from_status(operation, status)
            }
            S3Error::Network(NetworkError::ReqwestError(error))
            | S3Error::Validation(ValidationErr::HttpError(error)) => {
                if let Some(reason) = certificate_fault(&error) {
                    return Self::unavailable(operation, reason);
                }
                let reason = if error.is_connect() {
                    "no connection"
                } else if error.is_timeout() {
                    "timed out"
                } else {
                    "connection broken"
                };
                Self::unavailable(operation, reason)
            }
            S3Error::Validation(ValidationErr::InvalidBucketName { .. }) => {
                Self::refused(operation, "invalid bucket name")
            }
            S3Error::Validation(ValidationErr::InvalidObjectName(_)) => {
                Self::refused(operation, "invalid key")
            }
            S3Error::Validation(ValidationErr::InvalidUploadId(_)) => {
                Self::refused(operation, "invalid upload id")
            }
            S3Error::Validation(_) | S3Error::DriveIo(_) => {
                Self::refused(operation, "request or answer not understood")
            }
        }
    }

    fn from_status(operation: &'static str, status: u16) -> Self {
        match status {
            404 => Self::NotFound { operation },
            408 | 429 | 500.. => Self::unavailable(operation, format!("HTTP {status}")),
            _ => Self::refused(operation, format!("HTTP {status}")),
        }
    }

    fn from_code(operation: &'static str, code: &MinioErrorCode) -> Self {
        match code {
            MinioErrorCode::NoSuchBucket
            | MinioErrorCode::NoSuchKey
            | MinioErrorCode::ResourceNotFound => Self::NotFound { operation },
            // The library gives unknown codes in lower case.
            MinioErrorCode::OtherError(code) => match code.as_str() {
                "nosuchupload" => Self::NotFound { operation },
                code if is_temporary(code) => Self::unavailable(operation, code),
                // A code is one short word; anything else could be the store quoting the request.
                word if word.len() <= 64 && word.bytes().all(|b| b.is_ascii_alphanumeric()) => {
                    Self::refused(operation, word)
                }
                _ => Self::refused(operation, "unknown code"),
            },
            code => Self::refused(operation, code.to_string()),
        }
    }
}

/// Whether a code, in lower case, says that a later retry may succeed. MinIO and SeaweedFS have some of their own, for example while they start.
fn is_temporary(code: &str) -> bool {
    const CODES: [&str; 11] = [
        "internalerror",
        "serviceunavailable",
        "requesttimeout",
        "operationaborted",
        "toomanyrequests",
        "errtoomanyrequest",
        "errrequestbytesexceed",
        "xminioservernotinitialized",
        "xminiobackenddown",
        "xminioiamnotinitialized",
        "xminiobucketmetadatanotinitialized",
    ];
    // SlowDown, SlowDownRead, SlowDownWrite.
    code.starts_with("slowdown") || CODES.contains(&code)
}

/// The problem with the store's certificate, if that is the cause. The text comes from TLS and contains nothing of a request.
fn certificate_fault(error: &(dyn Error + 'static)) -> Option<String> {
    let mut cause = Some(error);
    while let Some(error) = cause {
        let text = error.to_string();
        if text.starts_with("invalid peer certificate") {
            return Some(tls::explain(&text));
        }
        cause = error.source();
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from(code: &str) -> StorageError {
        // As the library gives unknown codes.
        let code = MinioErrorCode::OtherError(code.to_lowercase());
        StorageError::from_code("test", &code)
    }

    #[test]
    fn codes_of_a_store_that_is_busy_or_starts_are_temporary_and_others_refusals() {
        for code in [
            "InternalError",
            "ServiceUnavailable",
            "RequestTimeout",
            "SlowDown",
            "SlowDownRead",
            "SlowDownWrite",
            "OperationAborted",
            "TooManyRequests",
            "ErrTooManyRequest",
            "ErrRequestBytesExceed",
            "XMinioServerNotInitialized",
            "XMinioBackendDown",
            "XMinioIAMNotInitialized",
            "XMinioBucketMetadataNotInitialized",
        ] {
            let error = from(code);
            let is_temporary = matches!(error, StorageError::Unavailable { .. });
            assert!(is_temporary, "{code}: {error}");
        }
        for code in ["EntityTooSmall", "InvalidPart", "XMinioStorageFull"] {
            let error = from(code);
            assert!(matches!(error, StorageError::Refused { .. }), "{error}");
        }
    }
}
