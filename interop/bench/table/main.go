// Table reads the output of the programs that bench.sh runs, and prints the tables of
// docs/performance.md. A cell is the best of its rounds, because other load on the machine
// only adds time, and affects each program in another round.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"regexp"
	"strconv"
	"strings"
)

// sample is the best of the measurements with one name. Zero means not measured.
type sample struct {
	ns, bytes, allocs, perSecond float64
	cpu, median, p99, fill       float64 // of BenchmarkBatch; times in ns
	perKey                       float64 // bytes, of BenchmarkKeyMemory
}

// results are keyed by the names of Go's benchmarks, without "Benchmark".
type results map[string]sample

func main() {
	r := results{}
	if err := r.read(os.Stdin); err != nil {
		fmt.Fprintln(os.Stderr, "table:", err)
		os.Exit(1)
	}
	r.messages()
	r.limits()
	r.handler()
	r.batches()
	r.targets()
	r.batchTargets()
}

func least(old, with float64) float64 {
	if old == 0 || with < old {
		return with
	}
	return old
}

func (r results) add(name string, s sample) {
	old := r[name]
	r[name] = sample{least(old.ns, s.ns), least(old.bytes, s.bytes), least(old.allocs, s.allocs),
		max(old.perSecond, s.perSecond), least(old.cpu, s.cpu), least(old.median, s.median), least(old.p99, s.p99),
		max(old.fill, s.fill), least(old.perKey, s.perKey)}
}

func (r results) read(from io.Reader) error {
	lines := bufio.NewScanner(from)
	for lines.Scan() {
		var err error
		switch line := lines.Text(); {
		case strings.HasPrefix(line, "{"):
			err = r.readJSON(line)
		case strings.HasPrefix(line, "Benchmark"):
			err = r.readGo(line)
		case strings.HasPrefix(line, "rsa "):
			err = r.readOpenSSL(line)
		}
		if err != nil {
			return fmt.Errorf("%q: %w", lines.Text(), err)
		}
	}
	return lines.Err()
}

func (r results) readJSON(line string) error {
	var cell struct {
		Impl, Op, Size string
		RSA, Clients   int
		NS             float64
	}
	if err := json.Unmarshal([]byte(line), &cell); err != nil {
		return err
	}
	if cell.Clients > 0 && cell.NS > 0 {
		name := fmt.Sprintf("Batch/rsa=%d/clients=%d/impl=%s", cell.RSA, cell.Clients, cell.Impl)
		r.add(name, sample{perSecond: 1e9 / cell.NS})
		return nil
	}
	r.add(message(cell.Op, cell.Impl, cell.RSA, cell.Size), sample{ns: cell.NS})
	return nil
}

// readGo reads "BenchmarkX/y=z   	 12	 34 ns/op	 56 B/op".
func (r results) readGo(line string) error {
	fields := strings.Fields(line)
	if len(fields) < 4 {
		return nil // a name alone: its log follows
	}
	var s sample
	for i := 2; i+1 < len(fields); i += 2 {
		value, err := strconv.ParseFloat(fields[i], 64)
		if err != nil {
			return err
		}
		switch fields[i+1] {
		case "ns/op":
			s.ns = value
		case "B/op":
			s.bytes = value
		case "allocs/op":
			s.allocs = value
		case "req/s":
			s.perSecond = value
		case "cpu-ns/op":
			s.cpu = value
		case "p50-ns":
			s.median = value
		case "p99-ns":
			s.p99 = value
		case "fill":
			s.fill = value
		case "B/key":
			s.perKey = value
		}
	}
	r.add(strings.TrimPrefix(fields[0], "Benchmark"), s)
	return nil
}

// readOpenSSL reads "rsa 2048 bits 0.000250s 0.000007s 4000.0 140000.0": times,
// then operations per second; OpenSSL 3.2 and later have two more of each.
func (r results) readOpenSSL(line string) error {
	fields := strings.Fields(line)
	if len(fields) < 7 || fields[2] != "bits" {
		return nil
	}
	counts := fields[3+(len(fields)-3)/2:]
	for i, op := range []string{"sign", "verify"} {
		perSecond, err := strconv.ParseFloat(counts[i], 64)
		if err != nil {
			return err
		}
		r.add("openssl/"+op+"/"+fields[1], sample{ns: 1e9 / perSecond})
	}
	return nil
}

func message(op, impl string, rsa int, size string) string {
	return fmt.Sprintf("%s/impl=%s/rsa=%d/size=%s", strings.ToUpper(op[:1])+op[1:], impl, rsa, size)
}

func (r results) time(op, impl string, rsa int, size string) float64 {
	return r[message(op, impl, rsa, size)].ns
}

func (r results) rsa(bits int, op, by string) float64 {
	return r[fmt.Sprintf("Limit/rsa=%d/op=%s/by=%s", bits, op, by)].ns
}

