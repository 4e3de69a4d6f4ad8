//! `POST /douyin/user/profile/`: a user changes what they show of themself.
//!
//! Pictures lie in memory until the user service has them. They are small, and only so many requests with pictures are read at once. So the
//! token of a form comes before its pictures: a stranger gets no memory.

use std::{sync::Arc, time::Duration};

use auth::TokenSubject;
use bytes::Bytes;
use idl::{
    base::Code,
    user::{AddPictureRequest, PictureKind, SetProfileRequest},
};
use multipart::Limits;
use service::{Admission, content_length};
use tokio::time::Instant;
use volo_http::body::Body;

use super::user::Profile;
use crate::{
    app::App,
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
    upload::{
        interruptible::interruptible,
        slots::{Slot, SlotClaim},
    },
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
            "Any of the three, in any order; in a form the token before the pictures. One sees it oneself at once, others a few seconds later, as a rule. An addition of ours.",
        )
}

async fn profile(
    app: Arc<App>,
    streamed: Streamed<TokenSubject, ProfileChange>,
) -> Result<Profile, ApiError> {
    let (parts, body) = streamed.request.into_parts();
    let query = parts.uri.query().unwrap_or_default();
    let mut form = Form {
        app: &app,
        params: Params::from_head(query, &parts.headers)?,
        client: ClientAddress::of(&parts.extensions)?,
        admission: Admission::of(&parts.extensions),
        pending: parts.extensions.get().cloned(),
        claim: Arc::default(),
        allowed: None,
        slot: None,
        pictures: UploadedPictures::default(),
    };
    // Who is known not to be allowed need not send anything.
    let known = Option::<TokenSubject>::read(&app, &form.params)?;
    if let Some(content_type) = multipart_type(&parts.headers) {
        let max_bytes = 2 * MAX_PICTURE as u64 + (1 << 20);
        if content_length(&parts.headers).is_some_and(|length| length > max_bytes) {
            return Err(ApiError::too_large());
        }
        if let Some(holder) = known {
            form.admit(&holder).await?;
        }
        form.receive(content_type, body).await?;
    } else {
        let keeps = ProfileChange::keeps;
        let read = form
            .params
            .add_body(&app.body_budget, &parts.headers, body, keeps, None);
        let read = read.await;
        let Lenient(viewer) = Lenient::read(&app, &form.params)?;
        form.count(viewer)?;
        read?;
    }
    let holder = TokenSubject::read(&app, &form.params)?;
    form.allow(&holder).await?;
    // It may have ended while the pictures came.
    app.accounts.must_exist(&holder).await?;
    change(&app, holder.user_id, &form.params, form.pictures).await
}

/// A request that is being received.
struct Form<'a> {
    app: &'a App,
    params: Params,
    client: ClientAddress,
    admission: Admission,
    pending: Option<PendingCount>,
    claim: Arc<SlotClaim>,
    /// Whose token came with the head, or an earlier part of a form. A later part may have another's.
    allowed: Option<TokenSubject>,
    /// Held from the first picture on, until the user service has all.
    slot: Option<Slot<'a>>,
    pictures: UploadedPictures,
}

impl Form<'_> {
    /// Counts the request for the rate limit: of its user, or of its address if there is no valid token.
    fn count(&self, viewer: Option<TokenSubject>) -> Result<(), ApiError> {
        match &self.pending {
            Some(pending) => pending.count(self.app, self.client, viewer),
            None => Ok(()),
        }
    }

    /// Whether this user may change a profile now. It is one of their writes.
    async fn allow(&mut self, holder: &TokenSubject) -> Result<(), ApiError> {
        if self.allowed != Some(*holder) {
            rate_limit::write(self.app, holder).await?;
            self.allowed = Some(*holder);
        }
        Ok(())
    }

    /// The token is known: pictures may follow.
    async fn admit(&mut self, holder: &TokenSubject) -> Result<(), ApiError> {
        self.count(Some(*holder))?;
        self.allow(holder).await
    }

    /// A picture begins: its bytes lie in memory.
    async fn take_slot(&mut self) -> Result<(), ApiError> {
        let holder = Option::<TokenSubject>::read(self.app, &self.params)?;
        let holder = holder.filter(|_| self.allowed.is_some());
        let holder = holder.ok_or(ApiError::new(Code::NOT_LOGGED_IN))?;
        if self.slot.is_none() {
            let slots = &self.app.picture_slots;
            let slot = slots.take(holder.user_id.unsigned_abs(), &self.claim);
            self.slot = Some(slot.await?);
            // Whoever has a slot may take the time that an upload may take.
            self.admission.admitted();
        }
        Ok(())
    }

    /// Reads all parts: pictures are kept here, all others go to the parameters.
    async fn receive(&mut self, content_type: &str, body: Body) -> Result<(), ApiError> {
        let deadline = Instant::now() + Duration::from_secs(self.app.settings.upload.deadline_s);
        let chunks = interruptible(Box::pin(chunks(body)), self.claim.clone(), deadline);
        let limits = Limits {
            other_bytes: 2 * MAX_PICTURE as u64 + (1 << 20),
            ..limits(None)
        };
        let keeps =
            |name: &str| [AVATAR, BACKGROUND_IMAGE].contains(&name) || ProfileChange::keeps(name);
        let mut parts = multipart::Form::new(content_type, Box::pin(chunks), keeps, limits)?;
        while let Some(part) = parts.next_part().await? {
            let name = part.name.clone();
            if ![AVATAR, BACKGROUND_IMAGE].contains(&name.as_str()) {
                let (name, value) = text(part).await?;
                self.params.add(name, value);
                if let Some(holder) = Option::<TokenSubject>::read(self.app, &self.params)? {
                    self.admit(&holder).await?;
                }
                continue;
            }
            self.take_slot().await?;
            let picture = match name.as_str() {
                AVATAR => &mut self.pictures.avatar,
                _ => &mut self.pictures.background_image,
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
        // All of it is here. Nobody would notice an eviction.
        self.claim.pin();
        Ok(())
    }
}

/// The pictures of a request.
#[derive(Default)]
struct UploadedPictures {
    avatar: Option<Vec<u8>>,
    background_image: Option<Vec<u8>>,
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
    app.users.insert(row.clone());
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
