// Package loopback tells which hosts are this machine.
package loopback

import "net/netip"

// Is reports whether a host, without a port, surely is this machine: localhost, or an address of loopback.
func Is(host string) bool {
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.IsLoopback()
}
