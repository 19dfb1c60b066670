package libp2pnode

import (
	"context"
	"net"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"
	"github.com/libp2p/go-libp2p/core/sec"
	"github.com/libp2p/go-libp2p/p2p/net/upgrader"
	"github.com/libp2p/go-libp2p/p2p/transport/tcp"
	ma "github.com/multiformats/go-multiaddr"

	"perf.test/contract/document"
)

// clock notes when the layers of a dialed TCP connection stood. A host dials once, so each is noted
// once.
type clock struct {
	mutex                              sync.Mutex
	begun, connected, secured, divided time.Time
}

func (c *clock) note(at *time.Time) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	*at = time.Now()
}

// phases are the contract's. security contains the negotiation of its protocol; muxer is the making
// of an object, and a round trip where the handshake did not settle which.
func (c *clock) phases() []document.Phase {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	return []document.Phase{
		phase("dial", c.connected.Sub(c.begun)),
		phase("security", c.secured.Sub(c.connected)),
		phase("muxer", c.divided.Sub(c.secured)),
	}
}

func phase(name string, took time.Duration) document.Phase {
	return document.Phase{Name: name, Milliseconds: took.Seconds() * 1e3}
}

// dialer is go-libp2p's default one, a net.Dialer without settings, with the clock around it.
func (c *clock) dialer(ma.Multiaddr) (tcp.ContextDialer, error) { return timedDialer{c}, nil }

type timedDialer struct{ clock *clock }

func (d timedDialer) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	var dialer net.Dialer
	d.clock.note(&d.clock.begun)
	conn, err := dialer.DialContext(ctx, network, address)
	d.clock.note(&d.clock.connected)
	return conn, err
}

func (c *clock) security(inner securityConstructor) securityConstructor {
	return func(id protocol.ID, key crypto.PrivKey, muxers []upgrader.StreamMuxer) (sec.SecureTransport, error) {
		transport, err := inner(id, key, muxers)
		return timedSecurity{transport, c}, err
	}
}

type timedSecurity struct {
	sec.SecureTransport
	clock *clock
}

func (s timedSecurity) SecureOutbound(ctx context.Context, insecure net.Conn, p peer.ID) (sec.SecureConn, error) {
	conn, err := s.SecureTransport.SecureOutbound(ctx, insecure, p)
	s.clock.note(&s.clock.secured)
	return conn, err
}

type timedMuxer struct {
	network.Multiplexer
	clock *clock
}

func (m timedMuxer) NewConn(conn net.Conn, isServer bool, scope network.PeerScope) (network.MuxedConn, error) {
	muxed, err := m.Multiplexer.NewConn(conn, isServer, scope)
	m.clock.note(&m.clock.divided)
	return muxed, err
}
