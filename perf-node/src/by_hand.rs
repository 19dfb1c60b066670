//! What the node says to someone who runs it by hand.

use harness_sdk::{Muxer, SecureChannel, Stack};

use crate::baselines;
use crate::cipher::Cipher;

/// The command that dials `address` on `stack`, to paste on the other machine; with `cipher`, where the
/// listener accepts no other.
pub fn dial_hint(stack: &Stack, cipher: Option<Cipher>, address: &str) -> String {
    let mut command = format!("dial it with: perf-node dial {address}");
    if baselines::is_raw(stack.transport) {
        command.push_str(&format!(" --transport {}", stack.transport));
    }
    if let Some(cipher) = cipher {
        command.push_str(&format!(" --cipher {cipher}"));
    }
    if let Some(secure_channel) = stack.secure_channel
        && secure_channel != SecureChannel::Noise
    {
        command.push_str(&format!(" --secure-channel {secure_channel}"));
    }
    if let Some(muxer) = stack.muxer
        && muxer != Muxer::Yamux
    {
        command.push_str(&format!(" --muxer {muxer}"));
    }
    command
}

#[cfg(test)]
mod tests {
    use harness_sdk::{Profile, Transport};

    use super::*;

    #[test]
    fn only_what_is_not_assumed_is_said() {
        let mut stack = Stack {
            transport: Transport::Tcp,
            secure_channel: Some(SecureChannel::Noise),
            muxer: Some(Muxer::Yamux),
            profile: Profile::Stock,
        };
        assert_eq!(dial_hint(&stack, None, "/a"), "dial it with: perf-node dial /a");
        stack.secure_channel = Some(SecureChannel::Tls);
        stack.muxer = Some(Muxer::Mplex);
        let hint = "dial it with: perf-node dial /a --secure-channel tls --muxer mplex";
        assert_eq!(dial_hint(&stack, None, "/a"), hint);
        stack = Stack {
            transport: Transport::RawTls,
            secure_channel: None,
            muxer: None,
            profile: Profile::Stock,
        };
        let hint = "dial it with: perf-node dial /a --transport raw-tls --cipher aes-256-gcm";
        assert_eq!(dial_hint(&stack, Some(Cipher::Aes256Gcm), "/a"), hint);
    }
}
