//go:build linux && !android && amd64 && (cgo || sealane_dlopen)

package multibuffer

import (
	"slices"
	"sync"
	"syscall"
	"time"
	"unsafe"

	"github.com/sealane/sealane/internal/rsabatch"
)

// maxModulus is in bytes.
const maxModulus = 512

// unit is the memory of one batch at a time. The library sees no other memory but the numbers of keys.
type unit struct {
	library *Library
	memory  []byte
	block   *block
	scratch []byte
}

// pointers are an argument of the library: one address for each slot, 0 where there is none.
type pointers [rsabatch.Slots]uintptr

// block is the part of the memory with a known layout.
type block struct {
	call                 call
	from, to, moduli     pointers
	values               [values]pointers
	in, out, modulusText [rsabatch.Slots][maxModulus]byte
}

// NewUnit implements rsabatch.Kernel.
func (l *Library) NewUnit() (rsabatch.Unit, error) {
	scratch := 0
	for _, of := range l.methods {
		scratch = max(scratch, of[0].scratch, of[1].scratch)
	}
	const page = 4096
	size := int(unsafe.Sizeof(block{}))
	start := (size + page - 1) / page * page
	memory, err := allocate(start + scratch)
	if err != nil {
		return nil, err
	}
	return &unit{l, memory, (*block)(unsafe.Pointer(&memory[0])), memory[start:]}, nil
}

// Close implements rsabatch.Unit.
func (u *unit) Close() {
	if u.memory != nil {
		clear(u.memory)
		syscall.Munmap(u.memory)
		u.memory, u.block, u.scratch = nil, nil, nil
	}
}

// Private implements rsabatch.Unit.
func (u *unit) Private(bits int, slots []rsabatch.Slot) {
	b := u.block
	for i, s := range slots {
		n, ok := s.Numbers.(*numbers)
		if !ok || n.memory == nil || len(s.In) != bits/8 || len(n.memory) != values*bits/16 {
			continue // the slot stays empty, and its status says so
		}
		for v := range b.values {
			b.values[v][i] = n.value(v)
		}
		u.fill(i, s)
	}
	v := &b.values
	u.run(bits, 1, u.library.private, slots, &v[0], &v[1], &v[2], &v[3], &v[4])
}

// Public implements rsabatch.Unit.
func (u *unit) Public(bits int, slots []rsabatch.Slot) {
	b := u.block
	for i, s := range slots {
		if len(s.In) != bits/8 || len(s.Modulus) != bits/8 {
			continue
		}
		copy(b.modulusText[i][:], s.Modulus)
		slices.Reverse(b.modulusText[i][:bits/8])
		b.moduli[i] = uintptr(unsafe.Pointer(&b.modulusText[i]))
		u.fill(i, s)
	}
	u.run(bits, 0, u.library.public, slots, &b.moduli)
}

func (u *unit) fill(i int, s rsabatch.Slot) {
	b := u.block
	copy(b.in[i][:], s.In)
	b.from[i] = uintptr(unsafe.Pointer(&b.in[i]))
	b.to[i] = uintptr(unsafe.Pointer(&b.out[i]))
}

// Clock returns the time that this thread of the system has had a processor. The goroutine is locked to
// its thread while the self-test and the measurement run, which are the only readers.
func Clock() time.Duration {
	const threadTime = 3 // CLOCK_THREAD_CPUTIME_ID
	var t syscall.Timespec
	syscall.RawSyscall(syscall.SYS_CLOCK_GETTIME, threadTime, uintptr(unsafe.Pointer(&t)), 0)
	return time.Duration(t.Nano())
}

// run calls the library, hands out the results, and wipes the memory.
func (u *unit) run(bits, kind int, f function, slots []rsabatch.Slot, keys ...*pointers) {
	b, size := u.block, slices.Index(rsabatch.Sizes[:], bits)
	m, tuning := u.library.methods[size][kind], &u.library.tuning[size][kind]
	c := &b.call
	align, tries := tuning.next()
	*c = call{function: uintptr(f), align: align}
	if u.library.wide {
		c.wide = 1
	}
	n := 0
	add := func(x uintptr) { c.args[n] = x; n++ }
	add(uintptr(unsafe.Pointer(&b.from)))
	add(uintptr(unsafe.Pointer(&b.to)))
	for _, k := range keys {
		add(uintptr(unsafe.Pointer(k)))
	}
	add(uintptr(bits))
	add(m.address)
	add(uintptr(unsafe.Pointer(&u.scratch[0])))
	var status uint32
	if tries {
		start := Clock()
		status = c.do()
		tuning.record(align, Clock()-start)
	} else {
		status = c.do()
	}
	for i := range slots {
		s := &slots[i]
		s.Good = b.from[i] != 0 && status>>(4*i)&0xf == 0
		if s.Good {
			copy(s.Out, b.out[i][:bits/8])
		}
	}
	*b = block{}
	clear(u.scratch[:m.scratch])
}

// tuning finds the alignment of the stack with which an operation is fastest: the first calls, those of
// the self-test and the measurement, try all in turn.
type tuning struct {
	mu       sync.Mutex
	tried    int
	shortest [alignments]time.Duration
	best     uintptr
}

const (
	alignments = 4
	trials     = 2 * alignments
)

// next returns the alignment for a call, and whether it is a trial, whose time is to be recorded.
func (t *tuning) next() (align uintptr, tries bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.tried >= trials {
		return t.best, false
	}
	return uintptr(t.tried%alignments) * 16, true
}

// record takes the time of a call.
func (t *tuning) record(align uintptr, took time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.tried++
	i := align / 16
	if t.shortest[i] == 0 || took < t.shortest[i] {
		t.shortest[i] = took
	}
	for other, d := range t.shortest {
		if d != 0 && d < t.shortest[t.best/16] {
			t.best = uintptr(other) * 16
		}
	}
}
