package gateway

import (
	"errors"
	"fmt"
	"maps"
	"net"
	"slices"
	"strings"
	"sync"

	"github.com/coreos/go-systemd/v22/activation"
)

// passedSockets returns the sockets that systemd has passed to this process, by their names. They stay open until
// the process ends, so that a reload can open a listener again that another had removed. Meanwhile the system
// keeps new connections waiting.
var passedSockets = sync.OnceValue(activation.FilesWithNames)

// passedListener opens the socket that systemd has passed under a name.
func passedListener(name string) (net.Listener, error) {
	sockets := passedSockets()
	switch files := sockets[name]; len(files) {
	case 0:
		names := slices.Sorted(maps.Keys(sockets))
		if len(names) == 0 {
			return nil, errors.New("systemd has passed no socket: start the service by its socket unit")
		}
		return nil, fmt.Errorf("systemd has passed no socket %q (FileDescriptorName=); there are %s",
			name, strings.Join(names, ", "))
	case 1:
		n, err := net.FileListener(files[0])
		if err != nil {
			return nil, fmt.Errorf("socket %q of systemd is none that accepts connections: %w", name, err)
		}
		return n, nil
	default:
		return nil, fmt.Errorf("systemd has passed %d sockets %q: give each a name (FileDescriptorName=)",
			len(files), name)
	}
}

// checkPassed refuses an egress on a socket of systemd to which anybody could connect. The file does not tell.
func checkPassed(n net.Listener, routes []*route) error {
	tcp, is := n.Addr().(*net.TCPAddr)
	if _, passed := routes[0].c.Listen.Address.systemd(); !passed || !is || tcp.IP.IsLoopback() {
		return nil
	}
	for _, r := range routes {
		if r.c.Egress != "" && (r.tls == nil || !r.c.knowsCallers()) {
			return errors.Join(fmt.Errorf("listen: %s %s", tcp, beyondLoopback), n.Close())
		}
	}
	return nil
}
