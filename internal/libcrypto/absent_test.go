//go:build !(linux && !android && (amd64 || arm64) && (cgo || sealane_dlopen))

package libcrypto_test

import (
	"errors"
	"testing"

	"github.com/sealane/sealane/internal/libcrypto"
)

func TestNotBuilt(t *testing.T) {
	if l, err := libcrypto.Load(); libcrypto.Built || l != nil || !errors.Is(err, libcrypto.ErrNotBuilt) {
		t.Errorf("got %v, %v", l, err)
	}
}
