package rendezvous

import (
	"net"
	"net/netip"
	"slices"
)

// publishedIP is the address to publish for a listener bound to bound, given where Redis is: the
// bound one if it is concrete, else the one the route to Redis leaves from, so that loopback is
// published only where Redis is on loopback. ok is false where this machine has none.
func publishedIP(bound netip.Addr, redis []netip.AddrPort) (ip netip.Addr, ok bool) {
	return choose(bound, redis, sourceAddress, localIPs())
}

func choose(bound netip.Addr, redis []netip.AddrPort, source func(netip.AddrPort) (netip.Addr, bool), local []netip.Addr) (netip.Addr, bool) {
	if !bound.IsUnspecified() {
		return bound, true
	}
	var sources []netip.Addr
	for _, address := range redis {
		if ip, ok := source(address); ok {
			sources = append(sources, ip)
		}
	}
	if len(sources) == 0 {
		return netip.Addr{}, false
	}
	ofFamily := func(ip netip.Addr) bool { return ip.Is4() == bound.Is4() }
	if at := slices.IndexFunc(sources, ofFamily); at >= 0 {
		return sources[at], true
	}
	// A route of the other family says only whether the machine is meant or the network.
	onLoopback := sources[0].IsLoopback()
	at := slices.IndexFunc(local, func(ip netip.Addr) bool { return ofFamily(ip) && ip.IsLoopback() == onLoopback })
	if at < 0 {
		return netip.Addr{}, false
	}
	return local[at], true
}

// sourceAddress is that of packets to destination. Connecting a UDP socket asks the routing table
// and sends nothing.
func sourceAddress(destination netip.AddrPort) (netip.Addr, bool) {
	socket, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(destination))
	if err != nil {
		return netip.Addr{}, false
	}
	defer socket.Close()
	return socket.LocalAddr().(*net.UDPAddr).AddrPort().Addr().Unmap(), true
}

// localIPs are this machine's addresses in order; IPv6 link-local ones mean nothing without their
// zone and are left out.
func localIPs() []netip.Addr {
	interfaces, err := net.InterfaceAddrs()
	if err != nil {
		return nil
	}
	var ips []netip.Addr
	for _, address := range interfaces {
		prefix, err := netip.ParsePrefix(address.String())
		if ip := prefix.Addr().Unmap(); err == nil && !(ip.Is6() && ip.IsLinkLocalUnicast()) {
			ips = append(ips, ip)
		}
	}
	slices.SortFunc(ips, netip.Addr.Compare)
	return ips
}
