//! New messages, as one transaction in one trip. Those of one conversation are stamped one after the other.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use marks::Subject;
use sea_orm::DbErr;

use super::{
    NewMessage,
    message::{Message, Pair},
};
use crate::{
    DalError, blocks,
    counts::Counter,
    group_commit::{Answer, Attempt, BEGIN_ANEW, Begin, Committed, Op, Outcome, Outcomes},
    idempotency::{self, First, Key},
    ledger::Deltas,
};

/// How often a batch is tried before it fails. It is tried again if a key in it was used before, or the known clock was wrong.
const MAX_ATTEMPTS: usize = 4;
/// In `users.state`: the account is deleted. Such a row stays.
const DELETED: i8 = 2;
/// The primary's clock, once a batch.
const STAMP: &str = "SET @sent_ms = CAST(UNIX_TIMESTAMP(NOW(3)) * 1000 AS SIGNED)";

impl Op for NewMessage {
    const QUEUE: &'static str = "messages";
    type Output = Message;
    type Conflict = Key;

    /// Of requests with one key the second must find what the first has made.
    fn conflict(&self) -> Option<Key> {
        self.key.clone()
    }

    async fn commit(
        ops: &[&Self],
        attempt: &mut Attempt<'_>,
    ) -> Result<(Vec<Result<Message, DalError>>, Committed), DalError> {
        let mut batch = Batch {
            ops,
            outcomes: Outcomes::new(ops),
            may_be_refused: false,
        };
        let mut begin = attempt.begin().await?;
        for _ in 0..MAX_ATTEMPTS {
            match batch.commit(attempt, begin).await {
                Ok(Some(committed)) => return Ok((batch.outcomes.all()?, committed)),
                Ok(None) => {}
                // The transaction is open.
                Err(DalError::Duplicate) => {
                    let made = |message: &NewMessage, first| Some(message.made(first));
                    batch.outcomes.resolve_duplicates(attempt, made).await?;
                }
                Err(error) => return Err(error),
            }
            begin = BEGIN_ANEW;
        }
        Err(DalError::Duplicate)
    }
}

struct Batch<'a> {
    ops: &'a [&'a NewMessage],
    /// Those that are known before the commit: of repeats, of who is deleted, which is [`DalError::NotFound`], and of who is blocked, which is
    /// [`DalError::Blocked`].
    outcomes: Outcomes<'a, NewMessage>,
    /// Whether a commit was refused, as it is where somebody is deleted or blocked.
    may_be_refused: bool,
}

impl Batch<'_> {
    /// None: nothing is committed, and the transaction is left open.
    async fn commit(
        &mut self,
        attempt: &mut Attempt<'_>,
        begin: Begin,
    ) -> Result<Option<Committed>, DalError> {
        let mut begin = begin;
        if self.may_be_refused {
            self.refuse(attempt, begin).await?;
            begin = &[];
        }
        let undecided: Vec<(usize, &NewMessage)> = self.outcomes.undecided().collect();
        let Some((_, first)) = undecided.first() else {
            return Ok(Some(attempt.nothing_to_commit(self.marked()).await?));
        };
        let none_is_blocked = blocks::none_of(&self.senders());
        // The check that they exist asked a replica, a while ago. A message to a deleted account would stay for ever.
        let none_is_deleted = none_deleted(&self.users());
        let condition = format!("{none_is_blocked} AND {none_is_deleted}");
        // A message moves no count; the commit needs a row in the ledger, which has its deadline.
        let deltas = Deltas::zero(Counter::UserFollows(first.from_id));
        let sending = Sending::of(&undecided);
        let mut statements: Vec<String> = begin.iter().map(|word| (*word).to_owned()).collect();
        statements.extend(sending.statements());
        let outcome = attempt
            .commit(statements, Some(&condition), &deltas, self.marked())
            .await?;
        let committed = match outcome {
            Outcome::Committed(committed) => committed,
            Outcome::Refused(_) if attempt.is_too_late() => return Err(DalError::TimedOut),
            Outcome::Refused(_) => {
                self.may_be_refused = true;
                return Ok(None);
            }
        };
        for (at, message) in sending.made(&committed.answers)? {
            self.outcomes.set(at, Ok(message));
        }
        Ok(Some(committed))
    }

    fn senders(&self) -> BTreeSet<blocks::Sender> {
        self.outcomes
            .undecided()
            .map(|(_, message)| (message.from_id, message.to_id))
            .collect()
    }

    /// All senders and receivers.
    fn users(&self) -> BTreeSet<i64> {
        self.outcomes
            .undecided()
            .flat_map(|(_, message)| [message.from_id, message.to_id])
            .collect()
    }

    /// Begins a transaction, and refuses what is from or to somebody deleted, and who is blocked.
    async fn refuse(&mut self, attempt: &mut Attempt<'_>, begin: Begin) -> Result<(), DbErr> {
        let deleted = deleted_among(&self.users());
        let deleted = format!("SELECT id FROM users WHERE {deleted}");
        let blocked = blocks::select_sql(&self.senders());
        let [deleted, blocked] = attempt.query_all(begin, [&deleted, &blocked]).await?;
        let deleted = deleted.iter().map(|row| row.try_get("", "id"));
        let deleted: BTreeSet<i64> = deleted.collect::<Result<_, DbErr>>()?;
        let is_deleted = |message: &NewMessage| {
            deleted.contains(&message.from_id) || deleted.contains(&message.to_id)
        };
        self.outcomes.refuse(is_deleted, || DalError::NotFound);
        let blocked = blocks::found(&blocked)?;
        let is_blocked = |message: &NewMessage| blocked.contains(&(message.from_id, message.to_id));
        self.outcomes.refuse(is_blocked, || DalError::Blocked);
        Ok(())
    }

    /// Also of repeats: what they found may not have been marked.
    fn marked(&self) -> Vec<Subject> {
        let users = self.ops.iter().flat_map(|op| [op.from_id, op.to_id]);
        let mut marked: Vec<Subject> = users.map(Subject::Messages).collect();
        marked.sort_unstable();
        marked.dedup();
        marked
    }
}

