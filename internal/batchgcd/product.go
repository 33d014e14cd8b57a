package batchgcd

import (
	"bytes"
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
func product(
	ctx context.Context, m *big.Int, fresh map[string]*node, known iter.Seq2[string, []byte],
) (*big.Int, error) {
	work := make(chan [][]byte)
	workers := make([]worker, max(1, min(runtime.GOMAXPROCS(0), maxWorkers)))
	reduction := newReduction(m)
	var multiplying sync.WaitGroup
	for i := range workers {
		workers[i] = worker{product: residue{reduction: reduction}, fresh: fresh}
		workers[i].product.value.SetInt64(1)
		multiplying.Go(func() { workers[i].run(work) })
	}
	err := hand(ctx, known, work)
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

// hand sends the known moduli.
func hand(ctx context.Context, known iter.Seq2[string, []byte], work chan<- [][]byte) error {
	batch := make([][]byte, 0, handed)
	for _, n := range known {
		if batch = append(batch, n); len(batch) < handed {
			continue
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		work <- batch // workers take all until the channel is closed
		batch = make([][]byte, 0, handed)
	}
	work <- batch
	return ctx.Err()
}

// worker multiplies moduli, modulo m: as many as are new before each reduction.
type worker struct {
	product residue
	fresh   map[string]*node // by the bytes of a modulus
	chunk   []*node
	one     big.Int // reused
}

func (w *worker) run(work <-chan [][]byte) {
	for batch := range work {
		for _, n := range batch {
			switch {
			case w.fresh[string(bytes.TrimLeft(n, "\x00"))] != nil:
			case len(w.fresh) == 1:
				w.product.multiply(w.one.SetBytes(n))
			default:
				w.chunk = append(w.chunk, &node{product: new(big.Int).SetBytes(n)})
				if len(w.chunk) == len(w.fresh) {
					w.reduce()
				}
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
