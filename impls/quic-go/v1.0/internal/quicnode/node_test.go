package quicnode

import (
	"context"
	"net/netip"
	"strings"
	"testing"
	"time"

	"perf.test/contract/failure"
	"perf.test/contract/nodetest"
	"perf.test/contract/settings"
)

var quicStack = settings.Stack{Transport: "quic", Profile: settings.Stock}

func TestItMeasures(t *testing.T) {
	nodetest.Measures(t, Node{}, quicStack, "", "handshake")
}

func TestWhatIsNotSpoken(t *testing.T) {
	for _, stack := range []settings.Stack{
		{Transport: "quic-v1", Profile: settings.Stock}, {Transport: "raw-quic", Profile: settings.Stock}, {Transport: "quic", Profile: "tuned"},
	} {
		if err := (Node{}).Speaks(stack); err == nil {
			t.Errorf("it speaks %s", stack)
		}
	}
}

func TestAnotherCertificateIsRefused(t *testing.T) {
	config := nodetest.Config(quicStack)
	address, err := parseAddress(nodetest.Listen(t, Node{}, config))
	if err != nil {
		t.Fatal(err)
	}
	address.pin[0]++
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	_, err = Node{}.Dial(ctx, config, address.String())
	if err == nil || !strings.Contains(err.Error(), errOtherCertificate.Error()) {
		t.Error(err)
	}
	if class := failure.From(failure.Dial, err).Class; class != failure.Connect {
		t.Error(class)
	}
}

func TestAddressesReadBack(t *testing.T) {
	for _, socket := range []string{"192.0.2.7:4001", "[2001:db8::1]:1"} {
		made := address{socket: netip.MustParseAddrPort(socket), pin: pin{1, 2, 3}}
		if read, err := parseAddress(made.String()); err != nil || read != made {
			t.Errorf("%s: %+v %v", made, read, err)
		}
	}
}

func TestOtherAddressesAreRefused(t *testing.T) {
	good := address{socket: netip.MustParseAddrPort("192.0.2.7:4001")}.String()
	for _, bad := range []string{
		"", good + "/p2p/x", "/ip4/192.0.2.7/udp/4001/quic", strings.Replace(good, "udp", "tcp", 1),
		strings.Replace(good, "192.0.2.7", "host", 1), strings.Replace(good, "4001", "99999", 1),
		strings.Replace(good, "/u", "/z", 1), good[:len(good)-4],
	} {
		if read, err := parseAddress(bad); err == nil {
			t.Errorf("%q: %+v", bad, read)
		}
	}
}
