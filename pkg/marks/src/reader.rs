//! Who reads and what they must see: passed from the process that reads the marks to the process that asks the database.

/// A commit and its identifier in the database.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Commit {
    /// Its number among all commits; a later commit has a greater one.
    pub seq: u64,
    /// Its GTID, or the set of GTIDs up to it. Contains no white space.
    pub gtid: String,
}

impl Commit {
    /// Parses "seq gtid"; `None` for anything else.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (seq, gtid) = text.split_once(' ')?;
        let named = !gtid.is_empty() && gtid != "-" && !gtid.contains(char::is_whitespace);
        named.then_some(Self {
            seq: seq.parse().ok()?,
            gtid: gtid.to_owned(),
        })
    }
}

/// What a read must see.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Consistency {
    /// Nothing in particular: any replica will do.
    Any,
    /// All commits up to this one.
    UpTo {
        /// The newest of them.
        commit: Commit,
        /// Whether a mark demands it; otherwise the epoch does, whose commit is old.
        marked: bool,
    },
    /// Every commit that was acknowledged before the read began.
    All(StrictReason),
}

impl Consistency {
    /// Whether a mark demands more than everybody must see.
    pub fn is_marked(&self) -> bool {
        matches!(
            self,
            Self::UpTo { marked: true, .. } | Self::All(StrictReason::Marked)
        )
    }

    /// What both must see: the stricter of the two.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::All(one), Self::All(other)) => Self::All(one.max(other)),
            (Self::All(why), _) | (_, Self::All(why)) => Self::All(why),
            (Self::Any, other) => other,
            (one, Self::Any) => one,
            (
                Self::UpTo {
                    commit: one,
                    marked: is_marked,
                },
                Self::UpTo {
                    commit: other,
                    marked,
                },
            ) => Self::UpTo {
                commit: if one.seq > other.seq { one } else { other },
                marked: is_marked || marked,
            },
        }
    }
}

/// Why a read must see everything; the greater ones are met by fewer servers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum StrictReason {
    /// The marks can't be read.
    Unknown,
    /// It shows what was just written, and commits can't be compared.
    Marked,
    /// It decides a write, or nothing is known of it.
    Decides,
}

/// Who reads and what they must see.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reader {
    /// Who or what keeps to one replica while it is well, so that time doesn't run backwards: the id of a user, or the
    /// [hash](page_affinity) of a page that many are shown; none: anybody.
    pub affinity: Option<i64>,
    /// What they must see.
    pub consistency: Consistency,
}

impl Reader {
    /// A read that must see everything: it decides a write, or its reader is unknown.
    pub const STRICT: Self = Self {
        affinity: None,
        consistency: Consistency::All(StrictReason::Decides),
    };
    /// A read that any replica may answer.
    pub const ANY_REPLICA: Self = Self {
        affinity: None,
        consistency: Consistency::Any,
    };

    /// For rows that never change: any replica may answer, and missing rows are asked for once more on the primary.
    #[must_use]
    pub fn for_immutable_rows(self) -> Self {
        Self {
            consistency: Consistency::Any,
            ..self
        }
    }

    /// As the value of a header.
    pub fn to_header(&self) -> String {
        let user = self
            .affinity
            .map_or_else(|| "-".to_owned(), |id| id.to_string());
        match &self.consistency {
            Consistency::Any => format!("{user} any"),
            Consistency::All(StrictReason::Decides) => format!("{user} all"),
            Consistency::All(StrictReason::Marked) => format!("{user} all-marked"),
            Consistency::All(StrictReason::Unknown) => format!("{user} all-unknown"),
            Consistency::UpTo { commit, marked } => {
                let why = if *marked { "marked" } else { "upto" };
                format!("{user} {why} {} {}", commit.seq, commit.gtid)
            }
        }
    }

    /// The inverse of [`to_header`](Self::to_header). [`STRICT`](Self::STRICT) for anything else, and for nothing.
    pub fn from_header(text: Option<&str>) -> Self {
        text.and_then(Self::parse).unwrap_or(Self::STRICT)
    }

