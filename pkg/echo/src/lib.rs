//! A service for the tests of `service`: the user name in `login` and `register` tells its handler what to do.
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
        LoginRequest, LoginResponse, RegisterResponse, UserServiceClient,
        UserServiceLoginResultSend, UserServiceRegisterResultSend, UserServiceRequestRecv,
        UserServiceResponseSend,
    },
};
use telemetry::{RequestId, cost};
use volo_thrift::{
    ApplicationException, ApplicationExceptionKind, ServerError, context::ServerContext,
};

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

/// The two methods that the tests call. Written over the enum of all requests, so that `user.thrift` may get further methods.
impl volo::Service<ServerContext, UserServiceRequestRecv> for Echo {
    type Response = UserServiceResponseSend;
    type Error = ServerError;

    async fn call(
        &self,
        _: &mut ServerContext,
        request: UserServiceRequestRecv,
    ) -> Result<UserServiceResponseSend, ServerError> {
        let created_ms = None;
        match request {
            UserServiceRequestRecv::Register(args) => {
                let user_id = self.act(&args.req.username).await?;
                let response = RegisterResponse {
                    user_id,
                    created_ms,
                };
                let result = UserServiceRegisterResultSend::Ok(response);
                Ok(UserServiceResponseSend::Register(result))
            }
            UserServiceRequestRecv::Login(args) => {
                let user_id = self.act(&args.req.username).await?;
                let response = LoginResponse {
                    user_id,
                    created_ms,
                    token_epoch: None,
                };
                let result = UserServiceLoginResultSend::Ok(response);
                Ok(UserServiceResponseSend::Login(result))
            }
            _ => Err(ApplicationException::new(
                ApplicationExceptionKind::UNKNOWN_METHOD,
                "the echo service has login and register",
            )
            .into()),
        }
    }
}
