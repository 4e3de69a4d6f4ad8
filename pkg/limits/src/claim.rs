//! What is limited ([`Class`]), with its rates, and for whom ([`Claim`]).

use std::{
    hash::{DefaultHasher, Hash, Hasher as _},
    net::IpAddr,
    time::Duration,
};

use settings::client_network;

use crate::gcra::Rate;

/// The window of the rates.
const MINUTE: Duration = Duration::from_secs(60);
/// The limit for a name from all addresses together is this many times the limit from one address. So a single attacker can't lock the
/// owner out, and many can't guess without limit.
const ANYWHERE_FACTOR: u64 = 10;
/// The window of the quotas.
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

macro_rules! classes {
    ($($(#[$doc:meta])* $class:ident = $name:literal, $field:ident $(* $times:ident)?, $window:expr;)*) => {
        /// What is limited.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Class { $($(#[$doc])* $class),* }

        impl Class {
            /// The name in metrics and keys.
            pub(crate) fn name(self) -> &'static str {
                match self { $(Self::$class => $name),* }
            }

            pub(crate) fn rate(self, settings: &settings::Limits) -> Rate {
                match self {
                    $(Self::$class => Rate {
                        amount: settings.$field $(.saturating_mul($times))?,
                        window: $window,
                    }),*
                }
            }
        }
    };
}

classes! {
    /// Logins from an address.
    Login = "login", login_per_address, MINUTE;
    /// Logins as a name, from an address.
    LoginName = "login_name", login_per_name, MINUTE;
    /// Logins as a name, from wherever.
    LoginNameAnywhere = "login_name_anywhere", login_per_name * ANYWHERE_FACTOR, MINUTE;
    /// New accounts from an address.
    Register = "register", register_per_address, MINUTE;
    /// Uploads from an address whose file comes before their token.
    Publish = "publish", publish_per_address, MINUTE;
    /// Uploads of a user.
    PublishUser = "publish_user", publish_per_user, MINUTE;
    /// Likes, comments and follows of a user.
    WriteUser = "write_user", write_per_user, MINUTE;
    /// Messages that a user sends.
    MessageUser = "message_user", message_per_user, MINUTE;
    /// Everything from an address that shows no token.
    Request = "request", request_per_address, MINUTE;
    /// Everything of a user.
    RequestUser = "request_user", request_per_user, MINUTE;
    /// Bytes that a user uploads.
    UploadBytes = "upload_bytes", upload_bytes_per_user_day, DAY;
}

/// A class and the client it is counted for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Claim {
    class: Class,
    subject: u64,
}

impl Claim {
    /// What is limited.
    pub(crate) fn class(self) -> Class {
        self.class
    }

    /// The client, as a number.
    pub(crate) fn subject(self) -> u64 {
        self.subject
    }

    /// For an address; addresses of one IPv6 network count together.
    pub fn address(class: Class, address: IpAddr) -> Self {
        Self {
            class,
            subject: client_network(address),
        }
    }

    /// For a user.
    pub fn user(class: Class, user_id: i64) -> Self {
        Self {
            class,
            subject: user_id.unsigned_abs(),
        }
    }

    /// For a user's tokens of one epoch, which doesn't share with the others. It is hashed, except for the first epoch, whose claim is that of
    /// [`Self::user`].
    pub fn token(class: Class, user_id: i64, epoch: i64) -> Self {
        match epoch {
            0 => Self::user(class, user_id),
            epoch => Self {
                class,
                subject: hash((user_id, epoch)),
            },
        }
    }

    /// For a name. It is hashed, so two names may rarely count as one.
    pub fn name(class: Class, name: &str) -> Self {
        Self {
            class,
            subject: hash(name),
        }
    }

    /// For a name used from an address.
    pub fn name_from(class: Class, name: &str, address: IpAddr) -> Self {
        Self {
            class,
            subject: hash((name, client_network(address))),
        }
    }
}

fn hash(subject: impl Hash) -> u64 {
    // The same in every process: its keys are fixed.
    let mut hasher = DefaultHasher::new();
    subject.hash(&mut hasher);
    hasher.finish()
}
