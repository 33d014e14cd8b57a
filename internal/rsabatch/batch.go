package rsabatch

import (
	"crypto/subtle"
	"fmt"
	"time"

	"github.com/sealane/sealane/internal/rsapad"
)

// place is the memory of one batch at a time.
type place struct {
	unit    Unit
	slots   [Slots]Slot
	factors [Slots]factors
	blinded [Slots][rsapad.MaxModulus]byte
	results [Slots][rsapad.MaxModulus]byte
	good    [Slots]bool
}

// run performs a batch and hands out its results. If it takes too long, another goroutine switches the
// engine off and has OpenSSL repeat the batch; results that come later are dropped.
func (e *Engine) run(taken []*operation) {
	p, err := e.placeFor()
	if err != nil {
		e.giveUp(taken, "there is no memory for a batch: "+err.Error())
		return
	}
	b := &batch{taken: taken}
	for _, o := range taken { // the callers may leave a batch that does not return
		if o.key != nil {
			o.key.hold()
		}
	}
	defer func() {
		for _, o := range taken {
			if o.key != nil {
				o.key.release()
			}
		}
	}()
	// Two times half the limit: a process that was stopped for longer has time to finish.
	timer := time.AfterFunc(e.config.Stall/2, func() {
		time.AfterFunc(e.config.Stall/2, func() { e.stalled(b) })
	})
	p.compute(taken)
	timer.Stop()
	e.finish(b, p)
}

// batch is one batch on its way.
type batch struct {
	taken []*operation
	over  bool // its operations have an answer; guarded by Engine.mu
}

// finish hands out the results of a batch.
func (e *Engine) finish(b *batch, p *place) {
	wrong := 0
	for i := range b.taken {
		if !p.good[i] {
			wrong++
		}
	}
	e.mu.Lock()
	if b.over {
		e.mu.Unlock()
		for _, o := range b.taken {
			clear(o.out)
		}
		p.unit.Close()
		return
	}
	b.over = true
	e.stats.Batches++
	e.stats.Batched += int64(len(b.taken))
	e.stats.Wrong += int64(wrong)
	report := e.tooManyWrong()
	e.idle = append(e.idle, p)
	good := p.good
	e.mu.Unlock()
	for i, o := range b.taken {
		o.done <- good[i]
	}
	e.report(report)
}

// stalled ends a batch that takes too long. Its memory and its thread are lost.
func (e *Engine) stalled(b *batch) {
	e.mu.Lock()
	if b.over {
		e.mu.Unlock()
		return
	}
	b.over = true
	report := e.switchOff(fmt.Sprintf("a batch did not return within %v", e.config.Stall))
	e.mu.Unlock()
	for _, o := range b.taken {
		o.done <- false
	}
	e.report(report)
}

// giveUp has OpenSSL repeat operations that are not in a batch.
func (e *Engine) giveUp(taken []*operation, reason string) {
	e.mu.Lock()
	report := e.switchOff(reason)
	e.mu.Unlock()
	for _, o := range taken {
		clear(o.in)
		o.done <- false
	}
	e.report(report)
}

func (e *Engine) report(text string) {
	if text != "" {
		e.config.Report(text)
	}
}

// placeFor returns memory for a batch.
func (e *Engine) placeFor() (*place, error) {
	e.mu.Lock()
	if n := len(e.idle); n > 0 {
		p := e.idle[n-1]
		e.idle = e.idle[:n-1]
		e.mu.Unlock()
		return p, nil
	}
	e.mu.Unlock()
	unit, err := e.config.Kernel.NewUnit()
	if err != nil {
		return nil, err
	}
	return &place{unit: unit}, nil
}

// compute performs the operations of a batch, which are of one class, and sets p.good for those whose
// results are in their out.
func (p *place) compute(taken []*operation) {
	class := taken[0].class
	bits := bitsOf(class)
	slots := p.slots[:len(taken)]
	if !isPrivate(class) {
		for i, o := range taken {
			slots[i] = Slot{Modulus: o.modulus, In: o.in, Out: o.out}
		}
		p.unit.Public(bits, slots)
		for i, o := range taken {
			p.good[i] = slots[i].Good
			clear(o.in)
		}
		clear(slots)
		return
	}
	n := bits / 8
	for i, o := range taken {
		o.key.blinding.next(&p.factors[i])
		o.key.blinding.modulus.mulBytes(p.blinded[i][:n], o.in, p.factors[i].in[:])
		slots[i] = Slot{Numbers: o.key.numbers, In: p.blinded[i][:n], Out: p.results[i][:n]}
	}
	p.unit.Private(bits, slots)
	for i, o := range taken {
		p.good[i] = slots[i].Good
		// A kernel's result may be anything; only a number below the modulus can be multiplied.
		p.good[i] = p.good[i] && o.key.blinding.modulus.contains(p.results[i][:n])
		if p.good[i] {
			o.key.blinding.modulus.mulBytes(o.out, p.results[i][:n], p.factors[i].out[:])
		}
		slots[i] = Slot{Modulus: o.modulus, In: o.out, Out: p.blinded[i][:n]}
	}
	p.unit.Public(bits, slots)
	for i, o := range taken {
		same := subtle.ConstantTimeCompare(p.blinded[i][:n], o.in) == 1
		p.good[i] = p.good[i] && slots[i].Good && same
		if !p.good[i] {
			clear(o.out)
		}
		p.factors[i] = factors{}
		clear(p.blinded[i][:n])
		clear(p.results[i][:n])
	}
	clear(slots)
}

// countWrong counts a wrong result that the caller of a batch found.
func (e *Engine) countWrong() {
	e.mu.Lock()
	e.stats.Wrong++
	report := e.tooManyWrong()
	e.mu.Unlock()
	e.report(report)
}

// tooManyWrong switches the engine off after the third wrong result. It is called with the lock held
// and returns what to report.
func (e *Engine) tooManyWrong() (report string) {
	if e.stats.Wrong < maxWrong {
		return ""
	}
	return e.switchOff(fmt.Sprintf("%d results were wrong", e.stats.Wrong))
}
