//go:build linux && !android && amd64 && (cgo || sealane_dlopen)

package multibuffer

import (
	"errors"
	"fmt"
	"io/fs"
	"regexp"
	"strconv"
	"unsafe"

	"github.com/ebitengine/purego"
	"golang.org/x/sys/cpu"

	"github.com/sealane/sealane/internal/rsabatch"
	"github.com/sealane/sealane/internal/sharedlib"
)

// Library is crypto_mb, loaded. It is never unloaded. It performs nothing before package rsabatch has
// tested it.
type Library struct {
	path    string
	version string
	private function
	public  function
	methods [len(rsabatch.Sizes)][2]method // public, private
	tuning  [len(rsabatch.Sizes)][2]tuning
	numbers slabs
	wide    bool // the processor has the registers that are wiped
}

// function is the address of a function in C.
type function uintptr

// method is what the library calls the parameters of an operation.
type method struct {
	address uintptr
	scratch int // bytes of memory that an operation needs
}

// The interfaces that are known to be the same in all that is used here.
const (
	oldest = 11
	newest = 13
)

// Load loads crypto_mb from the folders of the system, or from the file that an operator names. Only
// root, or for a named file the user of this program, may be able to change it. The error for a
// processor without the instructions, a file that may be changed, and another version says so.
func Load(path string) (*Library, error) {
	if !instructions() {
		return nil, errors.New("crypto_mb: the processor has no AVX-512 IFMA")
	}
	found, err := find(path)
	if err != nil {
		return nil, fmt.Errorf("crypto_mb: %w", err)
	}
	return open(found, true)
}

// instructions reports whether processor and kernel have the instructions that the library uses. It
// uses others, unasked, where they are missing.
func instructions() bool {
	x := cpu.X86
	return x.HasAVX512F && x.HasAVX512DQ && x.HasAVX512BW && x.HasAVX512VL && x.HasAVX512IFMA && x.HasAVX512VBMI2 &&
		x.HasBMI2
}

func find(path string) (string, error) {
	if path != "" {
		return sharedlib.Named(path)
	}
	for version := newest; version >= oldest; version-- {
		found, err := sharedlib.System(fmt.Sprintf("libcrypto_mb.so.%d", version))
		if !errors.Is(err, fs.ErrNotExist) {
			return found, err
		}
	}
	return "", fmt.Errorf("the system has no libcrypto_mb.so of versions %d to %d: "+
		"install its package (intel-ipp-crypto-mb), or name its file: %w", oldest, newest, fs.ErrNotExist)
}

// open loads a file that the caller trusts. wide says that the processor has 512-bit registers.
func open(path string, wide bool) (*Library, error) {
	handle, err := purego.Dlopen(path, purego.RTLD_NOW|purego.RTLD_LOCAL)
	if err != nil {
		return nil, fmt.Errorf("crypto_mb: %w", err)
	}
	l := &Library{path: path, wide: wide}
	if err := l.resolve(handle); err != nil {
		return nil, fmt.Errorf("crypto_mb: %s: %w", path, err)
	}
	return l, nil
}

// versionText is the part of the library's description that has its version and that of its interface.
var versionText = regexp.MustCompile(`\(ver: ([0-9.]+) \(([0-9]+)\.([0-9]+)\)`)

// description is mbxVersion.
type description struct {
	_    [3]int32 // major, minor, patch
	_    [4]byte  // target
	_, _ *byte    // name, date
	text *byte
}

func (l *Library) resolve(handle uintptr) error {
	var describe func() *description
	var applicable func(features uint64) int32
	var privateMethod, publicMethod func(bits int32) uintptr
	var scratch func(method uintptr) int32
	var private, public uintptr
	for _, f := range []struct {
		into any
		name string
	}{
		{&describe, "mbx_getversion"},
		{&applicable, "mbx_is_crypto_mb_applicable"},
		{&privateMethod, "mbx_RSA_private_crt_Method"},
		{&publicMethod, "mbx_RSA_pub65537_Method"},
		{&scratch, "mbx_RSA_Method_BufSize"},
		{&private, "mbx_rsa_private_crt_mb8"},
		{&public, "mbx_rsa_public_mb8"},
	} {
		address, err := purego.Dlsym(handle, f.name)
		if err != nil {
			return fmt.Errorf("function %s is missing: not crypto_mb", f.name)
		}
		if bare, ok := f.into.(*uintptr); ok {
			*bare = address
			continue
		}
		purego.RegisterFunc(f.into, address)
	}
	l.private, l.public = function(private), function(public)
	d := describe()
	if d == nil || d.text == nil {
		return errors.New("it does not say its version")
	}
	text := cString(d.text)
	parts := versionText.FindStringSubmatch(text)
	if parts == nil {
		return fmt.Errorf("version %q is not one of crypto_mb", text)
	}
	l.version = fmt.Sprintf("%s (interface %s.%s)", parts[1], parts[2], parts[3])
	if major, err := strconv.Atoi(parts[2]); err != nil || major < oldest || major > newest {
		return fmt.Errorf("version %s: only interfaces %d to %d are supported", l.version, oldest, newest)
	}
	if applicable(0) == 0 { // 0 asks about this processor
		return errors.New("it says that it does not work on this processor")
	}
	if err := eightSlots(handle); err != nil {
		return err
	}
	for i, bits := range rsabatch.Sizes {
		for kind, of := range []func(int32) uintptr{publicMethod, privateMethod} {
			m := of(int32(bits))
			if m == 0 {
				return fmt.Errorf("it has no operations of %d bits", bits)
			}
			size := int(scratch(m))
			if size <= 0 || size > maxScratch {
				return fmt.Errorf("it asks for %d bytes of memory for %d bits", size, bits)
			}
			l.methods[i][kind] = method{m, size}
		}
	}
	return nil
}

// eightSlots asks the library how many slots RSA has here. Interface 11 has no such function.
func eightSlots(handle uintptr) error {
	address, err := purego.Dlsym(handle, "mbx_get_algo_info")
	if err != nil {
		return nil
	}
	var info func(algorithm int32) uint64
	purego.RegisterFunc(&info, address)
	const rsa2K, rsa4K = 1, 3
	for a := int32(rsa2K); a <= rsa4K; a++ {
		if n := info(a); n&rsabatch.Slots == 0 {
			return fmt.Errorf("it has not eight slots for RSA here, but %d", n)
		}
	}
	return nil
}

// maxScratch is in bytes; version 2.3 needs 109,256.
const maxScratch = 1 << 20

// cString returns a text in C, at most 256 bytes of it.
func cString(at *byte) string {
	const limit = 256
	for n := range limit {
		if *(*byte)(unsafe.Add(unsafe.Pointer(at), n)) == 0 {
			return string(unsafe.Slice(at, n))
		}
	}
	return string(unsafe.Slice(at, limit))
}

// Version returns the library's version with that of its interface, such as "2.3.0 (interface 13.3)".
func (l *Library) Version() string { return l.version }

// Path returns the name of the file that was loaded.
func (l *Library) Path() string { return l.path }
