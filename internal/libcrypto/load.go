//go:build linux && !android && (amd64 || arm64) && (cgo || sealane_dlopen)

package libcrypto

import (
	"fmt"
	"runtime"
	"strings"
	"sync"

	"github.com/ebitengine/purego"

	"github.com/sealane/sealane/internal/sharedlib"
)

// Library is the system's OpenSSL, loaded and tested. It is never unloaded.
//
// No more operations run at the same time than there are processors; further ones wait. RSA keeps a
// processor busy, so that more would gain nothing, and each would hold a thread of the operating
// system.
type Library struct {
	symbols
	path    string
	version string
	fips    bool
	running chan struct{}
}

// Built reports whether this build can load OpenSSL.
const Built = true

// Load returns the system's OpenSSL. The first call loads libcrypto.so.3 from the system's folders, as
// [sharedlib.System] finds it, checks the version, and tests the library with known answers. All later
// calls return the result of the first. The error wraps fs.ErrNotExist if there is no such file.
//
// OpenSSL reads its own configuration (openssl.cnf, OPENSSL_CONF), which can enable its FIPS
// provider. That is trusted as much as the environment is.
func Load() (*Library, error) { return loaded() }

var loaded = sync.OnceValues(func() (*Library, error) {
	path, err := sharedlib.System("libcrypto.so.3")
	if err != nil {
		return nil, fmt.Errorf("libcrypto: no OpenSSL 3 of the system can be used; "+
			"install its package (libssl3, openssl-libs): %w", err)
	}
	return open(path, knownAnswers)
})

// open loads a file that the caller trusts. The file is not unloaded, even if it is refused, since
// OpenSSL registers destructors with threads that live on.
func open(path string, answers answers) (*Library, error) {
	handle, err := purego.Dlopen(path, purego.RTLD_NOW|purego.RTLD_LOCAL)
	if err != nil {
		return nil, fmt.Errorf("libcrypto: %w", err)
	}
	l := &Library{path: path, running: make(chan struct{}, runtime.NumCPU())}
	if err := l.symbols.resolve(handle); err != nil {
		return nil, fmt.Errorf("libcrypto: %s: %w", path, err)
	}
	l.version = l.symbols.version(0)
	if major := l.versionNumber() >> 28; major != 3 || !strings.HasPrefix(l.version, "OpenSSL 3.") {
		return nil, fmt.Errorf("libcrypto: %s: version %q is not OpenSSL 3: install OpenSSL 3.x", path, l.version)
	}
	if l.fips, err = answers.test(l); err != nil {
		return nil, fmt.Errorf("libcrypto: %s (%s): self-test: %w", path, l.version, err)
	}
	return l, nil
}

// Version returns the library's own name for its version, such as "OpenSSL 3.0.19 27 Jan 2026".
func (l *Library) Version() string { return l.version }

// Path returns the name of the file that was loaded.
func (l *Library) Path() string { return l.path }

// FIPS reports whether OpenSSL's FIPS provider performs RSA, according to the system's configuration
// when the library was loaded.
func (l *Library) FIPS() bool { return l.fips }

// drain empties this thread's error queue and returns its text, which consists of OpenSSL's names for
// errors and contains nothing of keys or messages. The caller has locked the thread.
func (l *Library) drain() string {
	var texts []string
	for range 16 { // the queue holds no more
		code := l.errNext()
		if code == 0 {
			break
		}
		texts = append(texts, fmt.Sprintf("%s: %s (%08X)", l.errLib(code), l.errReason(code), code))
	}
	if texts == nil {
		return "OpenSSL reports no reason"
	}
	return strings.Join(texts, "; ")
}

// locked runs f, a few calls of OpenSSL, on one thread, since each thread has its own error queue.
// Older entries of the queue are dropped. An error of f is returned with the queue's text.
func (l *Library) locked(f func() error) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	l.errClear()
	if err := f(); err != nil {
		return fmt.Errorf("libcrypto: %w: %s", err, l.drain())
	}
	return nil
}