/// What is sent at once: each message with its place in the batch, and how many of its conversation come behind it.
struct Sending<'a> {
    messages: Vec<(usize, &'a NewMessage, i64)>,
    /// In their order, so that batches at once don't lock crosswise; with the number of their messages.
    conversations: BTreeMap<Pair, i64>,
}

impl<'a> Sending<'a> {
    fn of(undecided: &[(usize, &'a NewMessage)]) -> Self {
        let mut conversations = BTreeMap::new();
        let mut messages: Vec<(usize, &NewMessage, i64)> = Vec::new();
        for (at, message) in undecided.iter().rev() {
            let behind = conversations.entry(message.pair()).or_insert(0);
            messages.push((*at, message, *behind));
            *behind += 1;
        }
        messages.reverse();
        Self {
            messages,
            conversations,
        }
    }

    fn statements(&self) -> Vec<String> {
        let rows: Vec<String> = self
            .conversations
            .iter()
            .map(|(Pair { low_id, high_id }, count)| {
                format!("({low_id}, {high_id}, @sent_ms + {count} - 1, {count})")
            })
            .collect();
        // From here to the commit nobody else stamps a message of theirs.
        let conversations = format!(
            "INSERT INTO conversations (low_id, high_id, last_ms, message_count) VALUES {} ON DUPLICATE KEY UPDATE \
             last_ms = GREATEST(VALUES(last_ms), last_ms + VALUES(message_count)), \
             message_count = message_count + VALUES(message_count)",
            rows.join(", ")
        );
        let rows: Vec<String> = self
            .messages
            .iter()
            .map(|(_, message, behind)| {
                let Pair { low_id, high_id } = message.pair();
                let (from_id, created_ms) = (message.from_id, created_ms(message, *behind));
                // What the user wrote is digits here, whatever it was.
                let content = idempotency::hex(message.content.as_bytes());
                format!("({low_id}, {high_id}, {created_ms}, {from_id}, _utf8mb4 X'{content}')")
            })
            .collect();
        let messages = format!(
            "INSERT INTO messages (low_id, high_id, created_ms, from_id, content) VALUES {}",
            rows.join(", ")
        );
        let keys = (0..).zip(&self.messages);
        let keys = keys.filter_map(|(row, (_, message, behind))| {
            let id = format!("LAST_INSERT_ID() + {row} * @@auto_increment_increment");
            let key = message.key.as_ref()?;
            Some(key.row(&id, &created_ms(message, *behind)))
        });
        let mut statements = vec![STAMP.to_owned(), conversations, messages];
        statements.extend(idempotency::insert(keys));
        let pairs: Vec<String> = self.conversations.keys().map(is_of).collect();
        statements.push(format!(
            "SELECT low_id, high_id, last_ms, CAST(@@auto_increment_increment AS SIGNED) AS id_step FROM conversations \
             WHERE {}",
            pairs.join(" OR ")
        ));
        statements
    }

    /// The messages that the [`statements`](Self::statements) have made, with their places in the batch.
    fn made(&self, answers: &[Answer]) -> Result<Vec<(usize, Message)>, DbErr> {
        let missing = || DbErr::Custom("the ids of new messages are missing".to_owned());
        let inserted = |answer: &&Answer| answer.first_id > 0;
        let first_id = answers.iter().find(inserted).ok_or_else(missing)?.first_id;
        let first_id = i64::try_from(first_id).map_err(|_| missing())?;
        let stamped = &answers.last().ok_or_else(missing)?.rows;
        let mut id_step = 1;
        let mut last: HashMap<Pair, i64> = HashMap::new();
        for row in stamped {
            let pair = Pair {
                low_id: row.try_get("", "low_id")?,
                high_id: row.try_get("", "high_id")?,
            };
            last.insert(pair, row.try_get("", "last_ms")?);
            id_step = row.try_get("", "id_step")?;
        }
        let messages = (0..)
            .zip(&self.messages)
            .map(|(row, (at, message, behind))| {
                let last_ms: i64 = last.get(&message.pair()).copied().ok_or_else(missing)?;
                let made = First {
                    id: first_id + row * id_step,
                    created_ms: last_ms - behind,
                };
                Ok((*at, message.made(made)))
            });
        messages.collect()
    }
}

/// An expression: none of these accounts is deleted.
fn none_deleted(users: &BTreeSet<i64>) -> String {
    let deleted = deleted_among(users);
    format!("NOT EXISTS (SELECT 1 FROM users WHERE {deleted})")
}

/// A condition: those of these accounts that are deleted. Whole numbers: nothing to escape.
fn deleted_among(users: &BTreeSet<i64>) -> String {
    if users.is_empty() {
        return "FALSE".to_owned();
    }
    let ids: Vec<String> = users.iter().map(i64::to_string).collect();
    format!("id IN ({}) AND state = {DELETED}", ids.join(", "))
}

fn is_of(pair: &Pair) -> String {
    let Pair { low_id, high_id } = pair;
    format!("(low_id = {low_id} AND high_id = {high_id})")
}

/// As an expression, once the conversation's row is written.
fn created_ms(message: &NewMessage, behind: i64) -> String {
    let of_it = is_of(&message.pair());
    format!("(SELECT last_ms - {behind} FROM conversations WHERE {of_it})")
}
