//go:build !linux || android || !(amd64 || arm64) || sealane_static

package libcrypto_test

import (
	"errors"
	"testing"

	"github.com/sealane/sealane/internal/libcrypto"
)

func TestNotHere(t *testing.T) {
	if l, err := libcrypto.Load(); l != nil || !errors.Is(err, libcrypto.ErrNotHere) {
		t.Errorf("got %v, %v", l, err)
	}
}
