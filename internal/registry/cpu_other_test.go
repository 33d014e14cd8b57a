//go:build !unix

package registry_test

import "time"

// processor returns 0: it is measured on Unix only.
func processor() time.Duration { return 0 }
