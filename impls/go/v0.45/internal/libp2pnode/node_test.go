package libp2pnode

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/network"

	"perf.test/contract/failure"
	"perf.test/contract/nodetest"
	"perf.test/contract/settings"
)

func stack(transport, secureChannel, muxer string) settings.Stack {
	return settings.Stack{Transport: transport, SecureChannel: secureChannel, Muxer: muxer, Profile: settings.Stock}
}

func TestEveryStackMeasures(t *testing.T) {
	for _, channel := range []string{"noise", "tls"} {
		for _, muxer := range []string{"yamux", "mplex"} {
			stack := stack("tcp", channel, muxer)
			t.Run(stack.String(), func(t *testing.T) {
				nodetest.Measures(t, Node{}, stack, "lazy", "dial", "security", "muxer")
			})
		}
	}
	for _, transport := range []string{"quic-v1", "webtransport"} {
		t.Run(transport, func(t *testing.T) {
			nodetest.Measures(t, Node{}, stack(transport, "", ""), "lazy", "handshake")
		})
	}
}

func TestWhatIsNotSpoken(t *testing.T) {
	tuned := stack("tcp", "noise", "yamux")
	tuned.Profile = "tuned"
	for _, stack := range []settings.Stack{stack("ws", "noise", "yamux"), stack("quic", "", ""), tuned} {
		if err := (Node{}).Speaks(stack); err == nil {
			t.Errorf("it speaks %s", stack)
		}
	}
}

// A listener offers its stack and nothing else, so that a pass proves the combination.
func TestAnotherStackIsRefused(t *testing.T) {
	address := nodetest.Listen(t, Node{}, nodetest.Config(stack("tcp", "noise", "yamux")))
	for _, other := range []settings.Stack{stack("tcp", "tls", "yamux"), stack("tcp", "noise", "mplex"), stack("quic-v1", "", "")} {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		connection, err := Node{}.Dial(ctx, nodetest.Config(other), address)
		cancel()
		if err == nil {
			_ = connection.Close()
			t.Fatalf("%s was accepted", other)
		}
		failed := failure.From(failure.Dial, err)
		if failed.Class != failure.Connect || !strings.Contains(failed.Message, offered(other)) {
			t.Errorf("%s: %s", other, failed.LastLine())
		}
	}
}

func TestAStackThatWasNotAskedForIsNoPass(t *testing.T) {
	asked := stack("tcp", "noise", "yamux")
	state := network.ConnectionState{Transport: "tcp", Security: "/noise", StreamMultiplexer: "/yamux/1.0.0"}
	if err := verify(state, asked); err != nil {
		t.Error(err)
	}
	for _, other := range []settings.Stack{stack("tcp", "tls", "yamux"), stack("tcp", "noise", "mplex"), stack("quic-v1", "", "")} {
		if err := verify(state, other); err == nil {
			t.Errorf("%+v passes for %s", state, other)
		}
	}
}

func TestAddressesThatCannotBeDialed(t *testing.T) {
	for _, address := range []string{"", "nonsense", "/ip4/127.0.0.1/tcp/1", "/ip4/127.0.0.1/tcp/1/p2p/12D3KooWDmSrkKbGahmiejGogsg8dde6DqbpUdnbvvoTdXBieym9"} {
		_, err := Node{}.Dial(t.Context(), nodetest.Config(stack("tcp", "noise", "yamux")), address)
		if err == nil || failure.From(failure.Dial, err).Class != failure.Connect {
			t.Errorf("%q: %v", address, err)
		}
	}
}

func TestAWebTransportAddressNamesTwoCertificates(t *testing.T) {
	address := nodetest.Listen(t, Node{}, nodetest.Config(stack("webtransport", "", "")))
	if strings.Count(address, "/certhash/u") != 2 || !strings.Contains(address, "/quic-v1/webtransport/certhash/") {
		t.Error(address)
	}
}

func TestAnIdentityIsKept(t *testing.T) {
	path := filepath.Join(t.TempDir(), "key")
	made, err := identity(path)
	if err != nil {
		t.Fatal(err)
	}
	if kept, err := identity(path); err != nil || !kept.Equals(made) {
		t.Error("another key: ", err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Error(info.Mode(), err)
	}
	config := nodetest.Config(stack("tcp", "noise", "yamux"))
	config.Identity = path
	if a, b := nodetest.Listen(t, Node{}, config), nodetest.Listen(t, Node{}, config); peerOf(a) != peerOf(b) {
		t.Errorf("%s and %s", a, b)
	}
}

func peerOf(address string) string { return address[strings.LastIndex(address, "/")+1:] }

func TestAnotherFileIsNotTakenForAKey(t *testing.T) {
	path := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(path, []byte("not a key"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{path, filepath.Join(path, "below/a/file")} {
		_, err := identity(path)
		var failed *failure.Failure
		if !errors.As(err, &failed) || failed.Class != failure.Environment {
			t.Errorf("%s: %v", path, err)
		}
	}
}
