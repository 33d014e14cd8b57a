//go:build linux && !android && (amd64 || arm64) && (cgo || sealane_dlopen)

package libcrypto

import (
	"errors"
	"fmt"
	"math/big"
	"slices"
	"sync"
	"unsafe"
)

// operation is what a context of OpenSSL was prepared for.
type operation int

const (
	signing    operation = iota // RS256
	signingPSS                  // PS256
	decrypting
	encrypting
	operations
)

func (o operation) String() string {
	return [...]string{"sign", "sign with PSS", "decrypt", "encrypt"}[o]
}

// job is a context that was prepared for one operation with one key, and its
// memory. It can be used many times, by one thread at a time.
type job struct {
	ctx   uintptr
	block *block
}

// handle owns a key of OpenSSL and the jobs prepared for it. There are never
// more jobs than operations may run at once.
type handle struct {
	library *Library

	mu     sync.Mutex
	pkey   uintptr
	idle   [operations][]job
	inUse  int
	closed bool
}

// run performs one operation: the RS256 or PS256 signature of a digest, or the bare RSA decryption or
// encryption of a number that package rsapad accepts. out has the length of the modulus. OpenSSL fails
// on no such input, so that an error is operational.
func (h *handle) run(o operation, out, in []byte) error {
	l := h.library
	l.running <- struct{}{}
	defer func() { <-l.running }()
	j, err := h.take(o)
	if err != nil {
		return err
	}
	// The error queue belongs to a thread, and binding the goroutine to a thread costs a switch of
	// threads. So only a second attempt is bound.
	if err = j.once(l, o, in, len(out)); err != nil {
		err = l.locked(func() error { return j.once(l, o, in, len(out)) })
	}
	if err == nil {
		copy(out, j.block.out[:])
	}
	j.block.wipe()
	h.put(o, j, err == nil)
	return err
}

func (j job) once(l *Library, o operation, in []byte, want int) error {
	function := [operations]uintptr{
		signing: l.symbols.sign, signingPSS: l.symbols.sign,
		decrypting: l.symbols.decrypt, encrypting: l.symbols.encrypt,
	}[o]
	copy(j.block.in[:], in)
	if j.block.call(function, j.ctx, len(in)) != 1 || j.block.size != uintptr(want) {
		return fmt.Errorf("OpenSSL does not %s", o)
	}
	return nil
}

// take returns an idle job, or makes one.
func (h *handle) take(o operation) (job, error) {
	h.mu.Lock()
	if h.closed {
		h.mu.Unlock()
		return job{}, ErrClosed
	}
	h.inUse++
	if n := len(h.idle[o]); n > 0 {
		j := h.idle[o][n-1]
		h.idle[o] = h.idle[o][:n-1]
		h.mu.Unlock()
		return j, nil
	}
	h.mu.Unlock()
	j, err := h.library.prepare(h.pkey, o)
	if err != nil {
		h.put(o, job{}, false)
	}
	return j, err
}

// put ends the use of a job. One that failed is not used again.
func (h *handle) put(o operation, j job, good bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.inUse--
	if good && !h.closed {
		h.idle[o] = append(h.idle[o], j)
		return
	}
	h.library.free(j)
	h.freeWhenUnused()
}

func (h *handle) close() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.closed = true
	for o := range h.idle {
		for _, j := range h.idle[o] {
			h.library.free(j)
		}
		h.idle[o] = nil
	}
	h.freeWhenUnused()
}

// freeWhenUnused is called with the lock held.
func (h *handle) freeWhenUnused() {
	if h.closed && h.inUse == 0 && h.pkey != 0 {
		h.library.pkeyFree(h.pkey)
		h.pkey = 0
	}
}

const (
	paddingPKCS1 = 1 // RSA_PKCS1_PADDING
	paddingNone  = 3 // RSA_NO_PADDING
	paddingPSS   = 6 // RSA_PKCS1_PSS_PADDING

	saltAsDigest = -1 // RSA_PSS_SALTLEN_DIGEST
)

