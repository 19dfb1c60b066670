//! A cursor over the arguments of one request.

use bytes::Bytes;

use super::CommandError;
use crate::integer;

/// The arguments behind a command's name, taken from the left.
#[derive(Debug)]
pub(crate) struct Args<'a> {
    rest: &'a [Bytes],
}

impl<'a> Args<'a> {
    pub(super) fn new(rest: &'a [Bytes]) -> Self {
        Self { rest }
    }

    /// The next argument, if there is one.
    pub(super) fn optional(&mut self) -> Option<&'a Bytes> {
        let (first, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(first)
    }

    /// The next argument. The table's arity says there is one; else the syntax is at fault.
    pub(super) fn required(&mut self) -> Result<Bytes, CommandError> {
        self.optional().cloned().ok_or(CommandError::Syntax)
    }

    /// The last argument.
    pub(super) fn last(&mut self) -> Result<Bytes, CommandError> {
        let (last, rest) = self.rest.split_last().ok_or(CommandError::Syntax)?;
        self.rest = rest;
        Ok(last.clone())
    }

    /// The next argument as an integer.
    pub(super) fn integer(&mut self) -> Result<i64, CommandError> {
        integer::parse(&self.required()?).ok_or(CommandError::NotAnInteger)
    }

    /// All that is left.
    pub(super) fn remaining(&mut self) -> Vec<Bytes> {
        std::mem::take(&mut self.rest).to_vec()
    }

    pub(super) fn len(&self) -> usize {
        self.rest.len()
    }
}
