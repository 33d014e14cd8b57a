package batchgcd

import (
	"context"
	"iter"
	"math/big"
	"runtime"
	"sync"
)

// maxWorkers is how many goroutines multiply. Each holds as many moduli as are new.
const maxWorkers = 4

// handed is how many moduli are handed to a worker at once.
const handed = 256

// product multiplies the known moduli that are not new, modulo m. It reads them while workers
// multiply, because each takes about as long as the other.
func product(ctx context.Context, m *big.Int, fresh []*node, known iter.Seq2[string, *big.Int]) (*big.Int, error) {
	isNew := sameAs(fresh)
	work := make(chan []*big.Int)
	workers := make([]worker, max(1, min(runtime.GOMAXPROCS(0), maxWorkers)))
	reduction := newReduction(m)
	var multiplying sync.WaitGroup
	for i := range workers {
		workers[i] = worker{product: residue{reduction: reduction}, most: len(fresh)}
		workers[i].product.value.SetInt64(1)
		multiplying.Go(func() { workers[i].run(work) })
	}
	err := hand(ctx, known, isNew, work)
	close(work)
	multiplying.Wait()
	if err != nil {
		return nil, err
	}
	result := &workers[0].product
	for i := range workers[1:] {
		result.multiply(&workers[i+1].product.value)
	}
	return result.value.Rem(&result.value, m), nil
}

// hand sends the known moduli that are not new.
func hand(
	ctx context.Context, known iter.Seq2[string, *big.Int], isNew func(*big.Int) bool, work chan<- []*big.Int,
) error {
	batch := make([]*big.Int, 0, handed)
	for _, n := range known {
		if isNew(n) {
			continue
		}
		if batch = append(batch, n); len(batch) < handed {
			continue
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		work <- batch // workers take all until the channel is closed
		batch = make([]*big.Int, 0, handed)
	}
	work <- batch
	return ctx.Err()
}

// sameAs returns a function that reports whether a modulus is one of the new ones.
func sameAs(fresh []*node) func(*big.Int) bool {
	byLow := map[big.Word][]*big.Int{}
	low := func(n *big.Int) big.Word {
		if words := n.Bits(); len(words) > 0 {
			return words[0]
		}
		return 0
	}
	for _, n := range fresh {
		byLow[low(n.product)] = append(byLow[low(n.product)], n.product)
	}
	return func(n *big.Int) bool {
		for _, other := range byLow[low(n)] {
			if other.Cmp(n) == 0 {
				return true
			}
		}
		return false
	}
}

// worker multiplies moduli, modulo m: as many as are new before each reduction.
type worker struct {
	product residue
	most    int
	chunk   []*node
}

func (w *worker) run(work <-chan []*big.Int) {
	for batch := range work {
		for _, n := range batch {
			if w.most == 1 {
				w.product.multiply(n)
				continue
			}
			if w.chunk = append(w.chunk, &node{product: n}); len(w.chunk) == w.most {
				w.reduce()
			}
		}
	}
	w.reduce()
}

func (w *worker) reduce() {
	if len(w.chunk) > 0 {
		w.product.multiply(tree(w.chunk).product)
		w.chunk = w.chunk[:0]
	}
}
