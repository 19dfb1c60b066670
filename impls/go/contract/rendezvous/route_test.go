package rendezvous

import (
	"net/netip"
	"testing"
)

func TestWhichAddressIsPublished(t *testing.T) {
	var local []netip.Addr
	for _, ip := range []string{"127.0.0.1", "10.8.0.3", "::1", "fd00::3"} {
		local = append(local, netip.MustParseAddr(ip))
	}
	for _, c := range []struct{ bound, redis, route, want string }{
		// A concrete one as it is.
		{"127.0.0.1", "10.8.0.2:6379", "10.8.0.3", "127.0.0.1"},
		// Else the route to Redis decides.
		{"0.0.0.0", "10.8.0.2:6379", "10.8.0.3", "10.8.0.3"},
		{"0.0.0.0", "127.0.0.1:6379", "127.0.0.1", "127.0.0.1"},
		// One of the other family says machine or network.
		{"::", "127.0.0.1:6379", "127.0.0.1", "::1"},
		{"::", "10.8.0.2:6379", "10.8.0.3", "fd00::3"},
	} {
		route := func(netip.AddrPort) (netip.Addr, bool) { return netip.MustParseAddr(c.route), true }
		redis := []netip.AddrPort{netip.MustParseAddrPort(c.redis)}
		got, ok := choose(netip.MustParseAddr(c.bound), redis, route, local)
		if !ok || got.String() != c.want {
			t.Errorf("%+v: %v %v", c, got, ok)
		}
	}
}

func TestWithoutARouteThereIsNothingToPublish(t *testing.T) {
	none := func(netip.AddrPort) (netip.Addr, bool) { return netip.Addr{}, false }
	redis := []netip.AddrPort{netip.MustParseAddrPort("10.8.0.2:1")}
	if got, ok := choose(netip.IPv4Unspecified(), redis, none, nil); ok {
		t.Error(got)
	}
}

func TestTheRouteToLoopbackIsLoopback(t *testing.T) {
	got, ok := publishedIP(netip.IPv4Unspecified(), []netip.AddrPort{netip.MustParseAddrPort("127.0.0.1:9")})
	if !ok || got.String() != "127.0.0.1" {
		t.Error(got, ok)
	}
}
