// Package node is a node's life in contract mode: configure, meet, listen or dial, measure, report,
// end. An implementation fills in Node and calls Main.
package node

import (
	"context"
	"net/netip"
	"runtime/debug"

	"perf.test/contract/document"
	"perf.test/contract/exchange"
	"perf.test/contract/measure"
	"perf.test/contract/settings"
)

// Node is an implementation under test. Its errors are classified by where they come from: out of
// Listen they are blamed on the environment, out of Dial on the connection; return a
// *failure.Failure to say otherwise.
type Node interface {
	// Name and Version are for the document.
	Name() string
	Version() string
	// Speaks says why the node cannot measure a stack; nil: it can.
	Speaks(stack settings.Stack) error
	// Listen binds config.IP and config.Port (0: any free one), and hands every stream of the protocol
	// to serve, in a goroutine of its own.
	Listen(config settings.Config, serve func(exchange.Stream)) (Listener, error)
	// Dial connects to a published address with exactly config.Stack: nothing else may be offered, and
	// what was negotiated is verified.
	Dial(ctx context.Context, config settings.Config, address string) (Connection, error)
}

// Listener is bound and serves.
type Listener interface {
	// Address is the multiaddr for a dialer that reaches this machine as ip.
	Address(ip netip.Addr) string
	// Failed tells that the listener has ended by itself, and why; nothing a peer does ends it.
	Failed() <-chan error
	// Close ends it, and its connections.
	Close() error
}

// Connection is one to a listener.
type Connection interface {
	measure.Connection
	// Details are what connecting cost and what was negotiated.
	Details() Details
	// Close tells the peer that this was all.
	Close() error
}

// Details are what a connection tells about itself.
type Details struct {
	// Phases in order: dial, security, muxer; or one handshake.
	Phases []document.Phase
	// Negotiation says how streams agree on their protocol: v1, lazy; empty where they don't.
	Negotiation string
	// Extra is anything else worth recording.
	Extra []document.Entry
}

// VersionOf gives the version of a module that is linked into this program, as the toolchain
// recorded it; "(devel)" where it recorded none, as in tests.
func VersionOf(module string) string {
	info, ok := debug.ReadBuildInfo()
	if ok {
		for _, dependency := range info.Deps {
			if dependency.Path == module {
				return dependency.Version
			}
		}
	}
	return "(devel)"
}
