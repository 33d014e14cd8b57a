//go:build linux && !android && (amd64 || arm64) && (cgo || sealane_dlopen)

package libcrypto

import (
	"fmt"
	"unsafe"

	"github.com/ebitengine/purego"

	"github.com/sealane/sealane/internal/rsapad"
)

// symbols are the functions of OpenSSL in use. Those that run for every operation are bare addresses,
// called with numbers only: all memory that they use is OpenSSL's own, so that the garbage collector
// and moving stacks do not affect it.
type symbols struct {
	versionNumber func() uint64
	version       func(kind int32) string

	allocate  func(size uintptr, file uintptr, line int32) unsafe.Pointer
	wipeFree  func(memory unsafe.Pointer, size uintptr, file uintptr, line int32)
	errClear  func()
	errNext   func() uint64
	errLib    func(code uint64) string
	errReason func(code uint64) string

	sha256       func() uintptr
	providerOf   func(pkey uintptr) uintptr
	providerName func(provider uintptr) string
	fromName     func(libctx uintptr, name string, query uintptr) uintptr
	fromdataInit func(ctx uintptr) int32
	fromdata     func(ctx uintptr, pkey unsafe.Pointer, selection int32, params unsafe.Pointer) int32
	pkeyFree     func(pkey uintptr)

	fromPkey    func(libctx, pkey, query uintptr) uintptr
	ctxFree     func(ctx uintptr)
	signInit    func(ctx uintptr) int32
	decryptInit func(ctx uintptr) int32
	encryptInit func(ctx uintptr) int32
	setPadding  func(ctx uintptr, padding int32) int32
	setDigest   func(ctx, digest uintptr) int32
	setSaltLen  func(ctx uintptr, length int32) int32
	sign        uintptr
	decrypt     uintptr
	encrypt     uintptr
}

// resolve looks up the symbols in an open library.
func (s *symbols) resolve(library uintptr) error {
	for _, f := range []struct {
		into any
		name string
	}{
		{&s.versionNumber, "OpenSSL_version_num"},
		{&s.version, "OpenSSL_version"},
		{&s.allocate, "CRYPTO_zalloc"},
		{&s.wipeFree, "CRYPTO_clear_free"},
		{&s.errClear, "ERR_clear_error"},
		{&s.errNext, "ERR_get_error"},
		{&s.errLib, "ERR_lib_error_string"},
		{&s.errReason, "ERR_reason_error_string"},
		{&s.sha256, "EVP_sha256"},
		{&s.providerOf, "EVP_PKEY_get0_provider"},
		{&s.providerName, "OSSL_PROVIDER_get0_name"},
		{&s.fromName, "EVP_PKEY_CTX_new_from_name"},
		{&s.fromdataInit, "EVP_PKEY_fromdata_init"},
		{&s.fromdata, "EVP_PKEY_fromdata"},
		{&s.pkeyFree, "EVP_PKEY_free"},
		{&s.fromPkey, "EVP_PKEY_CTX_new_from_pkey"},
		{&s.ctxFree, "EVP_PKEY_CTX_free"},
		{&s.signInit, "EVP_PKEY_sign_init"},
		{&s.decryptInit, "EVP_PKEY_decrypt_init"},
		{&s.encryptInit, "EVP_PKEY_encrypt_init"},
		{&s.setPadding, "EVP_PKEY_CTX_set_rsa_padding"},
		{&s.setDigest, "EVP_PKEY_CTX_set_signature_md"},
		{&s.setSaltLen, "EVP_PKEY_CTX_set_rsa_pss_saltlen"},
		{&s.sign, "EVP_PKEY_sign"},
		{&s.decrypt, "EVP_PKEY_decrypt"},
		{&s.encrypt, "EVP_PKEY_encrypt"},
	} {
		address, err := purego.Dlsym(library, f.name)
		if err != nil {
			return fmt.Errorf("function %s is missing: not OpenSSL 3, or built without it", f.name)
		}
		if bare, ok := f.into.(*uintptr); ok {
			*bare = address
			continue
		}
		purego.RegisterFunc(f.into, address)
	}
	return nil
}

// maxModulus is in bytes.
const maxModulus = rsapad.MaxModulus

// block is OpenSSL's memory for one operation at a time.
type block struct {
	size    uintptr // capacity of out on the way in, length on the way out
	in, out [maxModulus]byte
}

// call runs EVP_PKEY_sign, _decrypt or _encrypt, which take the same: context,
// out, its size, in, its length. b is not Go's memory.
func (b *block) call(function, ctx uintptr, inLength int) int32 {
	b.size = maxModulus
	r, _, _ := purego.SyscallN(function, ctx,
		uintptr(unsafe.Pointer(&b.out)), uintptr(unsafe.Pointer(&b.size)),
		uintptr(unsafe.Pointer(&b.in)), uintptr(inLength))
	return int32(r)
}

func (b *block) wipe() {
	clear(b.in[:])
	clear(b.out[:])
}