// sum returns the sum, or 0 (not measured) if a part is 0.
func sum(parts ...float64) float64 {
	total := 0.0
	for _, p := range parts {
		if p == 0 {
			return 0
		}
		total += p
	}
	return total
}

// ours returns the time of a message's RSA operations on a lane with OpenSSL.
func (r results) ours(bits int, op string) float64 {
	if op == "seal" {
		return sum(r.rsa(bits, "sign", "libcrypto"), r.rsa(bits, "encrypt", "libcrypto"))
	}
	return sum(r.rsa(bits, "decrypt", "libcrypto"), r.rsa(bits, "verify", "libcrypto"))
}

// openssl returns the time of a private and a public operation by "openssl speed".
func (r results) openssl(bits int) float64 {
	return sum(r[fmt.Sprintf("openssl/sign/%d", bits)].ns, r[fmt.Sprintf("openssl/verify/%d", bits)].ns)
}

func (r results) bulk(kind, op, size string) float64 {
	return r["Limit/"+kind+"="+op+"/size="+size].ns
}

var (
	ops   = []string{"seal", "open"}
	bits  = []int{2048, 3072, 4096}
	sizes = []string{"1KiB", "100KiB", "10MiB"}
	peers = []string{"sealane-go", "go-jose", "jwx", "panva", "nimbus"}
)

func duration(ns float64) string {
	switch {
	case ns == 0:
		return "–"
	case ns < 1e3:
		return strconv.FormatFloat(ns, 'f', 0, 64) + " ns"
	case ns < 1e6:
		return digits(ns/1e3) + " µs"
	}
	return digits(ns/1e6) + " ms"
}

// digits formats x with three significant digits.
func digits(x float64) string {
	switch {
	case x >= 100:
		return strconv.FormatFloat(x, 'f', 0, 64)
	case x >= 10:
		return strconv.FormatFloat(x, 'f', 1, 64)
	}
	return strconv.FormatFloat(x, 'f', 2, 64)
}

func amount(s sample) string {
	switch {
	case s.ns == 0:
		return "–"
	case s.bytes < 1e6:
		return fmt.Sprintf("%s kB in %.0f", digits(s.bytes/1e3), s.allocs)
	}
	return fmt.Sprintf("%s MB in %.0f", digits(s.bytes/1e6), s.allocs)
}

// ratio returns a/b, or 0 (not measured) if a or b is 0.
func ratio(a, b float64) float64 {
	if a == 0 || b == 0 {
		return 0
	}
	return a / b
}

func times(x float64) string {
	if x == 0 {
		return "–"
	}
	return digits(x)
}

func row(cells ...string) { fmt.Println("| " + strings.Join(cells, " | ") + " |") }

func head(cells ...string) {
	row(cells...)
	row(strings.Split(strings.Repeat("-", len(cells)), "")...)
}

func (r results) messages() {
	fmt.Print("One core. Brackets hold the time divided by the time of `sealane`. RSA: the RSA operations\n" +
		"of the message in libcrypto. Bulk: SHA-256 and AES-256-GCM of the same bytes in Go.\n\n")
	head(append(append([]string{"op", "RSA", "size", "sealane"}, peers...),
		"sealane / RSA", "sealane / bulk", "sealane / (RSA + bulk)", "sealane allocates", "go-jose allocates",
		"jwx allocates")...)
	for _, op := range ops {
		for _, b := range bits {
			for _, size := range sizes {
				us := r.time(op, "sealane", b, size)
				cells := []string{op, strconv.Itoa(b), size, duration(us)}
				for _, p := range peers {
					t := r.time(op, p, b, size)
					cells = append(cells, fmt.Sprintf("%s (%s)", duration(t), times(ratio(t, us))))
				}
				rsa, bulk := r.ours(b, op), r.bulk("bulk", op, size)
				cells = append(cells, times(ratio(us, rsa)), times(ratio(us, bulk)), times(ratio(us, sum(rsa, bulk))))
				for _, impl := range []string{"sealane", "go-jose", "jwx"} {
					cells = append(cells, amount(r[message(op, impl, b, size)]))
				}
				row(cells...)
			}
		}
	}
}

func (r results) limits() {
	fmt.Print("\nThe primitives alone, in the same run on the same core. libcrypto is called " +
		"through\ninternal/libcrypto.\n\n")
	head("RSA", "libcrypto sign", "decrypt", "`openssl speed` sign", "verify", "Go sign", "decrypt", "encrypt",
		"verify")
	for _, b := range bits {
		row(strconv.Itoa(b), duration(r.rsa(b, "sign", "libcrypto")), duration(r.rsa(b, "decrypt", "libcrypto")),
			duration(r[fmt.Sprintf("openssl/sign/%d", b)].ns), duration(r[fmt.Sprintf("openssl/verify/%d", b)].ns),
			duration(r.rsa(b, "sign", "go")), duration(r.rsa(b, "decrypt", "go")),
			duration(r.rsa(b, "encrypt", "go")), duration(r.rsa(b, "verify", "go")))
	}
	fmt.Println()
	head("SHA-256 + AES-256-GCM", "seal", "open", "of the payload only: seal", "open")
	for _, size := range sizes {
		row(size, duration(r.bulk("bulk", "seal", size)), duration(r.bulk("bulk", "open", size)),
			duration(r.bulk("raw", "seal", size)), duration(r.bulk("raw", "open", size)))
	}
}

