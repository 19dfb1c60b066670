//! SETTINGS (RFC 9114, 7.2.4; RFC 9220; RFC 9297; draft-ietf-webtrans-http3, 02 and later).

use std::collections::BTreeMap;

use quinn_proto::VarInt;

use super::{frame, read_varint, write_varint};

/// SETTINGS_ENABLE_CONNECT_PROTOCOL: extended CONNECT.
pub const ENABLE_CONNECT_PROTOCOL: u64 = 0x08;
/// SETTINGS_H3_DATAGRAM.
pub const H3_DATAGRAM: u64 = 0x33;
/// SETTINGS_ENABLE_WEBTRANSPORT of draft 02: what Chromium and go-libp2p up to 0.49 look for.
pub const ENABLE_WEBTRANSPORT_DRAFT02: u64 = 0x2b60_3742;
/// SETTINGS_WEBTRANSPORT_MAX_SESSIONS of draft 07.
pub const MAX_SESSIONS_DRAFT07: u64 = 0xc671_706a;
/// SETTINGS_WT_MAX_SESSIONS of drafts 13 and 14.
pub const MAX_SESSIONS_DRAFT13: u64 = 0x14e9_cd29;
/// SETTINGS_WT_ENABLED of draft 15: what webtransport-go asks for from v0.11 on.
pub const ENABLED_DRAFT15: u64 = 0x2c7c_f000;

/// Each of these says that the peer speaks WebTransport, in one draft or another.
const WEBTRANSPORT: [u64; 4] =
    [ENABLE_WEBTRANSPORT_DRAFT02, MAX_SESSIONS_DRAFT07, MAX_SESSIONS_DRAFT13, ENABLED_DRAFT15];

/// Settings of HTTP/2 that no HTTP/3 peer may send (RFC 9114, 7.2.4.1).
const FORBIDDEN: [u64; 4] = [0x02, 0x03, 0x04, 0x05];

/// What the peer said about itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settings(BTreeMap<u64, u64>);

/// Why a payload is no SETTINGS.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SettingsError {
    /// It ends within a setting: the frame was whole, so this is no matter of waiting.
    #[error("SETTINGS end within a setting")]
    Truncated,
    /// One setting, twice.
    #[error("setting {0:#x} stands twice")]
    Twice(u64),
    /// A setting that HTTP/3 forbids.
    #[error("setting {0:#x}, which HTTP/3 forbids")]
    Forbidden(u64),
}

impl Settings {
    /// Decodes the payload of a SETTINGS frame.
    ///
    /// # Errors
    ///
    /// Where it is truncated, or a setting stands twice or is forbidden.
    pub fn decode(mut payload: &[u8]) -> Result<Self, SettingsError> {
        let mut settings = BTreeMap::new();
        while !payload.is_empty() {
            let (Some(id), Some(value)) = (read_varint(&mut payload), read_varint(&mut payload))
            else {
                return Err(SettingsError::Truncated);
            };
            if FORBIDDEN.contains(&id) {
                return Err(SettingsError::Forbidden(id));
            }
            if settings.insert(id, value).is_some() {
                return Err(SettingsError::Twice(id));
            }
        }
        Ok(Self(settings))
    }

    /// The value of a setting; 0, which is the default of all that matter here, where absent.
    pub fn get(&self, id: u64) -> u64 {
        self.0.get(&id).copied().unwrap_or(0)
    }

    /// Whether a server with these settings takes WebTransport sessions, in any draft.
    pub fn offers_webtransport(&self) -> bool {
        self.get(ENABLE_CONNECT_PROTOCOL) == 1 && WEBTRANSPORT.iter().any(|id| self.get(*id) > 0)
    }
}

/// Appends the SETTINGS frame that serves every peer there is, whether it dials or listens.
pub fn write_ours(output: &mut Vec<u8>) {
    let mut payload = Vec::new();
    for id in [ENABLE_CONNECT_PROTOCOL, H3_DATAGRAM].into_iter().chain(WEBTRANSPORT) {
        // All of them fit into 32 bits.
        write_varint(VarInt::from_u32(id as u32), &mut payload);
        write_varint(VarInt::from_u32(1), &mut payload);
    }
    frame::write(frame::SETTINGS, &payload, output);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::wire::frame::{Frame, FrameDecoder};

    #[test]
    fn ours_are_read_as_what_they_are() {
        let mut bytes = Vec::new();
        write_ours(&mut bytes);
        let mut decoder = FrameDecoder::new(1024);
        decoder.push(&bytes);
        let Some(Frame::Settings(payload)) = decoder.next().unwrap() else { panic!("{bytes:x?}") };
        let settings = Settings::decode(&payload).unwrap();
        assert!(settings.offers_webtransport());
        assert_eq!(settings.get(H3_DATAGRAM), 1);
        assert_eq!(settings.0.len(), 6);
    }

    /// As go-libp2p 0.45 sends them, as a server and as a client.
    #[test]
    fn those_of_go() {
        let server = [0x33, 1, 0x08, 1, 0xab, 0x60, 0x37, 0x42, 1];
        assert!(Settings::decode(&server).unwrap().offers_webtransport());
        let client = [0x33, 1];
        assert!(!Settings::decode(&client).unwrap().offers_webtransport());
    }

    #[test]
    fn what_is_invalid() {
        assert_eq!(Settings::decode(&[0x33]), Err(SettingsError::Truncated));
        assert_eq!(Settings::decode(&[0x33, 1, 0x33, 1]), Err(SettingsError::Twice(0x33)));
        assert_eq!(Settings::decode(&[0x02, 1]), Err(SettingsError::Forbidden(0x02)));
    }

    proptest! {
        #[test]
        fn any_input_is_survived(bytes: Vec<u8>) {
            let _ = Settings::decode(&bytes);
        }
    }
}
