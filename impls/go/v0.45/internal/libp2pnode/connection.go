package libp2pnode

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/libp2p/go-libp2p/core/event"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/peerstore"
	"github.com/libp2p/go-libp2p/core/protocol"
	"github.com/libp2p/go-libp2p/p2p/protocol/identify"
	"github.com/multiformats/go-multistream"

	"perf.test/contract/document"
	"perf.test/contract/exchange"
	"perf.test/contract/failure"
	"perf.test/contract/node"
	"perf.test/contract/settings"
)

// connection is a host with one connection.
type connection struct {
	host    host.Host
	conn    network.Conn
	stack   settings.Stack
	details node.Details
}

// Dial connects a host of its own, and lets identify end before anything is measured.
func (Node) Dial(ctx context.Context, config settings.Config, address string) (node.Connection, error) {
	target, err := peer.AddrInfoFromString(address)
	if err != nil {
		return nil, fmt.Errorf("%q is not an address with a peer id: %w", address, err)
	}
	options, err := commonOptions(config)
	if err != nil {
		return nil, err
	}
	var clock clock
	host, err := newHost(options, dialerOptions(config.Stack, &clock))
	if err != nil {
		return nil, failure.New(failure.Environment, failure.Dial, "cannot make a host: %s", err)
	}
	connection := &connection{host: host, stack: config.Stack}
	if err := connection.establish(ctx, *target, &clock); err != nil {
		_ = host.Close()
		return nil, fmt.Errorf("cannot connect to %s: %w; offered %s", address, err, offered(config.Stack))
	}
	return connection, nil
}

func offered(stack settings.Stack) string {
	if stack.Transport != "tcp" {
		return stack.Transport + " alone"
	}
	return fmt.Sprintf("%s and %s alone, over tcp", secureChannels[stack.SecureChannel].id, muxers[stack.Muxer].id)
}

func (c *connection) establish(ctx context.Context, target peer.AddrInfo, clock *clock) error {
	identified, err := c.host.EventBus().Subscribe([]any{
		new(event.EvtPeerIdentificationCompleted), new(event.EvtPeerIdentificationFailed),
	})
	if err != nil {
		return err
	}
	defer identified.Close()
	c.host.Peerstore().AddAddrs(target.ID, target.Addrs, peerstore.PermanentAddrTTL)
	start := time.Now()
	if c.conn, err = c.host.Network().DialPeer(ctx, target.ID); err != nil {
		return err
	}
	took := time.Since(start)
	if err := verify(c.conn.ConnState(), c.stack); err != nil {
		return err
	}
	c.details.Phases = []document.Phase{phase("handshake", took)}
	if c.stack.Transport == "tcp" {
		c.details.Phases = clock.phases()
	}
	if err := c.settle(ctx, identified); err != nil {
		return err
	}
	c.describe()
	return nil
}

// verify holds what was negotiated against what was asked for.
func verify(state network.ConnectionState, stack settings.Stack) error {
	want := network.ConnectionState{Transport: stack.Transport}
	if stack.Transport == "tcp" {
		want.Security = secureChannels[stack.SecureChannel].id
		want.StreamMultiplexer = muxers[stack.Muxer].id
	}
	state.UsedEarlyMuxerNegotiation = false
	if state != want {
		return fmt.Errorf("negotiated transport %q, security %q, muxer %q, where %s was asked for",
			state.Transport, state.Security, state.StreamMultiplexer, stack)
	}
	return nil
}

// askedBack is for the peer's own identify, once it has answered ours.
const askedBack = 100 * time.Millisecond

// settle waits until identify has ended, our question (which go-libp2p gives up by itself) and the
// peer's: new streams wait for the one, and the other would stand in the first sample.
func (c *connection) settle(ctx context.Context, identified event.Subscription) error {
	select {
	case <-identified.Out():
	case <-ctx.Done():
		return errors.New("identify did not end")
	}
	asked := false
	for until := time.Now().Add(askedBack); time.Now().Before(until); time.Sleep(2 * time.Millisecond) {
		asking := c.isBeingIdentified()
		if asked && !asking {
			return nil
		}
		asked = asked || asking
	}
	return nil
}

func (c *connection) isBeingIdentified() bool {
	for _, stream := range c.conn.GetStreams() {
		if stream.Stat().Direction == network.DirInbound && (stream.Protocol() == identify.ID || stream.Protocol() == "") {
			return true
		}
	}
	return false
}

// describe tells how streams will be negotiated: go-libp2p does it lazily with a peer of which it
// knows that it speaks the protocol.
func (c *connection) describe() {
	c.details.Negotiation = "v1"
	spoken, err := c.host.Peerstore().SupportsProtocols(c.conn.RemotePeer(), protocol.ID(exchange.ID))
	if err == nil && len(spoken) > 0 {
		c.details.Negotiation = "lazy"
	}
	if agent, err := c.host.Peerstore().Get(c.conn.RemotePeer(), "AgentVersion"); err == nil {
		if text, ok := agent.(string); ok && text != "" {
			c.details.Extra = append(c.details.Extra, document.Entry{Key: "peer_agent", Value: text})
		}
	}
}

// OpenStream opens one for the perf protocol.
func (c *connection) OpenStream(ctx context.Context) (exchange.Stream, error) {
	stream, err := c.host.NewStream(network.WithNoDial(ctx, "measured over one connection"), c.conn.RemotePeer(), protocol.ID(exchange.ID))
	var refused multistream.ErrNotSupported[protocol.ID]
	if errors.As(err, &refused) {
		return nil, failure.New(failure.Connect, failure.Dial, "the peer does not speak %s", exchange.ID)
	}
	if err != nil {
		return nil, err
	}
	return stream, nil
}

// Standing says why the connection is gone.
func (c *connection) Standing() error {
	if c.conn.IsClosed() {
		return errors.New("it is closed")
	}
	return nil
}

// Details are what was found while connecting.
func (c *connection) Details() node.Details { return c.details }

// Close closes the host.
func (c *connection) Close() error { return c.host.Close() }
