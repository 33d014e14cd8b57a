// Package rsabatch collects RSA operations of different keys and performs up to eight of one size at
// once, on a [Kernel] that takes hardly longer for eight than for one. An operation that comes alone is
// performed by OpenSSL, without delay.
//
// # How batches form
//
// There are as many places as processors. A caller that finds a free place takes it, lets the other
// goroutines that can run submit their operations, and looks again. If fewer operations of its size
// wait than make a batch worth its time, the caller performs its own with OpenSSL. Otherwise a batch
// begins. Operations that come while all places are taken form the next batches, the one that waits
// longest first. At most two batches pass an operation that has too few of its size for its own. No
// timer is involved. The number from which a batch is worth its time is measured by [New].
//
// # Safety
//
// The kernel is not trusted. Every input of a private key is blinded. Every result of a private key is
// compared, by the public key, with the input before the caller gets it: a wrong signature may reveal
// the key (Boneh, DeMillo and Lipton). A wrong slot is repeated by OpenSSL, and does not affect the other seven.
// After the third, or if a batch does not return, the engine is switched off until the process ends,
// and OpenSSL performs everything. A signature that does not hold according to the kernel is verified
// again by OpenSSL before it is refused.
package rsabatch

import (
	"crypto/rsa"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"time"

	"github.com/sealane/sealane/internal/rsapad"
)

// Slots is the largest number of operations in a batch.
const Slots = 8

// Sizes are the lengths of moduli in bits that take part in batches.
var Sizes = [...]int{2048, 3072, 4096}

// Exponent is the public exponent of keys that take part in batches.
const Exponent = 65537

// Kernel performs batches. Its methods are safe for concurrent use.
type Kernel interface {
	// NewNumbers copies the numbers of a private key of one of Sizes, with Exponent and two primes of
	// half its size. All precomputed values are set.
	NewNumbers(*rsa.PrivateKey) (Numbers, error)
	// NewUnit returns memory for one batch at a time.
	NewUnit() (Unit, error)
}

// Numbers are the numbers of a private key in the form that a kernel needs.
type Numbers interface {
	// Close wipes the numbers. No batch uses them any more.
	Close()
}

// Unit performs one batch at a time. It sets Good in slots that have a result, and keeps nothing of
// them.
type Unit interface {
	Private(bits int, slots []Slot) // In to the power of the private exponent
	Public(bits int, slots []Slot)  // In to the power of Exponent
	Close()
}

// Slot is one of at most Slots operations of one size. Its numbers are big-endian, as long as the
// modulus, and below it.
type Slot struct {
	Numbers Numbers // of a private operation
	Modulus []byte  // of a public operation
	In, Out []byte
	Good    bool
}

// Single is a key of OpenSSL, which performs one operation at a time.
type Single interface {
	rsapad.Raw
	Close() error
}

// Config says how to make an Engine.
type Config struct {
	Kernel Kernel
	// Private and Public import a key for operations that are not in a batch.
	Private func(*rsa.PrivateKey) (Single, error)
	Public  func(*rsa.PublicKey) (Single, error)
	// Places is how many batches may run at once. The default is the number of processors that the
	// program uses.
	Places int
	// Stall is how long a batch may take until the engine is switched off. The default is 5 s.
	Stall time.Duration
	// Clock returns the time that the calling thread of the system has had a processor; it measures when
	// a batch is worth its time.
	Clock func() time.Duration
	// Report receives a sentence when the engine is switched off, or a key cannot take part. The
	// default ignores it.
	Report func(text string)
}

// maxWrong is how many wrong slots switch the engine off.
const maxWrong = 3

// Engine performs operations in batches. It is safe for concurrent use. It needs no closing: it has no
// goroutine while nothing waits.
type Engine struct {
	config Config
	even   [classes]int // from how many operations on a batch is worth its time

	mu      sync.Mutex
	free    int                   // places
	waiting [classes][]*operation // bounded by the number of callers, each of which waits
	passed  [classes]int          // how many batches passed the first operation of a class
	arrived uint64                // counts operations, for their order
	idle    []*place              // at most config.Places
	off     string                // why the engine is off
	stats   Stats
}

// Stats counts what an engine did.
type Stats struct {
	Batches int64  // batches
	Batched int64  // operations in them
	Single  int64  // operations by OpenSSL
	Wrong   int64  // slots with a wrong result
	Off     string // why the engine is switched off, or empty
}

// New tests the kernel with known answers of every size and measures from how many operations on a
// batch is worth its time. A kernel that fails, or does not return in time, is an error.
func New(c Config) (*Engine, error) {
	e := c.engine()
	tested := make(chan error, 1)
	go func() { // ends when the kernel returns; otherwise its thread is lost
		runtime.LockOSThread() // for the clock
		defer runtime.UnlockOSThread()
		err := e.selfTest()
		if err == nil {
			err = e.measure()
		}
		tested <- err
	}()
	limit := time.NewTimer(startLimit + e.config.Stall)
	defer limit.Stop()
	select {
	case err := <-tested:
		if err != nil {
			return nil, fmt.Errorf("self-test: %w", err)
		}
		return e, nil
	case <-limit.C:
		return nil, fmt.Errorf("self-test: a batch did not return within %v", startLimit+e.config.Stall)
	}
}

// engine returns an engine that never makes a batch: it was not measured.
func (c Config) engine() *Engine {
	if c.Places <= 0 {
		c.Places = min(runtime.GOMAXPROCS(0), runtime.NumCPU())
	}
	if c.Stall <= 0 {
		c.Stall = 5 * time.Second
	}
	if c.Report == nil {
		c.Report = func(string) {}
	}
	e := &Engine{config: c, free: c.Places}
	for class := range e.even {
		e.even[class] = Slots + 1
	}
	return e
}

// startLimit is what the test and the measurement may take on a busy machine, in addition to Stall.
const startLimit = 10 * time.Second

// Places returns how many batches may run at once.
func (e *Engine) Places() int { return e.config.Places }

// Stats returns the counts since the start.
func (e *Engine) Stats() Stats {
	e.mu.Lock()
	defer e.mu.Unlock()
	s := e.stats
	s.Off = e.off
	return s
}

// WorthFrom returns from how many operations on a batch of one size is worth its time: [Slots]+1 is
// never.
func (e *Engine) WorthFrom(bits int) (private, public int) {
	for i, size := range Sizes {
		if size == bits {
			return e.even[class(i, true)], e.even[class(i, false)]
		}
	}
	return Slots + 1, Slots + 1
}

// ErrClosed is returned for an operation with a key that was closed before it began.
var ErrClosed = errors.New("the RSA key is closed: import it again")

// classes is the number of kinds of operation that cannot share a batch.
const classes = 2 * len(Sizes)

// class returns the class of an operation with keys of one of Sizes.
func class(size int, private bool) int {
	if private {
		return 2*size + 1
	}
	return 2 * size
}

func isPrivate(class int) bool { return class%2 == 1 }
func bitsOf(class int) int     { return Sizes[class/2] }
