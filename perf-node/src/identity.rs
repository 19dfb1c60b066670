//! Who the node is: a key that is made anew, or kept in a file.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use harness_sdk::{Class, Config, Failure, Phase, chain};
use libp2p::identity::Keypair;

/// Why there is no identity.
#[derive(Debug, thiserror::Error)]
pub(crate) enum IdentityError {
    /// The file could not be read or made.
    #[error("cannot use the key file {}", .path.display())]
    File {
        /// The key file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The file holds something else.
    #[error("{} is not a libp2p private key (protobuf-encoded)", .0.display())]
    NotAKey(PathBuf),
}

/// The key in the file at `path`, made there (Ed25519, readable by its owner only) where absent;
/// without a path, a fresh one.
pub(crate) fn load(path: Option<&Path>) -> Result<Keypair, IdentityError> {
    let Some(path) = path else { return Ok(Keypair::generate_ed25519()) };
    let failed = |source| IdentityError::File { path: path.to_owned(), source };
    match fs::read(path) {
        Ok(bytes) => Keypair::from_protobuf_encoding(&bytes)
            .map_err(|_| IdentityError::NotAKey(path.to_owned())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let keypair = Keypair::generate_ed25519();
            let bytes = keypair
                .to_protobuf_encoding()
                .map_err(|_| IdentityError::NotAKey(path.to_owned()))?;
            create(path, &bytes).map_err(failed)?;
            Ok(keypair)
        }
        Err(error) => Err(failed(error)),
    }
}

/// A dialer's, the same for all of its connections: none of them pays for making or reading a key but the first.
#[derive(Clone, Debug, Default)]
pub struct DialerIdentity(OnceLock<Keypair>);

impl DialerIdentity {
    /// What `config` says at the first call. That there is none is no fault of the peer's.
    pub(crate) fn keypair(&self, config: &Config) -> Result<&Keypair, Failure> {
        if let Some(keypair) = self.0.get() {
            return Ok(keypair);
        }
        let keypair = load(config.identity.as_deref())
            .map_err(|error| Failure::new(Class::Environment, Phase::Dial, chain(&error)))?;
        Ok(self.0.get_or_init(|| keypair))
    }
}

/// Writes a new file that only its owner can read; one that appeared meanwhile is not replaced.
fn create(path: &Path, bytes: &[u8]) -> io::Result<()> {
    use std::os::unix::fs::OpenOptionsExt;
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_identity_is_kept() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        let made = load(Some(&path)).unwrap();
        assert_eq!(load(Some(&path)).unwrap().public(), made.public());
        assert_ne!(load(None).unwrap().public(), made.public());
    }

    #[test]
    fn another_file_is_not_taken_for_a_key() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        fs::write(&path, "not a key").unwrap();
        assert!(matches!(load(Some(&path)), Err(IdentityError::NotAKey(_))));
        assert_eq!(fs::read(&path).unwrap(), b"not a key");
        let absent = folder.path().join("no/such/folder");
        assert!(matches!(load(Some(&absent)), Err(IdentityError::File { .. })));
    }
}
