//! One reply, and its bytes in either version of the protocol.

use bytes::{Bytes, BytesMut};
use redis_protocol::bytes_utils::Str;
use redis_protocol::error::RedisProtocolError;
use redis_protocol::resp2::encode::extend_encode as encode_resp2;
use redis_protocol::resp2::types::BytesFrame as Resp2;
use redis_protocol::resp3::encode::complete::extend_encode as encode_resp3;
use redis_protocol::resp3::types::{BytesFrame as Resp3, VerbatimStringFormat};

/// `*-1`, which `redis-protocol` reads and does not write.
const RESP2_NULL_ARRAY: &[u8] = b"*-1\r\n";

/// Bytes that a part of a reply takes at most besides what it holds: its type, length or integer, and line ends.
const PART_OVERHEAD: usize = 32;

/// The version of the protocol that a connection speaks: 2 until `HELLO 3`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Protocol {
    #[default]
    Resp2,
    Resp3,
}

impl Protocol {
    pub(crate) fn number(self) -> i64 {
        match self {
            Self::Resp2 => 2,
            Self::Resp3 => 3,
        }
    }
}

/// What a command is answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Reply {
    Simple(&'static str),
    /// Without the leading `-`; a line end inside is not allowed and comes from no error of this crate.
    Error(String),
    Integer(i64),
    Bulk(Bytes),
    /// Text for people: RESP3 marks it as such.
    Text(String),
    Null,
    /// Null where an array was asked for: RESP2 tells the two apart. Only at the top, never inside an array.
    NullArray,
    Array(Vec<Reply>),
    /// Pairs; RESP2 has them in a flat array.
    Map(Vec<(Reply, Reply)>),
}

impl Reply {
    pub(crate) const OK: Self = Self::Simple("OK");

    pub(crate) fn error(error: impl ToString) -> Self {
        Self::Error(error.to_string())
    }

    pub(crate) fn bulk(text: impl AsRef<[u8]>) -> Self {
        Self::Bulk(Bytes::copy_from_slice(text.as_ref()))
    }

    pub(crate) fn bulk_or_null(value: Option<Bytes>) -> Self {
        value.map_or(Self::Null, Self::Bulk)
    }

    pub(crate) fn array(elements: Vec<Bytes>) -> Self {
        Self::Array(elements.into_iter().map(Self::Bulk).collect())
    }

    pub(crate) fn count(count: usize) -> Self {
        Self::Integer(i64::try_from(count).unwrap_or(i64::MAX))
    }

    /// No less than the encoded size, in bytes.
    pub(crate) fn size_bound(&self) -> usize {
        PART_OVERHEAD
            + match self {
                Self::Simple(text) => text.len(),
                Self::Error(text) | Self::Text(text) => text.len(),
                Self::Bulk(bytes) => bytes.len(),
                Self::Integer(_) | Self::Null | Self::NullArray => 0,
                Self::Array(elements) => elements.iter().map(Self::size_bound).sum(),
                Self::Map(pairs) => {
                    pairs.iter().map(|(key, value)| key.size_bound() + value.size_bound()).sum()
                }
            }
    }

    /// The reply as it goes over the wire.
    ///
    /// # Errors
    ///
    /// Only where `redis-protocol` refuses a frame, which is a bug here.
    pub(crate) fn encode(self, protocol: Protocol) -> Result<BytesMut, RedisProtocolError> {
        let mut buffer = BytesMut::new();
        let end = match protocol {
            Protocol::Resp2 if self == Self::NullArray => {
                return Ok(BytesMut::from(RESP2_NULL_ARRAY));
            }
            Protocol::Resp2 => encode_resp2(&mut buffer, &self.into_resp2(), false)?,
            Protocol::Resp3 => encode_resp3(&mut buffer, &self.into_resp3(), false)?,
        };
        // The space is estimated with floating-point logarithms and is a byte too long for some long integers.
        buffer.truncate(end);
        Ok(buffer)
    }

