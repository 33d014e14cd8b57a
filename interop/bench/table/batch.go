package main

import "fmt"

// clients are the numbers of clients of BenchmarkBatch.
var clients = []int{1, 8, 32}

// batchPeers are the other implementations with as many messages under way, and by what crypto_mb is to exceed
// them with 2048 bits.
var batchPeers = []struct {
	impl string
	want float64
}{{"go-jose", 7}, {"jwx", 6.5}, {"nimbus", 10}, {"panva", 4.3}}

// batch returns the result of BenchmarkBatch on one core, or on two.
func (r results) batch(bits, clients int, impl string, two bool) sample {
	name := fmt.Sprintf("Batch/rsa=%d/clients=%d/impl=%s", bits, clients, impl)
	if two {
		name += "-2"
	}
	return r[name]
}

// batches prints the handler with batches next to that with OpenSSL.
func (r results) batches() {
	fmt.Print("\nThe handler in process with many clients, 1 KiB, keys of eight partners, by crypto_mb and by\n" +
		"OpenSSL. The others open and seal the same without a handler. Brackets hold the requests of crypto_mb\n" +
		"divided by theirs.\n\n")
	head("RSA", "clients", "OpenSSL, requests/s", "crypto_mb", "ratio", "go-jose", "jwx", "Nimbus", "panva",
		"operations in a batch", "CPU of a request, OpenSSL", "crypto_mb", "median, OpenSSL", "crypto_mb",
		"p99, OpenSSL", "crypto_mb", "two cores, OpenSSL", "crypto_mb")
	for _, b := range bits {
		for _, n := range clients {
			single, batch := r.batch(b, n, "openssl", false), r.batch(b, n, "batch", false)
			cells := []string{fmt.Sprint(b), fmt.Sprint(n), rate(single), rate(batch),
				times(ratio(batch.perSecond, single.perSecond))}
			for _, p := range batchPeers {
				other := r.batch(b, n, p.impl, false)
				by := times(ratio(batch.perSecond, other.perSecond))
				cells = append(cells, fmt.Sprintf("%s (%s)", rate(other), by))
			}
			row(append(
				cells, times(batch.fill), duration(single.cpu), duration(batch.cpu),
				duration(single.median), duration(batch.median), duration(single.p99), duration(batch.p99),
				rate(r.batch(b, n, "openssl", true)), rate(r.batch(b, n, "batch", true)),
			)...)
		}
	}
	fmt.Println()
}

func rate(s sample) string {
	if s.perSecond == 0 {
		return "–"
	}
	return fmt.Sprintf("%.0f", s.perSecond)
}

// batchTargets continues the table of targets.
func (r results) batchTargets() {
	const many = 32
	for _, b := range bits {
		target(fmt.Sprintf("Batches, RSA-%d: memory of a key in KiB", b), "≤", 16,
			r[fmt.Sprintf("KeyMemory/rsa=%d", b)].perKey/1024)
	}
	for i, want := range []float64{3, 3.1, 4.5} {
		b := bits[i]
		single, batch := r.batch(b, many, "openssl", false), r.batch(b, many, "batch", false)
		target(fmt.Sprintf("Batches, RSA-%d, 32 clients: requests/s, crypto_mb / OpenSSL", b), "≥", want,
			ratio(batch.perSecond, single.perSecond))
	}
	batch := r.batch(2048, many, "batch", false)
	for _, p := range batchPeers {
		target("Batches, RSA-2048, 32 clients: requests/s, crypto_mb / "+p.impl, "≥", p.want,
			ratio(batch.perSecond, r.batch(2048, many, p.impl, false).perSecond))
	}
	for _, b := range bits {
		var each []float64
		for _, op := range []string{"decrypt", "verify", "sign", "encrypt"} {
			each = append(each, r[fmt.Sprintf("Limit/rsa=%d/op=%s/by=batches", b, op)].cpu)
		}
		target(fmt.Sprintf("Batches, RSA-%d, 32 clients: CPU of a request / its four operations in full batches", b),
			"≤", 1.35, ratio(r.batch(b, many, "batch", false).cpu, sum(each...)))
	}
	target("Batches, RSA-2048, 32 clients: p99 / (32 / throughput)", "≤", 1.5,
		ratio(batch.p99*batch.perSecond, many*1e9))
	target("Batches, RSA-2048, one client: median, crypto_mb / OpenSSL", "≤", 1.05,
		ratio(r.batch(2048, 1, "batch", false).median, r.batch(2048, 1, "openssl", false).median))
	for _, two := range []struct {
		bits int
		want float64
	}{{2048, 2.9}, {4096, 4.5}} {
		target(fmt.Sprintf("Batches, RSA-%d, two cores, 32 clients: requests/s, crypto_mb / OpenSSL", two.bits), "≥",
			two.want, ratio(r.batch(two.bits, many, "batch", true).perSecond,
				r.batch(two.bits, many, "openssl", true).perSecond))
	}
}
