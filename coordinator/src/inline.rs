//! Inline commands: a line of words, as typed into telnet.

use bytes::{BufMut, Bytes, BytesMut};

/// A quote was left open, or a closing quote is not followed by a blank.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct UnbalancedQuotes;

/// Splits a line (without its end) into words, with the quoting rules of Redis: inside double quotes `\n`, `\r`,
/// `\t`, `\b`, `\a`, `\xHH` and `\<any>` are escapes; inside single quotes only `\'` is.
pub(crate) fn split(line: &[u8]) -> Result<Vec<Bytes>, UnbalancedQuotes> {
    let mut words = Vec::new();
    let mut rest = line.trim_ascii_start();
    while !rest.is_empty() {
        let (word, after) = take_word(rest)?;
        words.push(word);
        rest = after.trim_ascii_start();
    }
    Ok(words)
}

fn take_word(mut rest: &[u8]) -> Result<(Bytes, &[u8]), UnbalancedQuotes> {
    let mut word = BytesMut::new();
    loop {
        match rest {
            [] => break,
            [blank, ..] if blank.is_ascii_whitespace() => break,
            [b'"', quoted @ ..] => {
                rest = take_double_quoted(quoted, &mut word)?;
                break;
            }
            [b'\'', quoted @ ..] => {
                rest = take_single_quoted(quoted, &mut word)?;
                break;
            }
            [byte, after @ ..] => {
                word.put_u8(*byte);
                rest = after;
            }
        }
    }
    Ok((word.freeze(), rest))
}

fn take_double_quoted<'a>(
    mut rest: &'a [u8],
    word: &mut BytesMut,
) -> Result<&'a [u8], UnbalancedQuotes> {
    loop {
        match rest {
            [b'"', after @ ..] => return closed(after),
            [b'\\', b'x', high, low, after @ ..]
                if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() =>
            {
                word.put_u8(hex(*high) << 4 | hex(*low));
                rest = after;
            }
            [b'\\', escaped, after @ ..] => {
                word.put_u8(match escaped {
                    b'n' => b'\n',
                    b'r' => b'\r',
                    b't' => b'\t',
                    b'b' => 0x08,
                    b'a' => 0x07,
                    other => *other,
                });
                rest = after;
            }
            [byte, after @ ..] => {
                word.put_u8(*byte);
                rest = after;
            }
            [] => return Err(UnbalancedQuotes),
        }
    }
}

fn take_single_quoted<'a>(
    mut rest: &'a [u8],
    word: &mut BytesMut,
) -> Result<&'a [u8], UnbalancedQuotes> {
    loop {
        match rest {
            [b'\'', after @ ..] => return closed(after),
            [b'\\', b'\'', after @ ..] => {
                word.put_u8(b'\'');
                rest = after;
            }
            [byte, after @ ..] => {
                word.put_u8(*byte);
                rest = after;
            }
            [] => return Err(UnbalancedQuotes),
        }
    }
}

fn closed(after: &[u8]) -> Result<&[u8], UnbalancedQuotes> {
    match after {
        [byte, ..] if !byte.is_ascii_whitespace() => Err(UnbalancedQuotes),
        _ => Ok(after),
    }
}

/// The value of an ASCII hexadecimal digit.
fn hex(digit: u8) -> u8 {
    match digit {
        b'0'..=b'9' => digit - b'0',
        _ => (digit.to_ascii_lowercase() - b'a') + 10,
    }
}

#[cfg(test)]
mod tests {
    use super::{UnbalancedQuotes, split};

    #[test]
    fn splits_words_and_quotes() {
        for (line, words) in [
            ("", &[] as &[&[u8]]),
            ("  \t ", &[]),
            ("PING", &[b"PING"]),
            ("  SET a\tb  ", &[b"SET", b"a", b"b"]),
            (r#"SET "a b" 'c d'"#, &[b"SET", b"a b", b"c d"]),
            (r#""\x41\n\r\t\b\a\"\\" '\'\n'"#, &[b"A\n\r\t\x08\x07\"\\", b"'\\n"]),
            (r#"a"b c""#, &[b"ab c"]),
            (r#""""#, &[b""]),
        ] {
            let split = split(line.as_bytes()).unwrap();
            assert_eq!(split, words, "{line:?}");
        }
    }

    #[test]
    fn refuses_unbalanced_quotes() {
        for line in [r#"""#, r#"SET "a"#, "'a", r#""a"b"#, "'a'b", r#""a\"#] {
            assert_eq!(split(line.as_bytes()), Err(UnbalancedQuotes), "{line:?}");
        }
    }
}
