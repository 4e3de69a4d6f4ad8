//! The favorite service: who likes what, and the counts of videos and users.
//!
//! One use case a file. A like is a row, decided by its unique key; counting it is the ledger's affair in `dal`.

mod favorite_page;
mod forget_favorites;
mod list_favorites;
mod mget_flags;
mod set_favorite;

use dal::{Db, counters::Counters, favorites::Favorites};
use idl::{favorite as api, video::VideoServiceClient};
use rpc_server::{Authors, time_left, to_server_error};
use volo_thrift::ServerError;

/// Handles the calls of `favorite.thrift`.
pub struct FavoriteService {
    db: Db,
    counters: Counters,
    favorites: Favorites,
    authors: Authors,
}

impl FavoriteService {
    /// A service over this database and its counters; `video` tells whose a video is.
    pub fn new(db: Db, counters: Counters, video: VideoServiceClient) -> Self {
        let favorites = Favorites::start(db.clone(), counters.clone());
        let authors = Authors::new(video);
        Self {
            db,
            counters,
            favorites,
            authors,
        }
    }
}

impl api::FavoriteService for FavoriteService {
    async fn set_favorite(
        &self,
        request: api::SetFavoriteRequest,
    ) -> Result<api::SetFavoriteResponse, ServerError> {
        self.like_or_unlike(request).await
    }

    async fn list_favorites(
        &self,
        request: api::ListFavoritesRequest,
    ) -> Result<api::ListFavoritesResponse, ServerError> {
        self.liked_videos(request).await
    }

    async fn favorite_page(
        &self,
        request: api::FavoritePageRequest,
    ) -> Result<api::FavoritePageResponse, ServerError> {
        self.page(request).await
    }

    async fn mget_flags(
        &self,
        request: api::MGetFlagsRequest,
    ) -> Result<api::MGetFlagsResponse, ServerError> {
        self.flags(request).await
    }

    async fn forget_favorites(
        &self,
        request: api::ForgetFavoritesRequest,
    ) -> Result<api::ForgetFavoritesResponse, ServerError> {
        self.forget(request).await
    }
}
