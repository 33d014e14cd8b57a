package main

import (
	"bufio"
	"fmt"
	"os"
	"runtime"
	"strings"
	"syscall"
	"time"
)

// machine describes the machine.
func machine() string {
	system, err := os.ReadFile("/proc/sys/kernel/osrelease")
	if err != nil {
		system = []byte("unknown")
	}
	return fmt.Sprintf("%s, %s %s, GOMAXPROCS %d, %s", processor(), runtime.GOOS, strings.TrimSpace(string(system)),
		runtime.GOMAXPROCS(0), runtime.Version())
}

func processor() string {
	f, err := os.Open("/proc/cpuinfo")
	if err != nil {
		return runtime.GOARCH
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if name, value, _ := strings.Cut(lines.Text(), ":"); strings.TrimSpace(name) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return runtime.GOARCH
}

// stopwatch measures how much of the time this process had a processor. The measured code
// waits for nothing else, so other programs used the rest.
type stopwatch struct {
	start time.Time
	used  time.Duration
}

func startWatch() stopwatch { return stopwatch{time.Now(), processorTime()} }

func (s stopwatch) share() float64 {
	return float64(processorTime()-s.used) / float64(time.Since(s.start))
}

func processorTime() time.Duration {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
