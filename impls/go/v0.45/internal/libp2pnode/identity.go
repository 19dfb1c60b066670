package libp2pnode

import (
	"crypto/rand"
	"errors"
	"io/fs"
	"os"

	"github.com/libp2p/go-libp2p/core/crypto"

	"perf.test/contract/failure"
)

// identity is the key in the file at path, made there (Ed25519, readable by its owner only) where
// absent; without a path, a fresh one.
func identity(path string) (crypto.PrivKey, error) {
	if path == "" {
		key, _, err := crypto.GenerateEd25519Key(rand.Reader)
		return key, err
	}
	encoded, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return makeIdentity(path)
	}
	if err != nil {
		return nil, unusable(err)
	}
	key, err := crypto.UnmarshalPrivateKey(encoded)
	if err != nil {
		return nil, failure.New(failure.Environment, failure.Configuration, "%s is not a libp2p private key (protobuf-encoded)", path)
	}
	return key, nil
}

// makeIdentity writes a new file; one that appeared meanwhile is not replaced.
func makeIdentity(path string) (crypto.PrivKey, error) {
	key, _, err := crypto.GenerateEd25519Key(rand.Reader)
	if err != nil {
		return nil, err
	}
	encoded, err := crypto.MarshalPrivateKey(key)
	if err != nil {
		return nil, err
	}
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, unusable(err)
	}
	_, err = file.Write(encoded)
	if err := errors.Join(err, file.Close()); err != nil {
		return nil, unusable(err)
	}
	return key, nil
}

func unusable(err error) error {
	return failure.New(failure.Environment, failure.Configuration, "cannot use the key file: %s", err)
}
