package gateway

import (
	"io/fs"
	"math"
	"os"
	"path"
	"runtime/debug"
	"strconv"
	"strings"

	"github.com/sealane/sealane/sealhttp"
)

// cgroupMemory returns how many bytes of memory the control groups of this process may use, and 0 if none has a
// limit or it can't be read. system is the root of the file system.
func cgroupMemory(system fs.FS) int64 {
	groups, err := fs.ReadFile(system, "proc/self/cgroup")
	if err != nil {
		return 0
	}
	least := int64(0)
	for line := range strings.Lines(string(groups)) {
		parts := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(parts) != 3 {
			continue
		}
		folder, name := "sys/fs/cgroup", "memory.max" // version 2
		switch controllers := "," + parts[1] + ","; {
		case strings.Contains(controllers, ",memory,"):
			folder, name = "sys/fs/cgroup/memory", "memory.limit_in_bytes" // version 1
		case parts[1] != "":
			continue
		}
		// In a container the path can be that of the host: then only the folder itself is there. The limit
		// of each group above holds, too.
		for at := path.Clean("/" + parts[2]); ; at = path.Dir(at) {
			least = leastLimit(least, limitIn(system, path.Join(folder, at, name)))
			if at == "/" {
				break
			}
		}
	}
	return least
}

// limitIn reads a limit. One that is not there, "max", and the number for no limit of version 1 are 0.
func limitIn(system fs.FS, file string) int64 {
	text, err := fs.ReadFile(system, file)
	if err != nil {
		return 0
	}
	n, err := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64)
	if err != nil || n <= 0 || n > math.MaxInt64/2 {
		return 0
	}
	return n
}

// The shares of the memory of a control group.
const (
	heapShare = 0.9 // of the Go runtime, which collects more often above it
	heldShare = 0.5 // of what sealed messages hold, on all routes
)

// leastHeld is what messages can hold in a small control group.
const leastHeld = 8 << 20

// heldMemory returns how many bytes sealed messages may hold at once, on all routes.
func (g *Gateway) heldMemory(c *Config) int64 {
	switch group := cgroupMemory(g.options.System); {
	case c.Limits.Memory > 0:
		return int64(c.Limits.Memory)
	case group > 0:
		return max(leastHeld, int64(heldShare*float64(group)))
	}
	return sealhttp.DefaultMaxHeld
}

// limitHeap has the Go runtime keep its memory below the limit of the control group, unless GOMEMLIMIT says
// how much it may have.
func (g *Gateway) limitHeap(c *Config) {
	if c.Limits.Memory > 0 || os.Getenv("GOMEMLIMIT") != "" {
		return
	}
	group := cgroupMemory(g.options.System)
	if group == 0 {
		return
	}
	limit := int64(heapShare * float64(group))
	if debug.SetMemoryLimit(limit) != limit {
		g.log.Info("memory is limited", "bytes", limit, "control_group", group)
	}
}
