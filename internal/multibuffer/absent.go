//go:build !(linux && !android && amd64 && (cgo || sealane_dlopen))

package multibuffer

import (
	"crypto/rsa"
	"fmt"
	"time"

	"github.com/sealane/sealane/internal/rsabatch"
)

// Library cannot be loaded in this build.
type Library struct{}

// Load returns [ErrNotBuilt].
func Load(string) (*Library, error) {
	return nil, fmt.Errorf("%w: it needs Linux on amd64, and cgo or -tags sealane_dlopen", ErrNotBuilt)
}

// Version is empty in this build.
func (*Library) Version() string { return "" }

// Path is empty in this build.
func (*Library) Path() string { return "" }

// NewNumbers returns [ErrNotBuilt].
func (*Library) NewNumbers(*rsa.PrivateKey) (rsabatch.Numbers, error) { return nil, ErrNotBuilt }

// NewUnit returns [ErrNotBuilt].
func (*Library) NewUnit() (rsabatch.Unit, error) { return nil, ErrNotBuilt }

// Clock is 0 in this build.
func Clock() time.Duration { return 0 }
