// Package libp2pnode is go-libp2p as an implementation under test: one host a process, which offers
// and accepts the stack it was given and nothing else.
package libp2pnode

import (
	"errors"
	"fmt"
	"net/netip"

	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/protocol"
	ma "github.com/multiformats/go-multiaddr"
	manet "github.com/multiformats/go-multiaddr/net"

	"perf.test/contract/exchange"
	"perf.test/contract/node"
	"perf.test/contract/settings"
)

const module = "github.com/libp2p/go-libp2p"

// Node is go-libp2p.
type Node struct{}

// Name is the implementation's.
func (Node) Name() string { return "go-libp2p" }

// Version is that of the go-libp2p that is linked in.
func (Node) Version() string { return node.VersionOf(module) }

// Speaks says why a stack cannot be measured.
func (Node) Speaks(stack settings.Stack) error {
	if stack.Profile != settings.Stock {
		return errors.New("it has no profile but stock: go-libp2p as it ships")
	}
	switch stack.Transport {
	case "tcp", "quic-v1", "webtransport":
		return nil
	}
	return errors.New("it speaks tcp, quic-v1 and webtransport")
}

// Listen binds a host that answers the perf protocol.
func (Node) Listen(config settings.Config, serve func(exchange.Stream)) (node.Listener, error) {
	options, err := commonOptions(config)
	if err != nil {
		return nil, err
	}
	host, err := newHost(options, listenerOptions(config))
	if err != nil {
		return nil, err
	}
	host.SetStreamHandler(protocol.ID(exchange.ID), func(stream network.Stream) { serve(stream) })
	bound := host.Network().ListenAddresses()
	if len(bound) != 1 {
		_ = host.Close()
		return nil, fmt.Errorf("bound to %v where one address was asked for", bound)
	}
	return &listener{host: host, bound: bound[0]}, nil
}

type listener struct {
	host  host.Host
	bound ma.Multiaddr
}

// Address is what was bound, with ip in place of its own, and the peer id.
func (l *listener) Address(ip netip.Addr) string {
	address, err := manet.FromIP(ip.AsSlice())
	if err != nil {
		// Only a slice of another length than an address has is refused.
		panic(err)
	}
	_, rest := ma.SplitFirst(l.bound)
	return address.Encapsulate(rest).String() + "/p2p/" + l.host.ID().String()
}

// Failed never tells: a host's listener goes on until it is closed.
func (l *listener) Failed() <-chan error { return nil }

// Close closes the host.
func (l *listener) Close() error { return l.host.Close() }
