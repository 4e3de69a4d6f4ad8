//! An operator's commands: takes down a video or a comment, suspends a user or lets them in again. By the services' own sagas, and logged with a reason,
//! in their logs and in the table `moderations`.

use std::{error::Error, process::ExitCode};

use idl::{
    base::Code,
    comment::{CommentServiceClientBuilder, TakeDownCommentRequest},
    user::{SuspendUserRequest, UserServiceClientBuilder},
    video::{TakeDownVideoRequest, VideoServiceClientBuilder},
};
use service::{Clients, RpcError};

const USAGE: &str = "usage: moderate video|comment|suspend|readmit ID REASON...
  video ID REASON      takes down a video, with its likes, comments and files
  comment ID REASON    takes down a comment
  suspend ID REASON    ends all tokens of a user and lets them log in no more
  readmit ID REASON    lets them log in again";

type Failure = Box<dyn Error + Send + Sync>;

#[tokio::main]
async fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match moderate(&arguments).await {
        Ok(done) => {
            println!("{done}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("moderate: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn moderate(arguments: &[String]) -> Result<String, Failure> {
    let [action, id, reason @ ..] = arguments else {
        return Err(USAGE.into());
    };
    let id: i64 = id.parse().map_err(|_| format!("{id} is no id\n{USAGE}"))?;
    let reason = reason.join(" ");
    if reason.trim().is_empty() {
        return Err(format!("why? The reason is logged.\n{USAGE}").into());
    }
    let settings = settings::Settings::load()?;
    telemetry::init("moderate", &settings.log, &settings.trace)?;
    let clients = Clients::new("moderate", &settings).await?;
    let reason = reason.into();
    match action.as_str() {
        "video" => {
            let video = clients.client(VideoServiceClientBuilder::new("video"));
            let request = TakeDownVideoRequest {
                video_id: id,
                reason,
            };
            video.take_down_video(request).await.map_err(describe)?;
            Ok(format!("video {id} is taken down"))
        }
        "comment" => {
            let comment = clients.client(CommentServiceClientBuilder::new("comment"));
            let request = TakeDownCommentRequest {
                comment_id: id,
                reason,
            };
            comment.take_down_comment(request).await.map_err(describe)?;
            Ok(format!("comment {id} is taken down"))
        }
        "suspend" | "readmit" => {
            let user = clients.client(UserServiceClientBuilder::new("user"));
            let suspended = action == "suspend";
            let request = SuspendUserRequest {
                user_id: id,
                suspended,
                reason,
            };
            user.suspend_user(request).await.map_err(describe)?;
            Ok(match suspended {
                true => format!("user {id} is suspended; tokens end within 5 s"),
                false => format!("user {id} may log in again"),
            })
        }
        _ => Err(USAGE.into()),
    }
}

/// In words.
fn describe(error: volo_thrift::ClientError) -> Failure {
    let refusal = match RpcError::from(error) {
        RpcError::Biz(refusal) => refusal,
        failure => return failure.into(),
    };
    match idl::code(&refusal) {
        Code::NO_SUCH_VIDEO => "there is no such video".into(),
        Code::NO_SUCH_COMMENT => "there is no such comment".into(),
        Code::NO_SUCH_USER => "there is no such user".into(),
        code => format!("refused: {} {}", code.inner(), refusal.status_message).into(),
    }
}
