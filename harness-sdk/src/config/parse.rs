//! What the texts of settings mean; `None` is what is not accepted.

use std::time::Duration;

use super::MAX_ITERATIONS;

pub(super) fn name<T: std::str::FromStr>(text: &str) -> Option<T> {
    text.parse().ok()
}

/// true or false, 1 or 0, in any case.
pub fn boolean(text: &str) -> Option<bool> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "1" => Some(true),
        "false" | "0" => Some(false),
        _ => None,
    }
}

/// Digits only: what `u64::from_str` takes, less its leading `+`.
pub fn digits(text: &str) -> Option<u64> {
    text.bytes().all(|b| b.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

/// A whole number up to [`MAX_ITERATIONS`].
pub fn count(text: &str) -> Option<u64> {
    digits(text).filter(|count| *count <= MAX_ITERATIONS)
}

/// A whole number of bytes, or one with K, M or G for 1024, 1024², 1024³.
pub fn bytes(text: &str) -> Option<u64> {
    let (digits, shift) = match text.bytes().last()? {
        b'K' | b'k' => (&text[..text.len() - 1], 10),
        b'M' | b'm' => (&text[..text.len() - 1], 20),
        b'G' | b'g' => (&text[..text.len() - 1], 30),
        _ => (text, 0),
    };
    self::digits(digits)?.checked_mul(1 << shift)
}

/// Seconds above 0 and up to a year, with or without an `s` behind them.
pub fn seconds(text: &str) -> Option<Duration> {
    let digits = text.strip_suffix('s').unwrap_or(text);
    if !digits.bytes().all(|b| b.is_ascii_digit() || b == b'.') {
        return None;
    }
    let duration = Duration::try_from_secs_f64(digits.parse().ok()?).ok()?;
    // A year bounds what timers are asked for.
    (Duration::ZERO < duration && duration <= Duration::from_secs(365 * 86_400)).then_some(duration)
}

pub(super) fn test_key(text: &str) -> Option<String> {
    let accepted = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
    (text.len() <= 64 && text.bytes().all(accepted)).then(|| text.to_owned())
}

/// `host:port` or `redis://…`, checked by the client library that will use it.
pub(super) fn redis_url(text: &str) -> Option<String> {
    let url = match text.contains("://") {
        true => text.to_owned(),
        false => {
            let (host, port) = text.rsplit_once(':')?;
            let bare_ipv6 = host.contains(':') && !host.starts_with('[');
            if host.is_empty() || bare_ipv6 || port.parse::<u16>().is_err() {
                return None;
            }
            format!("redis://{text}")
        }
    };
    let parsed = redis::parse_redis_url(&url)?;
    (parsed.scheme() == "redis" && parsed.host_str().is_some_and(|host| !host.is_empty()))
        .then_some(url)
}
