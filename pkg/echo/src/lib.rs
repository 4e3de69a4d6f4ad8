//! A service whose `login` and `register` do what the user's name says.
#![allow(clippy::panic, reason = "a panic is one of the things it does")]

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use idl::{
    base::Code,
    user::{
        LoginRequest, LoginResponse, MGetUsersRequest, MGetUsersResponse, RegisterRequest,
        RegisterResponse, UserService, UserServiceClient, UserServiceRequestSend,
    },
};
use service::Call;
use telemetry::{RequestId, cost};
use volo_thrift::{ApplicationException, ApplicationExceptionKind, ServerError};

/// The name it registers under.
pub const SERVICE: &str = "echo";
/// When set, the process never gets so far as to serve.
pub const STALL_VARIABLE: &str = "ECHO_STALL";
/// When set, the process serves under this name, and depends on the service of the usual one.
pub const NAME_VARIABLE: &str = "ECHO_NAME";
/// When set, the process depends on the file that it names.
pub const NEEDED_FILE_VARIABLE: &str = "ECHO_NEEDED_FILE";
/// When set, the process has a vital task that panics as soon as there is the file that it names.
pub const PANIC_FILE_VARIABLE: &str = "ECHO_PANIC_FILE";
/// The limit of every call.
pub const LIMIT: Duration = Duration::from_secs(2);

/// `login` may be repeated, `register` may not.
pub fn calls(request: &UserServiceRequestSend) -> Call {
    match request {
        UserServiceRequestSend::Login(_) | UserServiceRequestSend::MgetUsers(_) => {
            Call::idempotent(LIMIT)
        }
        UserServiceRequestSend::Register(_) => Call::once(LIMIT),
    }
}

/// Cheap to clone; clones share their count.
#[derive(Clone)]
pub struct Echo {
    executed: Arc<AtomicUsize>,
    next: UserServiceClient,
}

impl Echo {
    /// `next` is whom it asks when it shall pass something on.
    pub fn new(next: UserServiceClient) -> Self {
        Self {
            executed: Arc::default(),
            next,
        }
    }

    /// How many calls reached the handler.
    pub fn executed(&self) -> usize {
        self.executed.load(Ordering::SeqCst)
    }

    async fn act(&self, what: &str) -> Result<i64, ServerError> {
        self.executed.fetch_add(1, Ordering::SeqCst);
        let (verb, rest) = what.split_once(' ').unwrap_or((what, ""));
        match verb {
            "panic" => panic!("the secret of the handler"),
            "fail" => Err(ApplicationException::new(
                ApplicationExceptionKind::INTERNAL_ERROR,
                "the secret of the handler",
            )
            .into()),
            "overloaded" => Err(service::RpcError::Unavailable.into()),
            "refuse" => Err(idl::biz(Code::NAME_TAKEN, "taken").into()),
            "sleep" => {
                tokio::time::sleep(Duration::from_millis(rest.parse().unwrap_or(0))).await;
                Ok(0)
            }
            "sql" => {
                cost::add_sql(rest.parse().unwrap_or(0));
                Ok(0)
            }
            "whoami" => {
                let id = RequestId::current().map(|id| id.to_string());
                Err(idl::biz(Code::NO_SUCH_USER, id.unwrap_or_default()).into())
            }
            "patience" => {
                let left = service::deadline()
                    .map(|end| end.saturating_duration_since(std::time::Instant::now()));
                Ok(left.map_or(-1, |left| left.as_millis() as i64))
            }
            "pass" => {
                let request = login(rest);
                let answer = self
                    .next
                    .login(request)
                    .await
                    .map_err(service::RpcError::from)?;
                Ok(answer.user_id)
            }
            _ => Ok(i64::from(std::process::id())),
        }
    }
}

/// A `login` that asks for `what`.
pub fn login(what: &str) -> LoginRequest {
    LoginRequest {
        username: what.to_owned().into(),
        password: "-".into(),
    }
}

impl UserService for Echo {
    async fn register(&self, req: RegisterRequest) -> Result<RegisterResponse, ServerError> {
        let user_id = self.act(&req.username).await?;
        Ok(RegisterResponse {
            user_id,
            created_ms: None,
        })
    }

    async fn login(&self, req: LoginRequest) -> Result<LoginResponse, ServerError> {
        let user_id = self.act(&req.username).await?;
        Ok(LoginResponse {
            user_id,
            created_ms: None,
        })
    }

    async fn mget_users(&self, _req: MGetUsersRequest) -> Result<MGetUsersResponse, ServerError> {
        Ok(MGetUsersResponse { users: Vec::new() })
    }
}
