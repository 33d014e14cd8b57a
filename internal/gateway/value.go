package gateway

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"

	"github.com/sealane/sealane/internal/lanes"
	"github.com/sealane/sealane/internal/loopback"
	"github.com/sealane/sealane/internal/secretplace"
	"github.com/sealane/sealane/internal/strictyaml"
)

// Duration is a time span such as 5s or 24h.
type Duration = strictyaml.Duration

// Secret says where a secret is: file:PATH, env:NAME, credential:NAME or exec:COMMAND.
type Secret = secretplace.Place

// Size is a number of bytes, such as 4MiB.
type Size int64

var units = []struct {
	name  string
	bytes int64
}{{"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}, {"", 1}}

// UnmarshalText reads a number with KiB, MiB, GiB or nothing behind it.
func (s *Size) UnmarshalText(text []byte) error {
	for _, u := range units {
		number, ok := strings.CutSuffix(string(text), u.name)
		if !ok {
			continue
		}
		n, err := strconv.ParseInt(strings.TrimSpace(number), 10, 64)
		if err == nil && n >= 0 && n <= 1<<50/u.bytes {
			*s = Size(n * u.bytes)
			return nil
		}
		break
	}
	return fmt.Errorf("is %.40q: give a size such as 32KiB, 4MiB or 1GiB", text)
}

// SchemaPattern is the pattern of a size.
func (*Size) SchemaPattern() string { return `^[0-9]+ ?(KiB|MiB|GiB)?$` }

// Memory is a Size, or 0 for auto.
type Memory int64

// UnmarshalText reads auto, or a size of at least a byte.
func (m *Memory) UnmarshalText(text []byte) error {
	var s Size
	if string(text) != "auto" && (s.UnmarshalText(text) != nil || s == 0) {
		return fmt.Errorf("is %.40q: give auto, or a size such as 256MiB or 1GiB", text)
	}
	*m = Memory(s)
	return nil
}

// SchemaPattern is the pattern of an amount of memory.
func (*Memory) SchemaPattern() string { return `^(auto|[0-9]+ ?(KiB|MiB|GiB)?)$` }

func (s Size) or(other int64) int64 {
	if s == 0 {
		return other
	}
	return int64(s)
}

// Rate is how often something may happen in a second, such as 100/s.
type Rate = lanes.Rate

// Prefix is a range of IP addresses in CIDR notation, or one address.
type Prefix netip.Prefix

// UnmarshalText reads a range, or one address.
func (p *Prefix) UnmarshalText(text []byte) error {
	if prefix, err := netip.ParsePrefix(string(text)); err == nil {
		*p = Prefix(prefix.Masked())
		return nil
	}
	address, err := netip.ParseAddr(string(text))
	if err != nil {
		return fmt.Errorf("is %.60q: give addresses such as 10.0.0.0/8 or 192.0.2.1", text)
	}
	*p = Prefix(netip.PrefixFrom(address, address.BitLen()))
	return nil
}

func anyContains(list []Prefix, address netip.Addr) bool {
	address = address.Unmap()
	for _, p := range list {
		if netip.Prefix(p).Contains(address) {
			return true
		}
	}
	return false
}

// Path is the path of a file. A relative one begins at the folder of the configuration.
type Path string

// in returns the path as seen from the program.
func (p Path) in(dir string) string {
	if filepath.IsAbs(string(p)) {
		return string(p)
	}
	return filepath.Join(dir, string(p))
}

// Address is where to listen: HOST:PORT, unix:PATH, or systemd:NAME for a socket that systemd passes.
type Address string

// socketName is a name that systemd takes in FileDescriptorName=.
var socketName = regexp.MustCompile(`^[^:[:cntrl:]]{1,255}$`)

// UnmarshalText reads an address.
func (a *Address) UnmarshalText(text []byte) error {
	if path, ok := strings.CutPrefix(string(text), "unix:"); ok {
		if path == "" {
			return errors.New("is unix: without a path")
		}
		*a = Address(text)
		return nil
	}
	if name, ok := strings.CutPrefix(string(text), "systemd:"); ok {
		if !socketName.MatchString(name) {
			return errors.New("is systemd: without the name of a socket (FileDescriptorName=)")
		}
		*a = Address(text)
		return nil
	}
	_, port, err := net.SplitHostPort(string(text))
	if n, e := strconv.ParseUint(port, 10, 16); err != nil || e != nil || strconv.FormatUint(n, 10) != port {
		return fmt.Errorf("is %.80q: give HOST:PORT, :PORT, unix:PATH or systemd:NAME", text)
	}
	*a = Address(text)
	return nil
}

// unix returns the path of a unix socket.
func (a Address) unix() (path string, ok bool) { return strings.CutPrefix(string(a), "unix:") }

// systemd returns the name of a socket that systemd passes.
func (a Address) systemd() (name string, ok bool) { return strings.CutPrefix(string(a), "systemd:") }

// free reports whether the system chooses the port.
func (a Address) free() bool {
	_, passed := a.systemd()
	return !passed && strings.HasSuffix(string(a), ":0")
}

// local reports whether only programs on this machine can connect. Of a socket that systemd passes, the
// address shows when it is opened.
func (a Address) local() bool {
	if _, ok := a.unix(); ok {
		return true
	}
	if _, ok := a.systemd(); ok {
		return true
	}
	host, _, err := net.SplitHostPort(string(a))
	if err != nil {
		return false
	}
	return loopback.Is(host)
}

// conflicts reports whether two addresses that are written in different ways can't both be opened.
func (a Address) conflicts(b Address) bool {
	if a == "" || b == "" || a == b {
		return false
	}
	pathA, unixA := a.unix()
	pathB, unixB := b.unix()
	if unixA && unixB {
		return filepath.Clean(pathA) == filepath.Clean(pathB)
	}
	hostA, portA, errA := net.SplitHostPort(string(a))
	hostB, portB, errB := net.SplitHostPort(string(b))
	if unixA || unixB || errA != nil || errB != nil || portA != portB || portA == "0" {
		return false
	}
	ipA, ipB := listenIP(hostA), listenIP(hostB)
	switch {
	case ipA.IsUnspecified() || ipB.IsUnspecified(): // an address of IPv6 that is unspecified has all of IPv4, too
		return ipA.Is4() == ipB.Is4() || ipA == netip.IPv6Unspecified() || ipB == netip.IPv6Unspecified() ||
			!ipA.IsValid() || !ipB.IsValid()
	case !ipA.IsValid() && !ipB.IsValid():
		return strings.EqualFold(hostA, hostB)
	}
	return ipA == ipB
}

// listenIP returns the IP address of a host to listen on. It is not valid for other names than localhost.
func listenIP(host string) netip.Addr {
	switch host {
	case "":
		return netip.IPv6Unspecified()
	case "localhost":
		host = "127.0.0.1"
	}
	ip, err := netip.ParseAddr(host)
	if err != nil {
		return netip.Addr{}
	}
	return ip.Unmap()
}

// Short says that an address alone may stand for a Listen.
func (*Listen) Short() string { return "address" }

// Short says that the way alone may stand for a Caller.
func (*Caller) Short() string { return "way" }

// Short says that a URL alone may stand for an Upstream.
func (*Upstream) Short() string { return "url" }

// Short says that a folder alone may stand for Keys.
func (*Keys) Short() string { return "folder" }
