// Command perf-node measures quic-go without libp2p: the baseline that go-libp2p's QUIC can be held
// against. The environment says what to do: see docs/contract.md, or --help.
package main

import (
	"perf.test/contract/node"
	"perf.test/quic-go-node/internal/quicnode"
)

func main() { node.Main(quicnode.Node{}) }
