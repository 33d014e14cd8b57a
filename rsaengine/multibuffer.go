package rsaengine

import (
	"crypto/rsa"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/sealane/sealane/internal/libcrypto"
	"github.com/sealane/sealane/internal/multibuffer"
	"github.com/sealane/sealane/internal/rsabatch"
)

// batches is crypto_mb, tested and measured.
type batches struct {
	engine *rsabatch.Engine
	kernel *multibuffer.Library
	notify atomic.Pointer[func(text string)]
}

// opened holds the engines with batches, by path. There is one for each path that the program names, so
// that all keys share its batches.
var opened = struct {
	sync.Mutex
	engines map[string]*Engine
}{engines: map[string]*Engine{}}

// multibufferEngine returns the engine with the library in a file, or that of the system if path is
// empty. If it cannot be used, it is OpenSSL or Go.
func multibufferEngine(path string) *Engine {
	opened.Lock()
	defer opened.Unlock()
	e := opened.engines[path]
	if e == nil {
		e = openMultibuffer(path)
		opened.engines[path] = e
	}
	return e
}

func openMultibuffer(path string) *Engine {
	// OpenSSL is loaded first: crypto_mb uses it, and must use this one.
	openssl, err := libcrypto.Load()
	if err != nil {
		return &Engine{reason: "no crypto_mb without OpenSSL: " + err.Error()}
	}
	kernel, err := multibuffer.Load(path)
	if err != nil {
		return &Engine{library: openssl, reason: "no batches: " + err.Error()}
	}
	b := &batches{kernel: kernel}
	b.engine, err = rsabatch.New(rsabatch.Config{
		Kernel:  kernel,
		Private: func(k *rsa.PrivateKey) (rsabatch.Single, error) { return single(openssl.NewKey(k)) },
		Public:  func(k *rsa.PublicKey) (rsabatch.Single, error) { return single(openssl.NewPublicKey(k)) },
		Clock:   multibuffer.Clock,
		Report:  b.report,
	})
	if err != nil {
		return &Engine{library: openssl, reason: fmt.Sprintf("no batches: crypto_mb: %s: %v", kernel.Path(), err)}
	}
	return &Engine{library: openssl, batches: b}
}

// single returns a key as an interface that is nil if there is an error.
func single[K rsabatch.Single](key K, err error) (rsabatch.Single, error) {
	if err != nil {
		return nil, err
	}
	return key, nil
}

func (b *batches) report(text string) {
	if f := b.notify.Load(); f != nil {
		(*f)(text)
		return
	}
	slog.Warn(text)
}

// describe returns the name of the engine, given that of OpenSSL.
func (b *batches) describe(openssl string) string {
	if off := b.engine.Stats().Off; off != "" {
		return fmt.Sprintf("%s (crypto_mb is switched off: %s)", openssl, off)
	}
	var from []string
	for _, bits := range rsabatch.Sizes {
		private, _ := b.engine.WorthFrom(bits)
		if private > rsabatch.Slots {
			from = append(from, fmt.Sprintf("never with %d bits", bits))
		} else {
			from = append(from, fmt.Sprintf("from %d with %d bits", private, bits))
		}
	}
	return fmt.Sprintf("Intel crypto_mb %s (%s) for batches (%s), and %s",
		b.kernel.Version(), b.kernel.Path(), strings.Join(from, ", "), openssl)
}

// Notify sets what receives a sentence when crypto_mb is switched off, or when a key cannot take part in
// batches. The default logs it by slog.Default().
func (e *Engine) Notify(f func(text string)) {
	if e != nil && e.batches != nil {
		e.batches.notify.Store(&f)
	}
}

// Batches counts what an engine with batches did since the program started.
type Batches struct {
	Batches    int64  `json:"batches"`
	Operations int64  `json:"operations"`            // in batches
	Single     int64  `json:"single"`                // operations by OpenSSL
	Wrong      int64  `json:"wrong"`                 // results that were wrong, and repeated by OpenSSL
	Off        string `json:"off_because,omitempty"` // why crypto_mb is switched off
}

// Batches returns the counts, or nil if the engine has no batches.
func (e *Engine) Batches() *Batches {
	if e == nil || e.batches == nil {
		return nil
	}
	s := e.batches.engine.Stats()
	return &Batches{s.Batches, s.Batched, s.Single, s.Wrong, s.Off}
}
