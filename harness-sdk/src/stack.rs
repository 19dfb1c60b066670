//! What a connection is made of: transport, secure channel, muxer, profile.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Makes an enum of names: `Display`, `FromStr`, serde, all from one table.
macro_rules! names {
    ($(#[$meta:meta])* $name:ident { $($(#[$vmeta:meta])* $variant:ident = $text:literal,)+ }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        pub enum $name { $($(#[$vmeta])* #[serde(rename = $text)] $variant,)+ }

        impl $name {
            /// Every value, in the order of the contract.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The name as it stands in variables, flags and documents.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text),+ }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result { f.pad(self.as_str()) }
        }

        impl FromStr for $name {
            type Err = ();
            fn from_str(text: &str) -> Result<Self, ()> {
                Self::ALL.iter().copied().find(|value| value.as_str() == text).ok_or(())
            }
        }
    };
}

names! {
    /// How bytes cross the network.
    Transport {
        /// TCP.
        Tcp = "tcp",
        /// WebSocket over TCP.
        Ws = "ws",
        /// QUIC v1 as libp2p uses it.
        QuicV1 = "quic-v1",
        /// WebTransport over HTTP/3.
        Webtransport = "webtransport",
        /// WebRTC between a browser and a server.
        WebrtcDirect = "webrtc-direct",
        /// Baseline: HTTP over TLS.
        Https = "https",
        /// Baseline: QUIC without libp2p.
        Quic = "quic",
        /// Baseline: TCP and nothing on it.
        RawTcp = "raw-tcp",
        /// Baseline: TLS on TCP.
        RawTls = "raw-tls",
        /// Baseline: the Noise channel on TCP, no muxer.
        RawNoise = "raw-noise",
        /// Baseline: one QUIC stream.
        RawQuic = "raw-quic",
    }
}

impl Transport {
    /// Whether the transport brings neither security nor multiplexing, so that a secure channel
    /// and a muxer must be named (and with any other transport may not be).
    pub const fn is_layered(self) -> bool {
        matches!(self, Self::Tcp | Self::Ws)
    }
}

names! {
    /// What encrypts and authenticates a connection whose transport does not.
    SecureChannel {
        /// Noise XX.
        Noise = "noise",
        /// TLS 1.3 with libp2p's certificate extension.
        Tls = "tls",
    }
}

names! {
    /// What divides a connection into streams where the transport does not.
    Muxer {
        /// yamux.
        Yamux = "yamux",
        /// mplex.
        Mplex = "mplex",
    }
}

names! {
    /// How the same protocols are configured.
    Profile {
        /// As the implementation ships.
        Stock = "stock",
        /// The best the implementation's authors know.
        Tuned = "tuned",
    }
}

/// One combination that can be measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Stack {
    /// How bytes cross the network.
    pub transport: Transport,
    /// Present exactly where [`Transport::is_layered`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secure_channel: Option<SecureChannel>,
    /// Present exactly where [`Transport::is_layered`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub muxer: Option<Muxer>,
    /// Stock or tuned.
    pub profile: Profile,
}

impl fmt::Display for Stack {
    /// `tcp, noise, yamux` or `quic-v1`; a profile other than stock stands at the end.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.transport)?;
        if let Some(secure_channel) = self.secure_channel {
            write!(f, ", {secure_channel}")?;
        }
        if let Some(muxer) = self.muxer {
            write!(f, ", {muxer}")?;
        }
        match self.profile {
            Profile::Stock => Ok(()),
            profile => write!(f, ", {profile}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_reads_back() {
        for transport in Transport::ALL {
            assert_eq!(transport.as_str().parse(), Ok(*transport));
            assert_eq!(serde_json::to_value(transport).unwrap(), transport.as_str());
        }
        assert_eq!("TCP".parse::<Transport>(), Err(()));
    }

    #[test]
    fn a_stack_is_shown_as_in_test_names() {
        let mut stack = Stack {
            transport: Transport::Tcp,
            secure_channel: Some(SecureChannel::Noise),
            muxer: Some(Muxer::Yamux),
            profile: Profile::Stock,
        };
        assert_eq!(stack.to_string(), "tcp, noise, yamux");
        stack.profile = Profile::Tuned;
        assert_eq!(stack.to_string(), "tcp, noise, yamux, tuned");
    }
}