    fn into_resp2(self) -> Resp2 {
        match self {
            Self::Simple(text) => Resp2::SimpleString(Bytes::from_static(text.as_bytes())),
            Self::Error(text) => Resp2::Error(Str::from(text)),
            Self::Integer(value) => Resp2::Integer(value),
            Self::Bulk(bytes) => Resp2::BulkString(bytes),
            Self::Text(text) => Resp2::BulkString(Bytes::from(text)),
            Self::Null | Self::NullArray => Resp2::Null,
            Self::Array(elements) => {
                Resp2::Array(elements.into_iter().map(Self::into_resp2).collect())
            }
            Self::Map(pairs) => Resp2::Array(
                pairs
                    .into_iter()
                    .flat_map(|(key, value)| [key.into_resp2(), value.into_resp2()])
                    .collect(),
            ),
        }
    }

    fn into_resp3(self) -> Resp3 {
        let attributes = None;
        match self {
            Self::Simple(text) => {
                Resp3::SimpleString { data: Bytes::from_static(text.as_bytes()), attributes }
            }
            Self::Error(text) => Resp3::SimpleError { data: Str::from(text), attributes },
            Self::Integer(data) => Resp3::Number { data, attributes },
            Self::Bulk(data) => Resp3::BlobString { data, attributes },
            Self::Text(text) => Resp3::VerbatimString {
                data: Bytes::from(text),
                format: VerbatimStringFormat::Text,
                attributes,
            },
            Self::Null | Self::NullArray => Resp3::Null,
            Self::Array(elements) => Resp3::Array {
                data: elements.into_iter().map(Self::into_resp3).collect(),
                attributes,
            },
            Self::Map(pairs) => Resp3::Map {
                data: pairs
                    .into_iter()
                    .map(|(key, value)| (key.into_resp3(), value.into_resp3()))
                    .collect(),
                attributes,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn encodes_both_versions() {
        let map = Reply::Map(vec![
            (Reply::bulk("b"), Reply::Integer(1)),
            (Reply::bulk("a"), Reply::Null),
        ]);
        for (reply, resp2, resp3) in [
            (Reply::OK, "+OK\r\n", "+OK\r\n"),
            (Reply::error("ERR no"), "-ERR no\r\n", "-ERR no\r\n"),
            (Reply::Integer(-2), ":-2\r\n", ":-2\r\n"),
            (Reply::bulk(""), "$0\r\n\r\n", "$0\r\n\r\n"),
            (Reply::Text("a\nb".into()), "$3\r\na\nb\r\n", "=7\r\ntxt:a\nb\r\n"),
            (Reply::Null, "$-1\r\n", "_\r\n"),
            (Reply::NullArray, "*-1\r\n", "_\r\n"),
            (Reply::Array(vec![]), "*0\r\n", "*0\r\n"),
            (
                map,
                "*4\r\n$1\r\nb\r\n:1\r\n$1\r\na\r\n$-1\r\n",
                "%2\r\n$1\r\nb\r\n:1\r\n$1\r\na\r\n_\r\n",
            ),
        ] {
            assert_eq!(reply.clone().encode(Protocol::Resp2).unwrap(), resp2, "{reply:?}");
            assert_eq!(reply.clone().encode(Protocol::Resp3).unwrap(), resp3, "{reply:?}");
        }
    }

    #[test]
    fn encodes_integers_around_every_power_of_ten() {
        let powers = (0..=18).map(|exponent| 10i64.pow(exponent));
        for value in powers.flat_map(|power| [power - 1, power, power + 1]).chain([i64::MAX]) {
            for value in [value, -value] {
                let encoded = Reply::Integer(value).encode(Protocol::Resp2).unwrap();
                assert_eq!(encoded, format!(":{value}\r\n"));
                let encoded = Reply::Integer(value).encode(Protocol::Resp3).unwrap();
                assert_eq!(encoded, format!(":{value}\r\n"));
            }
        }
    }

    proptest! {
        #[test]
        fn the_bound_holds(elements in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 0..20)) {
            let reply = Reply::array(elements.into_iter().map(Bytes::from).collect());
            prop_assert!(reply.size_bound() >= reply.encode(Protocol::Resp3).unwrap().len());
        }
    }
}
