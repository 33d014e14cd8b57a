// Package multibuffer performs eight RSA operations at once with crypto_mb, a library of Intel's
// Cryptography Primitives, which it reaches through dlopen and not through a C compiler. The library
// uses AVX-512 IFMA (Ice Lake and later, Zen 4 and later). A batch of eight private operations takes
// 2.3 times as long as one in OpenSSL with 2048 bits. [Library] is a kernel for package rsabatch, which
// blinds inputs and checks results: crypto_mb does neither.
//
// Numbers of private keys are in memory that is not Go's, is left out of core dumps, and is wiped when
// the key is closed. The library's own memory, its stack and its vector registers are wiped after each
// batch, because intermediate results stay there.
//
// The package is compiled on Linux on amd64, if cgo is enabled or the build tag sealane_dlopen is set.
package multibuffer

import "errors"

// ErrNotBuilt is returned by Load in a build without this package.
var ErrNotBuilt = errors.New("crypto_mb is not compiled in")