func (r results) handler() {
	fmt.Print("\nHandler: a sealed request and its sealed response, 1 KiB each, RSA-2048. On loopback, the client\n" +
		"is in the same process and its time is included.\n\n")
	head("impl", "path", "one client", "requests/s, one core", "requests/s, two cores", "two / one", "allocates")
	for _, impl := range []string{"sealane", "sealane-go"} {
		for _, path := range []string{"inprocess", "loopback"} {
			serial, one, two := r.exchange(impl, path)
			row(impl, path, duration(serial.ns), fmt.Sprintf("%.0f", one.perSecond),
				fmt.Sprintf("%.0f", two.perSecond),
				times(ratio(two.perSecond, one.perSecond)), amount(serial))
		}
	}
}

func (r results) exchange(impl, path string) (serial, one, two sample) {
	name := "Handler/impl=" + impl + "/path=" + path + "/clients="
	return r[name+"serial"], r[name+"parallel"], r[name+"parallel-2"]
}

func (r results) targets() {
	fmt.Print("\nTargets.\n\n")
	head("figure", "target", "measured", "reached")
	for _, op := range ops {
		us, plain := r.time(op, "sealane", 2048, "1KiB"), r.time(op, "sealane-go", 2048, "1KiB")
		for _, p := range []struct {
			peer string
			want float64
		}{{"go-jose", 3.3}, {"jwx", 3.3}, {"panva", 1.8}, {"nimbus", 3}} {
			target("1 KiB, RSA-2048, "+op+": "+p.peer+" / sealane", "≥", p.want,
				ratio(r.time(op, p.peer, 2048, "1KiB"), us))
		}
		target("1 KiB, RSA-2048, "+op+": sealane / its RSA operations in this process", "≤", 1.15,
			ratio(us, r.ours(2048, op)))
		target("1 KiB, RSA-2048, "+op+": sealane / `openssl speed`, private + public", "≤", 1.15,
			ratio(us, r.openssl(2048)))
		for _, peer := range []string{"go-jose", "jwx"} {
			target("1 KiB, RSA-4096, "+op+": "+peer+" / sealane", "≥", 1.3,
				ratio(r.time(op, peer, 4096, "1KiB"), r.time(op, "sealane", 4096, "1KiB")))
		}
		target("1 KiB, RSA-2048, "+op+": go-jose / sealane-go", "≥", 1,
			ratio(r.time(op, "go-jose", 2048, "1KiB"), plain))

		const big = "10MiB"
		us, plain = r.time(op, "sealane", 2048, big), r.time(op, "sealane-go", 2048, big)
		want := map[string][2]float64{"seal": {3.5, 7}, "open": {3, 8}}[op]
		theirs := r.time(op, "go-jose", 2048, big)
		target("10 MiB, "+op+": go-jose / sealane", "≥", want[0], ratio(theirs, us))
		target("10 MiB, "+op+": bytes allocated by go-jose / by sealane", "≥", want[1],
			ratio(r[message(op, "go-jose", 2048, big)].bytes, r[message(op, "sealane", 2048, big)].bytes))
		target("10 MiB, "+op+": sealane / (SHA-256 + AES-256-GCM of the same bytes)", "≤", 1.4,
			ratio(us, r.bulk("bulk", op, big)))
		target("10 MiB, "+op+": go-jose / sealane-go", "≥", 2.8, ratio(theirs, plain))
	}
	operations := sum(r.ours(2048, "open"), r.ours(2048, "seal"))
	for _, path := range []string{"inprocess", "loopback"} {
		serial, one, two := r.exchange("sealane", path)
		target("Handler, "+path+": time / its RSA operations in this process", "≤", 1.2, ratio(serial.ns, operations))
		target("Handler, "+path+": time / `openssl speed`, 2 × (private + public)", "≤", 1.2,
			ratio(serial.ns, 2*r.openssl(2048)))
		target("Handler, "+path+": requests/s, two cores / one", "≥", 1.85, ratio(two.perSecond, one.perSecond))
	}
}

var trailingZero = regexp.MustCompile(`\.?0+$`)

func target(figure, sign string, want, got float64) {
	reached := "no"
	switch {
	case got == 0:
		reached = "not measured"
	case sign == "≥" && got >= want, sign == "≤" && got <= want:
		reached = "yes"
	}
	row(figure, sign+" "+trailingZero.ReplaceAllString(strconv.FormatFloat(want, 'f', 2, 64), ""), times(got), reached)
}
