package libp2pnode

import (
	"fmt"

	"github.com/libp2p/go-libp2p"
	mplex "github.com/libp2p/go-libp2p-mplex"
	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/protocol"
	"github.com/libp2p/go-libp2p/core/sec"
	"github.com/libp2p/go-libp2p/p2p/muxer/yamux"
	"github.com/libp2p/go-libp2p/p2p/net/upgrader"
	"github.com/libp2p/go-libp2p/p2p/security/noise"
	libp2ptls "github.com/libp2p/go-libp2p/p2p/security/tls"
	quic "github.com/libp2p/go-libp2p/p2p/transport/quic"
	"github.com/libp2p/go-libp2p/p2p/transport/tcp"
	webtransport "github.com/libp2p/go-libp2p/p2p/transport/webtransport"

	"perf.test/contract/node"
	"perf.test/contract/settings"
)

// securityConstructor is what libp2p.Security wants of a secure channel.
type securityConstructor func(id protocol.ID, key crypto.PrivKey, muxers []upgrader.StreamMuxer) (sec.SecureTransport, error)

// secureChannels by the contract's names; the ids are what a connection's state must tell.
var secureChannels = map[string]struct {
	id  protocol.ID
	new securityConstructor
}{
	"noise": {noise.ID, func(id protocol.ID, key crypto.PrivKey, muxers []upgrader.StreamMuxer) (sec.SecureTransport, error) {
		return noise.New(id, key, muxers)
	}},
	"tls": {libp2ptls.ID, func(id protocol.ID, key crypto.PrivKey, muxers []upgrader.StreamMuxer) (sec.SecureTransport, error) {
		return libp2ptls.New(id, key, muxers)
	}},
}

// muxers by the contract's names.
var muxers = map[string]struct {
	id          protocol.ID
	multiplexer network.Multiplexer
}{
	"yamux": {yamux.ID, yamux.DefaultTransport},
	"mplex": {mplex.ID, mplex.DefaultTransport},
}

// commonOptions leave the protocols as go-libp2p ships them, and switch off what is not measured:
// limits that would refuse streams, and services that would open streams of their own.
func commonOptions(config settings.Config) ([]libp2p.Option, error) {
	key, err := identity(config.Identity)
	if err != nil {
		return nil, err
	}
	return []libp2p.Option{
		libp2p.Identity(key),
		libp2p.UserAgent("go-libp2p/" + node.VersionOf(module)),
		libp2p.ResourceManager(&network.NullResourceManager{}),
		libp2p.DisableMetrics(),
		libp2p.DisableRelay(),
		libp2p.DisableIdentifyAddressDiscovery(),
		libp2p.Ping(false),
		// A dialer that failed once would otherwise refuse to try UDP or IPv6 again.
		libp2p.UDPBlackHoleSuccessCounter(nil),
		libp2p.IPv6BlackHoleSuccessCounter(nil),
	}, nil
}

// listenerOptions are the stack alone, bound to config.IP and config.Port.
func listenerOptions(config settings.Config) []libp2p.Option {
	ip := "ip4"
	if config.IP.Is6() {
		ip = "ip6"
	}
	protocol := map[string]string{
		"tcp": "tcp/%d", "quic-v1": "udp/%d/quic-v1", "webtransport": "udp/%d/quic-v1/webtransport",
	}[config.Stack.Transport]
	address := fmt.Sprintf("/%s/%v/"+protocol, ip, config.IP, config.Port)
	options := []libp2p.Option{libp2p.ListenAddrStrings(address)}
	if config.Stack.Transport != "tcp" {
		return append(options, standalone(config.Stack.Transport))
	}
	channel, muxer := secureChannels[config.Stack.SecureChannel], muxers[config.Stack.Muxer]
	return append(options,
		libp2p.Transport(tcp.NewTCPTransport),
		libp2p.Security(string(channel.id), channel.new),
		libp2p.Muxer(string(muxer.id), muxer.multiplexer),
	)
}

// dialerOptions are the stack alone, listening nowhere; over tcp, clock takes the phases.
func dialerOptions(stack settings.Stack, clock *clock) []libp2p.Option {
	if stack.Transport != "tcp" {
		return []libp2p.Option{libp2p.NoListenAddrs, standalone(stack.Transport)}
	}
	channel, muxer := secureChannels[stack.SecureChannel], muxers[stack.Muxer]
	return []libp2p.Option{
		libp2p.NoListenAddrs,
		libp2p.Transport(tcp.NewTCPTransport, tcp.WithDialerForAddr(clock.dialer)),
		libp2p.Security(string(channel.id), clock.security(channel.new)),
		libp2p.Muxer(string(muxer.id), timedMuxer{muxer.multiplexer, clock}),
	}
}

// standalone is a transport that brings security and multiplexing.
func standalone(transport string) libp2p.Option {
	if transport == "webtransport" {
		return libp2p.Transport(webtransport.New)
	}
	return libp2p.Transport(quic.NewTransport)
}

func newHost(options ...[]libp2p.Option) (host.Host, error) {
	var all []libp2p.Option
	for _, some := range options {
		all = append(all, some...)
	}
	return libp2p.New(all...)
}
