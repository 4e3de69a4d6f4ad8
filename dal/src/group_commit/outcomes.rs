//! The outcome of each op in a batch. Some outcomes are known before the commit, the others with it.

use sea_orm::DbErr;

use super::{Attempt, Op};
use crate::{
    DalError,
    idempotency::{self, First, Key},
};

/// The ops of a batch, and the outcomes that are known.
pub(crate) struct Outcomes<'a, O: Op> {
    ops: &'a [&'a O],
    known: Vec<Option<Result<O::Output, DalError>>>,
}

impl<'a, O: Op> Outcomes<'a, O> {
    /// None is known.
    pub(crate) fn new(ops: &'a [&'a O]) -> Self {
        Self {
            ops,
            known: ops.iter().map(|_| None).collect(),
        }
    }

    /// The ops whose outcome isn't known yet, with their index in the batch.
    pub(crate) fn undecided(&self) -> impl Iterator<Item = (usize, &'a O)> {
        let all = self.ops.iter().zip(&self.known).enumerate();
        all.filter_map(|(at, (op, known))| known.is_none().then_some((at, *op)))
    }

    /// Sets the outcome of the op at this index.
    pub(crate) fn set(&mut self, at: usize, outcome: Result<O::Output, DalError>) {
        if let Some(known) = self.known.get_mut(at) {
            *known = Some(outcome);
        }
    }

    /// Refuses the undecided ops for which `is_refused` holds.
    pub(crate) fn refuse(&mut self, is_refused: impl Fn(&O) -> bool, error: fn() -> DalError) {
        for (op, known) in self.ops.iter().zip(&mut self.known) {
            if known.is_none() && is_refused(op) {
                *known = Some(Err(error()));
            }
        }
    }

    /// All, in the order of their ops.
    pub(crate) fn all(self) -> Result<Vec<Result<O::Output, DalError>>, DbErr> {
        let all: Option<Vec<_>> = self.known.into_iter().collect();
        all.ok_or_else(|| DbErr::Custom("an op without an outcome".to_owned()))
    }
}

/// Of requests with one key the second must find what the first has made, so they conflict.
impl<O: Op<Conflict = Key>> Outcomes<'_, O> {
    /// Ends the open transaction and looks for keys that were used before. The outcome of such an op is what its key made the first time,
    /// as `made` builds it.
    pub(crate) async fn resolve_duplicates(
        &mut self,
        attempt: &mut Attempt<'_>,
        made: impl Fn(&O, First) -> Option<O::Output>,
    ) -> Result<(), DalError> {
        let keyed: Vec<(usize, &O, Key)> = self
            .undecided()
            .filter_map(|(at, op)| Some((at, op, op.conflict()?)))
            .collect();
        let keys = keyed.iter().map(|(_, _, key)| key);
        let select = idempotency::find(keys).ok_or(DalError::Duplicate)?;
        let mut found = Vec::new();
        for row in &attempt.query(&["ROLLBACK"], &select).await? {
            for (at, op, key) in &keyed {
                match key.first_in(row)? {
                    Some(Ok(first)) => {
                        found.extend(made(op, first).map(|output| (*at, Ok(output))))
                    }
                    Some(Err(error)) => found.push((*at, Err(error))),
                    None => {}
                }
            }
        }
        for (at, outcome) in found {
            self.set(at, outcome);
        }
        Ok(())
    }
}
