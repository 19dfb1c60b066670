//! What frames and capsules have in common: a type, a length, and a value that may be too long to hold.

use bytes::{Buf, Bytes, BytesMut};

use super::read_varint;

/// Cuts a stream of bytes into type-length-value items.
#[derive(Debug, Default)]
pub(super) struct Tlv {
    buffered: BytesMut,
    inside: Option<Inside>,
}

#[derive(Clone, Copy, Debug)]
struct Inside {
    kind: u64,
    treatment: Treatment,
    left: u64,
}

/// What to do with the value of an item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Treatment {
    /// Hold it until it is whole: whoever says so has checked its length.
    Whole,
    /// Hand it on as it comes.
    Parts,
    /// Drop it as it comes.
    Skip,
}

/// A piece of input.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Item {
    /// A value that was held until it was whole.
    Whole(u64, Bytes),
    /// Part of a value, not empty.
    Part(Bytes),
    /// The start of an item whose value is dropped.
    Skipped(u64),
}

impl Tlv {
    /// Adds input. Call [`Self::next`] until it needs more before adding the next.
    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.buffered.extend_from_slice(bytes);
    }

    /// Whether the input ends where an item does.
    pub(super) fn is_between_items(&self) -> bool {
        self.buffered.is_empty() && self.inside.is_none()
    }

    /// The next piece; `None` where more input is needed. `treat` decides on an item by its type and length.
    pub(super) fn next<E>(
        &mut self,
        treat: impl Fn(u64, u64) -> Result<Treatment, E>,
    ) -> Result<Option<Item>, E> {
        loop {
            let Some(inside) = self.inside else {
                let mut input = &self.buffered[..];
                let (Some(kind), Some(left)) = (read_varint(&mut input), read_varint(&mut input))
                else {
                    return Ok(None);
                };
                let header = self.buffered.len() - input.len();
                let treatment = treat(kind, left)?;
                self.buffered.advance(header);
                self.inside = Some(Inside { kind, treatment, left });
                if treatment == Treatment::Skip {
                    return Ok(Some(Item::Skipped(kind)));
                }
                continue;
            };
            // What is left of a value and is buffered as well: no more than fits into memory.
            let here = self.buffered.len().min(usize::try_from(inside.left).unwrap_or(usize::MAX));
            let is_whole = here as u64 == inside.left;
            if inside.treatment == Treatment::Whole && !is_whole {
                return Ok(None);
            }
            if here == 0 && !is_whole {
                return Ok(None);
            }
            let bytes = self.buffered.split_to(here).freeze();
            self.inside =
                (!is_whole).then_some(Inside { left: inside.left - here as u64, ..inside });
            match inside.treatment {
                Treatment::Whole => return Ok(Some(Item::Whole(inside.kind, bytes))),
                Treatment::Parts if !bytes.is_empty() => return Ok(Some(Item::Part(bytes))),
                Treatment::Parts | Treatment::Skip => {}
            }
        }
    }
}
