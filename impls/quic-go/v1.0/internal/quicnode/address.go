package quicnode

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

// address is what is published: where the listener is, and the hash of its certificate, in which a
// dialer trusts. As a multiaddr: /ip4/192.0.2.7/udp/4001/quic/certhash/uEi….
type address struct {
	socket netip.AddrPort
	pin    pin
}

// pin is the SHA-256 of a certificate (DER).
type pin [sha256.Size]byte

// multihash of SHA-256: its code and its length.
const sha256Multihash = "\x12\x20"

// String is the multiaddr; the hash stands in it as libp2p's WebTransport writes its own, as a
// multihash in base64url.
func (a address) String() string {
	family := "ip4"
	if a.socket.Addr().Is6() {
		family = "ip6"
	}
	hash := base64.RawURLEncoding.EncodeToString(append([]byte(sha256Multihash), a.pin[:]...))
	return fmt.Sprintf("/%s/%v/udp/%d/quic/certhash/u%s", family, a.socket.Addr(), a.socket.Port(), hash)
}

// parseAddress reads what String makes.
func parseAddress(text string) (address, error) {
	parts := strings.Split(text, "/")
	if len(parts) != 8 || parts[0] != "" || parts[3] != "udp" || parts[5] != "quic" || parts[6] != "certhash" {
		return address{}, fmt.Errorf("%q is not an address as /ip4/192.0.2.7/udp/4001/quic/certhash/u…", text)
	}
	ip, err := netip.ParseAddr(parts[2])
	if err != nil {
		return address{}, fmt.Errorf("%q: %w", text, err)
	}
	port, err := strconv.ParseUint(parts[4], 10, 16)
	if err != nil {
		return address{}, fmt.Errorf("%q: %w", text, err)
	}
	encoded, isBase64URL := strings.CutPrefix(parts[7], "u")
	hash, err := base64.RawURLEncoding.DecodeString(encoded)
	digest, isSHA256 := strings.CutPrefix(string(hash), sha256Multihash)
	if err != nil || !isBase64URL || !isSHA256 || len(digest) != sha256.Size {
		return address{}, fmt.Errorf("%q: %q is not a SHA-256 multihash in base64url", text, parts[7])
	}
	return address{netip.AddrPortFrom(ip, uint16(port)), pin([]byte(digest))}, nil
}