// prepare makes a job.
func (l *Library) prepare(pkey uintptr, o operation) (j job, err error) {
	err = l.locked(func() error {
		j.block = (*block)(l.allocate(unsafe.Sizeof(block{}), 0, 0))
		j.ctx = l.fromPkey(0, pkey, 0)
		if j.block == nil || j.ctx == 0 {
			return errors.New("OpenSSL has no memory for an operation")
		}
		if o == signing && l.signInit(j.ctx) == 1 &&
			l.setPadding(j.ctx, paddingPKCS1) == 1 && l.setDigest(j.ctx, l.sha256()) == 1 {
			return nil
		}
		if o == signingPSS && l.signInit(j.ctx) == 1 && l.setPadding(j.ctx, paddingPSS) == 1 &&
			l.setDigest(j.ctx, l.sha256()) == 1 && l.setSaltLen(j.ctx, saltAsDigest) == 1 {
			return nil // by default, the mask's hash is the signature's
		}
		if o == decrypting && l.decryptInit(j.ctx) == 1 && l.setPadding(j.ctx, paddingNone) == 1 {
			return nil
		}
		if o == encrypting && l.encryptInit(j.ctx) == 1 && l.setPadding(j.ctx, paddingNone) == 1 {
			return nil
		}
		return fmt.Errorf("OpenSSL cannot %s with this key", o)
	})
	if err != nil {
		l.free(j)
		return job{}, err
	}
	return j, nil
}

func (l *Library) free(j job) {
	l.ctxFree(j.ctx)
	l.wipeFree(unsafe.Pointer(j.block), unsafe.Sizeof(block{}), 0, 0)
}

// numbers are the parameters of an RSA key, by OpenSSL's names for them.
var numbers = [...]string{
	"n", "e", "d", "rsa-factor1", "rsa-factor2", "rsa-exponent1", "rsa-exponent2", "rsa-coefficient1",
}

// material is OpenSSL's memory for the import of a key.
type material struct {
	pkey   uintptr
	params [len(numbers) + 1]param // the last stays empty: the end of the list
	names  [len(numbers)][24]byte
	values [len(numbers)][maxModulus]byte
}

// param is OSSL_PARAM.
type param struct {
	name     uintptr
	kind     uint32
	value    uintptr
	length   uintptr
	returned uintptr
}

const (
	unsignedInteger = 2    // OSSL_PARAM_UNSIGNED_INTEGER
	publicKey       = 0x86 // EVP_PKEY_PUBLIC_KEY
	keyPair         = 0x87 // EVP_PKEY_KEYPAIR
)

// importKey passes the first numbers of a key, or all, to OpenSSL. No encoding is in between, since
// that would leave copies.
func (l *Library) importKey(selection int32, of ...*big.Int) (pkey uintptr, err error) {
	err = l.locked(func() error {
		m := (*material)(l.allocate(unsafe.Sizeof(material{}), 0, 0))
		if m == nil {
			return errors.New("OpenSSL has no memory for a key")
		}
		defer l.wipeFree(unsafe.Pointer(m), unsafe.Sizeof(material{}), 0, 0)
		for i, x := range of {
			value := m.values[i][:(x.BitLen()+7)/8]
			slices.Reverse(x.FillBytes(value)) // OpenSSL's order is the machine's
			copy(m.names[i][:], numbers[i])
			m.params[i] = param{
				name:   uintptr(unsafe.Pointer(&m.names[i])),
				kind:   unsignedInteger,
				value:  uintptr(unsafe.Pointer(&m.values[i])),
				length: uintptr(len(value)),
			}
		}
		ctx := l.fromName(0, "RSA", 0)
		defer l.ctxFree(ctx)
		if ctx == 0 || l.fromdataInit(ctx) != 1 ||
			l.fromdata(ctx, unsafe.Pointer(&m.pkey), selection, unsafe.Pointer(&m.params)) != 1 {
			return errors.New("OpenSSL does not take the key")
		}
		pkey = m.pkey
		return nil
	})
	return pkey, err
}
