//go:build linux && !android && amd64 && (cgo || sealane_dlopen)

package multibuffer

import (
	"crypto/rsa"
	"fmt"
	"math/big"
	"slices"
	"sync"
	"syscall"
	"unsafe"

	"github.com/sealane/sealane/internal/rsabatch"
)

// allocate returns memory that is not Go's, consists of zeros and is left out of core dumps.
func allocate(size int) ([]byte, error) {
	memory, err := syscall.Mmap(-1, 0, size, syscall.PROT_READ|syscall.PROT_WRITE,
		syscall.MAP_ANON|syscall.MAP_PRIVATE)
	if err != nil {
		return nil, fmt.Errorf("crypto_mb: memory for keys and batches: %w", err)
	}
	const dontDump = 16 // MADV_DONTDUMP
	syscall.Madvise(memory, dontDump)
	return memory, nil
}

// slabs holds the numbers of many keys in few pieces of memory. What a key leaves is used for the next
// one of its size; it is never returned to the system.
type slabs struct {
	mu   sync.Mutex
	free [len(rsabatch.Sizes)][][]byte
}

const slabSize = 64 << 10

// values is how many numbers a private key has here: p, q, d mod p-1, d mod q-1, 1/q mod p.
const values = 5

// take returns memory for the numbers of a key.
func (s *slabs) take(size int) ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := &s.free[size]
	if len(*list) == 0 {
		memory, err := allocate(slabSize)
		if err != nil {
			return nil, err
		}
		n := values * rsabatch.Sizes[size] / 16
		for len(memory) >= n {
			*list = append(*list, memory[:n:n])
			memory = memory[n:]
		}
	}
	last := len(*list) - 1
	taken := (*list)[last]
	*list = (*list)[:last]
	return taken, nil
}

// put wipes the memory and keeps it for another key.
func (s *slabs) put(size int, memory []byte) {
	clear(memory)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.free[size] = append(s.free[size], memory)
}

// numbers are those of a private key, the least significant byte first.
type numbers struct {
	library *Library
	size    int // index in rsabatch.Sizes
	memory  []byte
}

// NewNumbers implements rsabatch.Kernel.
func (l *Library) NewNumbers(key *rsa.PrivateKey) (rsabatch.Numbers, error) {
	size := slices.Index(rsabatch.Sizes[:], key.N.BitLen())
	if size < 0 || len(key.Primes) != 2 || key.Precomputed.Qinv == nil {
		return nil, fmt.Errorf("crypto_mb: an RSA key of %d bits is not supported", key.N.BitLen())
	}
	memory, err := l.numbers.take(size)
	if err != nil {
		return nil, err
	}
	n := len(memory) / values
	p := key.Precomputed
	for i, x := range []*big.Int{key.Primes[0], key.Primes[1], p.Dp, p.Dq, p.Qinv} {
		slices.Reverse(x.FillBytes(memory[i*n : (i+1)*n]))
	}
	return &numbers{l, size, memory}, nil
}

// Close implements rsabatch.Numbers.
func (k *numbers) Close() {
	if k.memory != nil {
		k.library.numbers.put(k.size, k.memory)
		k.memory = nil
	}
}

// value returns the address of one of the numbers.
func (k *numbers) value(i int) uintptr {
	return uintptr(unsafe.Pointer(&k.memory[i*len(k.memory)/values]))
}
