//! Keyset pagination by primary key: the WHERE condition for the rows after, or up to, a cursor. A page has as many rows as wanted, however
//! many rows one value of the first column has.

use sea_orm::Value;

/// The columns of a primary key, one or two whole numbers.
pub(crate) struct Key(pub(crate) &'static [&'static str]);

impl Key {
    /// The WHERE condition for rows after the cursor, and its values. Without a cursor it matches all rows. Each part of the condition is
    /// one index range.
    pub(crate) fn after(&self, cursor: Option<&[i64]>) -> (String, Vec<Value>) {
        self.range_condition('>', ">", cursor)
    }

    /// The condition for rows up to the cursor, the row at it included. Without a cursor it matches all rows.
    pub(crate) fn up_to(&self, cursor: Option<&[i64]>) -> (String, Vec<Value>) {
        self.range_condition('<', "<=", cursor)
    }

    fn range_condition(
        &self,
        first: char,
        last: &str,
        cursor: Option<&[i64]>,
    ) -> (String, Vec<Value>) {
        match (self.0, cursor) {
            ([one], Some([value])) => (format!("{one} {last} ?"), vec![(*value).into()]),
            ([one, other], Some([a, b])) => (
                format!("(({one} = ? AND {other} {last} ?) OR {one} {first} ?)"),
                vec![(*a).into(), (*b).into(), (*a).into()],
            ),
            _ => ("TRUE".to_owned(), Vec::new()),
        }
    }
}