    fn parse(text: &str) -> Option<Self> {
        let (user, consistency) = text.split_once(' ')?;
        let affinity = match user {
            "-" => None,
            id => Some(id.parse().ok()?),
        };
        let consistency = match consistency.split_once(' ') {
            None if consistency == "any" => Consistency::Any,
            None if consistency == "all" => Consistency::All(StrictReason::Decides),
            None if consistency == "all-marked" => Consistency::All(StrictReason::Marked),
            None if consistency == "all-unknown" => Consistency::All(StrictReason::Unknown),
            Some((why @ ("marked" | "upto"), commit)) => Consistency::UpTo {
                commit: Commit::parse(commit)?,
                marked: why == "marked",
            },
            _ => return None,
        };
        Some(Self {
            affinity,
            consistency,
        })
    }
}

/// The affinity of a page that is read once for many, by its name: FNV-1a (64 bits). Every process of every version must give the
/// same, or time runs backwards for whoever is shown the page by two of them.
pub fn page_affinity(page: &str) -> i64 {
    let hash = page.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    hash.cast_signed()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reader_survives_the_journey() {
        for affinity in [None, Some(7), Some(page_affinity("feed"))] {
            for consistency in [
                Consistency::Any,
                Consistency::All(StrictReason::Decides),
                Consistency::All(StrictReason::Marked),
                Consistency::All(StrictReason::Unknown),
                Consistency::UpTo {
                    commit: Commit {
                        seq: 123,
                        gtid: "0-1-123".to_owned(),
                    },
                    marked: true,
                },
                Consistency::UpTo {
                    commit: Commit {
                        seq: 9,
                        gtid: "3e11fa47-71ca-11e1-9e33-c80aa9429562:1-9".to_owned(),
                    },
                    marked: false,
                },
            ] {
                let reader = Reader {
                    affinity,
                    consistency,
                };
                assert_eq!(Reader::from_header(Some(&reader.to_header())), reader);
            }
        }
    }

    #[test]
    fn a_page_keeps_to_its_replica_whatever_version_asks() {
        assert_eq!(page_affinity("").cast_unsigned(), 0xcbf2_9ce4_8422_2325);
        assert_eq!(
            page_affinity("foobar").cast_unsigned(),
            0x8594_4171_f739_67e8
        );
    }

    #[test]
    fn together_they_must_see_what_the_strictest_must() {
        let up_to = |seq: u64, marked| Consistency::UpTo {
            commit: Commit {
                seq,
                gtid: format!("0-1-{seq}"),
            },
            marked,
        };
        let all = Consistency::All;
        for (one, other, both) in [
            (Consistency::Any, Consistency::Any, Consistency::Any),
            (Consistency::Any, up_to(1, false), up_to(1, false)),
            (up_to(2, false), up_to(1, true), up_to(2, true)),
            (
                up_to(2, true),
                all(StrictReason::Unknown),
                all(StrictReason::Unknown),
            ),
            (
                all(StrictReason::Marked),
                all(StrictReason::Unknown),
                all(StrictReason::Marked),
            ),
            (
                all(StrictReason::Decides),
                Consistency::Any,
                all(StrictReason::Decides),
            ),
            (
                all(StrictReason::Decides),
                all(StrictReason::Marked),
                all(StrictReason::Decides),
            ),
        ] {
            assert_eq!(one.clone().and(other.clone()), both);
            assert_eq!(other.and(one), both);
        }
    }

    #[test]
    fn what_is_not_understood_must_see_everything() {
        for text in [
            "",
            "7",
            "x any",
            "7 some",
            "7 upto 1",
            "7 upto x 0-1-1",
            "7 marked 1 -",
            "7 any 1",
        ] {
            assert_eq!(Reader::from_header(Some(text)), Reader::STRICT, "{text:?}");
        }
        assert_eq!(Reader::from_header(None), Reader::STRICT);
    }
}
