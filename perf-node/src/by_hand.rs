//! What the node says to someone who runs it by hand.

use harness_sdk::{Muxer, SecureChannel, Stack};

/// The command that dials `address` on `stack`, to paste on the other machine.
pub fn dial_hint(stack: &Stack, address: &str) -> String {
    let mut command = format!("dial it with: perf-node dial {address}");
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
        assert_eq!(dial_hint(&stack, "/a"), "dial it with: perf-node dial /a");
        stack.secure_channel = Some(SecureChannel::Tls);
        stack.muxer = Some(Muxer::Mplex);
        let hint = "dial it with: perf-node dial /a --secure-channel tls --muxer mplex";
        assert_eq!(dial_hint(&stack, "/a"), hint);
    }
}
