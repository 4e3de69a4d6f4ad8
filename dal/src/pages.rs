//! Keyset pagination by primary key: the WHERE condition for the rows after, or up to, a cursor. A page has as many rows as wanted, however
//! many rows one value of the first column has.

use sea_orm::Value;

/// The columns of a primary key, one or two whole numbers.
pub(crate) struct Key(pub(crate) &'static [&'static str]);

impl Key {
    /// The condition for a row to be behind a place in the order of the key (absent: any row), and its values. Each part of it is one range.
    pub(crate) fn behind(&self, place: Option<&[i64]>) -> (String, Vec<Value>) {
        self.beyond('>', ">", place)
    }

    /// The condition for a row to be at a place or before it (absent: any row).
    pub(crate) fn up_to(&self, place: Option<&[i64]>) -> (String, Vec<Value>) {
        self.beyond('<', "<=", place)
    }

    fn beyond(&self, first: char, last: &str, place: Option<&[i64]>) -> (String, Vec<Value>) {
        match (self.0, place) {
            ([one], Some([place])) => (format!("{one} {last} ?"), vec![(*place).into()]),
            ([one, other], Some([a, b])) => (
                format!("(({one} = ? AND {other} {last} ?) OR {one} {first} ?)"),
                vec![(*a).into(), (*b).into(), (*a).into()],
            ),
            _ => ("TRUE".to_owned(), Vec::new()),
        }
    }
}
