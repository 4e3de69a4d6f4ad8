//! `POST /douyin/user/profile/`: a user changes what they show of themself.
//!
//! Pictures lie in memory until the user service has them. They are small, and only so many requests with pictures are read at once.

use std::sync::Arc;

use auth::TokenSubject;
use bytes::Bytes;
use idl::{
    base::Code,
    user::{AddPictureRequest, PictureKind, SetProfileRequest},
};
use multipart::{Form, Limits};
use service::{Admission, content_length};
use telemetry::metrics;
use volo_http::body::Body;

use super::user::Profile;
use crate::{
    app::{App, PICTURES},
    call::{Auth as _, Lenient, Streamed},
    client_address::ClientAddress,
    error::ApiError,
    i18n::Rule,
    page,
    params::{
        Parameters as _, Params,
        body::{chunks, multipart_type},
        multipart::{limits, text},
        parameters,
        types::{File, Signature},
    },
    rate_limit::{self, PendingCount},
    route::Route,
};

/// Largest picture that may be sent: a photo of a telephone. The interface says the same.
const MAX_PICTURE: usize = 8 << 20;
/// The parts that are pictures.
const AVATAR: &str = "avatar";
const BACKGROUND_IMAGE: &str = "background_image";

parameters! {
    /// What changes of a profile; what is absent stays.
    pub struct ProfileChange {
        /// A picture: JPEG, PNG or WebP, at most 8 MiB. It is shown at most 512 pixels wide.
        pub avatar: Option<File>,
        /// A picture: JPEG, PNG or WebP, at most 8 MiB. It is shown at most 1500 pixels wide.
        pub background_image: Option<File>,
        /// At most 200 characters; empty: none any more.
        pub signature: Option<Signature>,
    }
}

/// The declaration of this route.
pub fn route() -> Route {
    Route::upload("/douyin/user/profile/", profile)
        .described(
            "Change one's profile",
            "Any of the three, in any order. One sees it oneself at once, others within 5 s. An addition of ours.",
        )
}

async fn profile(
    app: Arc<App>,
    streamed: Streamed<TokenSubject, ProfileChange>,
) -> Result<Profile, ApiError> {
    let (parts, body) = streamed.request.into_parts();
    let request = Head {
        client: ClientAddress::of(&parts.extensions)?,
        admission: Admission::of(&parts.extensions),
        pending: parts.extensions.get().cloned(),
    };
    let query = parts.uri.query().unwrap_or_default();
    let mut params = Params::from_head(query, &parts.headers)?;
    // Who is known not to be allowed need not send anything.
    Option::<TokenSubject>::read(&app, &params)?;
    let mut pictures = UploadedPictures::default();
    let read = match multipart_type(&parts.headers) {
        Some(content_type) => {
            let max_bytes = 2 * MAX_PICTURE as u64 + (1 << 20);
            if content_length(&parts.headers).is_some_and(|length| length > max_bytes) {
                return Err(ApiError::too_large());
            }
            let _reading = metrics::in_queue(PICTURES);
            let permit = app.picture_slots.try_acquire();
            let Ok(_permit) = permit else {
                metrics::semaphore_refused(PICTURES);
                return Err(ApiError::new(Code::TOO_MANY_REQUESTS));
            };
            pictures.read(&mut params, content_type, body).await
        }
        None => {
            params
                .add_body(&parts.headers, body, ProfileChange::keeps, None)
                .await
        }
    };
    request.count(&app, &params)?;
    read?;
    let holder = TokenSubject::read(&app, &params)?;
    request.admission.admitted();
    rate_limit::write(&app, holder.user_id)?;
    app.accounts.must_exist(&holder).await?;
    change(&app, holder.user_id, &params, pictures).await
}

/// What is known of a request before its body.
struct Head {
    client: ClientAddress,
    admission: Admission,
    pending: Option<PendingCount>,
}

impl Head {
    /// Counts the request for the rate limit: of its user, or of its address if there is no valid token.
    fn count(&self, app: &App, params: &Params) -> Result<(), ApiError> {
        let Lenient(viewer) = Lenient::read(app, params)?;
        match &self.pending {
            Some(pending) => pending.count(app, self.client, viewer.map(|holder| holder.user_id)),
            None => Ok(()),
        }
    }
}

/// The pictures of a request.
#[derive(Default)]
struct UploadedPictures {
    avatar: Option<Vec<u8>>,
    background_image: Option<Vec<u8>>,
}

impl UploadedPictures {
    /// Reads all parts: pictures are kept here, all others go to the parameters.
    async fn read(
        &mut self,
        params: &mut Params,
        content_type: &str,
        body: Body,
    ) -> Result<(), ApiError> {
        let chunks = Box::pin(chunks(body));
        let limits = Limits {
            other_bytes: 2 * MAX_PICTURE as u64 + (1 << 20),
            ..limits(None)
        };
        let keeps =
            |name: &str| [AVATAR, BACKGROUND_IMAGE].contains(&name) || ProfileChange::keeps(name);
        let mut parts = Form::new(content_type, chunks, keeps, limits)?;
        while let Some(part) = parts.next_part().await? {
            let name = part.name.clone();
            let picture = match name.as_str() {
                AVATAR => &mut self.avatar,
                BACKGROUND_IMAGE => &mut self.background_image,
                _ => {
                    let (name, value) = text(part).await?;
                    params.add(name, value);
                    continue;
                }
            };
            if picture.is_some() {
                return Err(ApiError::bad_parameter(&name, Rule::GivenTwice));
            }
            let bytes = part.bytes(MAX_PICTURE).await?;
            if bytes.is_empty() {
                return Err(ApiError::bad_parameter(&name, Rule::Empty));
            }
            *picture = Some(bytes);
        }
        Ok(())
    }
}

async fn change(
    app: &App,
    user_id: i64,
    params: &Params,
    pictures: UploadedPictures,
) -> Result<Profile, ApiError> {
    let signature = ProfileChange::read(params)?.signature;
    if signature.is_none() && pictures.avatar.is_none() && pictures.background_image.is_none() {
        return Err(ApiError::missing("signature"));
    }
    let avatar_key = add(app, user_id, AVATAR, PictureKind::AVATAR, pictures.avatar);
    let avatar_key = avatar_key.await?;
    let (name, kind) = (BACKGROUND_IMAGE, PictureKind::BACKGROUND);
    let background_image_key = add(app, user_id, name, kind, pictures.background_image).await?;
    let request = SetProfileRequest {
        user_id,
        avatar_key,
        background_image_key,
        signature: signature.map(|Signature(text)| text.into()),
    };
    let row = app.user.set_profile(request).await?.user;
    // What this process has cached is what it was.
    app.users.insert(row.id, row.clone());
    app.accounts.insert(row.clone());
    Ok(Profile {
        user: page::counted(app, row).await,
    })
}

/// Gives a picture to the user service; its key.
async fn add(
    app: &App,
    user_id: i64,
    name: &'static str,
    kind: PictureKind,
    picture: Option<Vec<u8>>,
) -> Result<Option<pilota::FastStr>, ApiError> {
    let Some(picture) = picture else {
        return Ok(None);
    };
    let request = AddPictureRequest {
        user_id,
        kind,
        content: Bytes::from(picture),
    };
    match app.user.add_picture(request).await.map_err(ApiError::from) {
        Ok(added) => Ok(Some(added.picture_key)),
        // The only thing that can be wrong with it; now the client learns which of two it was.
        Err(error) if error.code() == Code::BAD_PARAMETER => {
            Err(ApiError::bad_parameter(name, Rule::Picture))
        }
        Err(error) => Err(error),
    }
}
