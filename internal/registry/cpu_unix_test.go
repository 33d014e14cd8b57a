//go:build unix

package registry_test

import (
	"syscall"
	"time"
)

// processor returns the time that processors have worked for this program, user and system.
func processor() time.Duration {
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		return 0
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}
