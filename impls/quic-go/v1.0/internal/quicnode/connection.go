package quicnode

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/quic-go/quic-go"

	"perf.test/contract/document"
	"perf.test/contract/exchange"
	"perf.test/contract/failure"
	"perf.test/contract/node"
	"perf.test/contract/settings"
)

// resetCode is what a stream that is given up carries; it has no meaning.
const resetCode = 1

// connection is one connection on a socket of its own.
type connection struct {
	conn      *quic.Conn
	transport *quic.Transport
	socket    *net.UDPConn
	handshake time.Duration
}

// Dial connects, and trusts the certificate whose hash is in the address.
func (Node) Dial(ctx context.Context, _ settings.Config, published string) (node.Connection, error) {
	address, err := parseAddress(published)
	if err != nil {
		return nil, err
	}
	socket, err := net.ListenUDP("udp", nil)
	if err != nil {
		return nil, failure.New(failure.Environment, failure.Dial, "cannot make a socket: %s", err)
	}
	transport := &quic.Transport{Conn: socket}
	start := time.Now()
	conn, err := transport.Dial(ctx, net.UDPAddrFromAddrPort(address.socket), clientTLS(address.pin), nil)
	took := time.Since(start)
	if err != nil {
		_ = errors.Join(transport.Close(), socket.Close())
		return nil, fmt.Errorf("cannot connect to %s: %w; offered ALPN %s alone, over QUIC", published, err, alpn)
	}
	return &connection{conn: conn, transport: transport, socket: socket, handshake: took}, nil
}

// OpenStream opens one; its peer learns of it with the first bytes.
func (c *connection) OpenStream(ctx context.Context) (exchange.Stream, error) {
	opened, err := c.conn.OpenStreamSync(ctx)
	if err != nil {
		return nil, err
	}
	return stream{opened}, nil
}

// Standing says why the connection is gone.
func (c *connection) Standing() error { return context.Cause(c.conn.Context()) }

// Details are the handshake's duration and the version of QUIC that it settled.
func (c *connection) Details() node.Details {
	return node.Details{
		Phases: []document.Phase{{Name: "handshake", Milliseconds: c.handshake.Seconds() * 1e3}},
		Extra:  []document.Entry{{Key: "quic_version", Value: c.conn.ConnectionState().Version.String()}},
	}
}

// Close tells the peer, and frees the socket.
func (c *connection) Close() error {
	return errors.Join(c.conn.CloseWithError(0, ""), c.transport.Close(), c.socket.Close())
}

// stream is a QUIC stream in the words of the exchange.
type stream struct{ *quic.Stream }

// CloseWrite ends the writing side: a QUIC stream's Close does that and no more.
func (s stream) CloseWrite() error { return s.Stream.Close() }

// Reset gives both sides up.
func (s stream) Reset() error {
	s.CancelRead(resetCode)
	s.CancelWrite(resetCode)
	return nil
}

// Close frees the stream: what is not read is not wanted.
func (s stream) Close() error {
	s.CancelRead(resetCode)
	return s.Stream.Close()
}
