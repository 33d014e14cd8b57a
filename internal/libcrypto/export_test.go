//go:build linux && !android && (amd64 || arm64) && (cgo || sealane_dlopen)

package libcrypto

import (
	"errors"
	"io/fs"
	"os"
	"sync"
	"testing"
)

// Opened is the library under test: the system's, or another build of OpenSSL
// that SEALANE_TEST_LIBCRYPTO names. Only one is loaded in a process.
var Opened = sync.OnceValues(func() (*Library, error) {
	if path := os.Getenv("SEALANE_TEST_LIBCRYPTO"); path != "" {
		return open(path, knownAnswers)
	}
	return Load()
})

func loadedHere(t *testing.T) *Library {
	t.Helper()
	l, err := Opened()
	if errors.Is(err, fs.ErrNotExist) {
		t.Skip("libcrypto.so.3 is not on this machine: ", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	return l
}
