// Command perf-node measures go-libp2p as a node of libp2p's unified-testing perf suite. The
// environment says what to do: see docs/contract.md, or --help.
package main

import (
	"perf.test/contract/node"
	"perf.test/go-libp2p-node/internal/libp2pnode"
)

func main() { node.Main(libp2pnode.Node{}) }
