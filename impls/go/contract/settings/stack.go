package settings

import (
	"slices"
	"strings"
)

// Stack is one combination that can be measured, in the contract's names.
type Stack struct {
	Transport string
	// SecureChannel and Muxer are empty where the transport brings its own.
	SecureChannel, Muxer string
	// Profile is stock or tuned.
	Profile string
}

var (
	transports = []string{
		"tcp", "ws", "quic-v1", "webtransport", "webrtc-direct", "https", "quic",
		"raw-tcp", "raw-tls", "raw-noise", "raw-quic",
	}
	secureChannels = []string{"noise", "tls"}
	muxers         = []string{"yamux", "mplex"}
	profiles       = []string{Stock, "tuned"}
)

// Stock is the profile of implementations as they ship.
const Stock = "stock"

// layered says whether the transport brings neither security nor multiplexing.
func layered(transport string) bool { return transport == "tcp" || transport == "ws" }

// String gives "tcp, noise, yamux" or "quic-v1"; a profile other than stock stands at the end.
func (s Stack) String() string {
	parts := []string{s.Transport, s.SecureChannel, s.Muxer}
	if s.Profile != Stock {
		parts = append(parts, s.Profile)
	}
	return strings.Join(slices.DeleteFunc(parts, func(part string) bool { return part == "" }), ", ")
}
