package server

import (
	"net/http"
	"net/netip"
	"strings"
)

// clientKey names the client of a request for its allowance: the address from which it reached the outermost trusted
// proxy. What a client writes into X-Forwarded-For itself stands left of what a trusted proxy adds, and is never read.
func clientKey(r *http.Request, trusted []netip.Prefix) string {
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return "unknown" // a listener without addresses, as a unix socket: all its clients share an allowance
	}
	addr := peer.Addr().Unmap()
	if isTrusted(addr, trusted) {
		hops := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
		for i := len(hops) - 1; i >= 0; i-- {
			hop, ok := parseHop(hops[i])
			if !ok {
				break // what is left of it can't be placed
			}
			addr = hop
			if !isTrusted(hop, trusted) {
				break
			}
		}
	}
	if addr.Is6() {
		// One household or one server gets a whole /64, and may use a new address of it for each request.
		if network, err := addr.WithZone("").Prefix(64); err == nil {
			return network.String()
		}
	}
	return addr.String()
}

func isTrusted(addr netip.Addr, trusted []netip.Prefix) bool {
	for _, p := range trusted {
		if p.Contains(addr.WithZone("")) {
			return true
		}
	}
	return false
}

// parseHop reads one entry of X-Forwarded-For: an address, and with some proxies its port.
func parseHop(hop string) (netip.Addr, bool) {
	hop = strings.TrimSpace(hop)
	if addr, err := netip.ParseAddr(hop); err == nil {
		return addr.Unmap(), true
	}
	if addrPort, err := netip.ParseAddrPort(hop); err == nil {
		return addrPort.Addr().Unmap(), true
	}
	return netip.Addr{}, false
}
