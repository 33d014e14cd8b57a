//go:build linux && !android && (amd64 || arm64) && (cgo || sealane_dlopen)

package libcrypto

import (
	"os"
	"sync"
)

// Opened is the library under test: the system's, or another build of OpenSSL
// that SEALANE_TEST_LIBCRYPTO names. Only one is loaded in a process.
var Opened = sync.OnceValues(func() (*Library, error) {
	if path := os.Getenv("SEALANE_TEST_LIBCRYPTO"); path != "" {
		return open(path, knownAnswers)
	}
	return Load()
})
