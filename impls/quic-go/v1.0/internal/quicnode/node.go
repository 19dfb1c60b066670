// Package quicnode is quic-go as an implementation under test, without libp2p: each exchange of the
// perf protocol on a stream of its own, which nothing negotiates.
package quicnode

import (
	"context"
	"errors"
	"net"
	"net/netip"

	"github.com/quic-go/quic-go"

	"perf.test/contract/exchange"
	"perf.test/contract/node"
	"perf.test/contract/settings"
)

const module = "github.com/quic-go/quic-go"

// Node is quic-go.
type Node struct{}

// Name is the implementation's.
func (Node) Name() string { return "quic-go" }

// Version is that of the quic-go that is linked in.
func (Node) Version() string { return node.VersionOf(module) }

// Speaks says why a stack cannot be measured.
func (Node) Speaks(stack settings.Stack) error {
	if stack.Transport != "quic" {
		return errors.New("it is a baseline, and speaks quic alone")
	}
	if stack.Profile != settings.Stock {
		return errors.New("it has no profile but stock: quic-go as it ships")
	}
	return nil
}

// Listen binds and serves.
func (Node) Listen(config settings.Config, serve func(exchange.Stream)) (node.Listener, error) {
	certificate, pin, err := selfSigned()
	if err != nil {
		return nil, err
	}
	family := "udp4"
	if config.IP.Is6() {
		family = "udp6"
	}
	socket, err := net.ListenUDP(family, net.UDPAddrFromAddrPort(netip.AddrPortFrom(config.IP, config.Port)))
	if err != nil {
		return nil, err
	}
	transport := &quic.Transport{Conn: socket}
	accepting, err := transport.Listen(serverTLS(certificate), nil)
	if err != nil {
		return nil, errors.Join(err, transport.Close(), socket.Close())
	}
	l := &listener{
		socket: socket, transport: transport, pin: pin,
		port: socket.LocalAddr().(*net.UDPAddr).AddrPort().Port(), failed: make(chan error, 1),
	}
	go func() { l.failed <- accept(accepting, serve) }()
	return l, nil
}

type listener struct {
	socket    *net.UDPConn
	transport *quic.Transport
	pin       pin
	port      uint16
	failed    chan error
}

// accept serves the streams of every connection until the listener is closed or fails.
func accept(listener *quic.Listener, serve func(exchange.Stream)) error {
	for {
		conn, err := listener.Accept(context.Background())
		if err != nil {
			return err
		}
		go func() {
			for {
				accepted, err := conn.AcceptStream(context.Background())
				if err != nil {
					return // the connection is gone, with all its streams
				}
				go serve(stream{accepted})
			}
		}()
	}
}

// Address is the multiaddr with the certificate's hash.
func (l *listener) Address(ip netip.Addr) string {
	return address{netip.AddrPortFrom(ip, l.port), l.pin}.String()
}

// Failed tells that no more connections are accepted.
func (l *listener) Failed() <-chan error { return l.failed }

// Close tells every peer, and frees the socket.
func (l *listener) Close() error { return errors.Join(l.transport.Close(), l.socket.Close()) }
