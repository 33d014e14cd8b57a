// Timing compares how long it takes to refuse tokens that fail for different reasons: the
// OAEP decoding fails, its result is not a key for the content encryption, or the tag does
// not match. Somebody who measures our answers must not be able to distinguish these (RFC
// 7516, section 11.5). It prints the tables of docs/threat-model.md; see ../timing.sh.
//
// All classes are measured in the same blocks, in a random order for each block, with a
// second set of the first class as a control, which shows the effect of noise. The
// statistics are Welch's t, of all times and of those below some quantiles (as in dudect),
// the rank-sum statistic, the sign test of the differences within blocks, and differences
// of medians. Both engines are measured, and the surrounding code without RSA, where much
// smaller differences can be seen.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"strings"
	"syscall"
	"time"

	"github.com/sealane/sealane/internal/alg"
	"github.com/sealane/sealane/rsaengine"
)

// plan holds the arguments of the command line.
type plan struct {
	opens, exchanges, tokens int
	engines                  []string
	enc                      string // empty: the profile's
}

func main() {
	var p plan
	flag.IntVar(&p.opens, "n", 100_000, "`opens` per class with each engine")
	flag.IntVar(&p.exchanges, "http", 10_000, "`requests` per class over HTTP with each engine; 0: none")
	flag.IntVar(&p.tokens, "tokens", 512, "different `tokens` per class")
	engines := flag.String("rsa", strings.Join([]string{rsaengine.OpenSSL, rsaengine.Go, none}, ","),
		"what does RSA, a `list`")
	flag.StringVar(&p.enc, "enc", "", "content encryption in place of the profile's, such as A128CBC-HS256: a `name`")
	flag.Parse()
	if flag.NArg() > 0 {
		fmt.Fprintf(os.Stderr, "timing: %q is not a flag\n", flag.Arg(0))
		os.Exit(2)
	}
	p.engines = strings.Split(*engines, ",")
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := p.run(ctx, os.Stdout); err != nil {
		stop()
		if errors.Is(err, context.Canceled) {
			os.Exit(130)
		}
		fmt.Fprintln(os.Stderr, "timing:", err)
		os.Exit(1)
	}
}

// leastOpens is the minimum for which seldom measured classes have a median with an error.
const leastOpens = 100

func (p plan) check() error {
	if p.opens < leastOpens || p.exchanges < 0 || p.exchanges > 0 && p.exchanges < leastOpens || p.tokens < 1 {
		return fmt.Errorf("-n and -http must be at least %d, -tokens at least 1", leastOpens)
	}
	return nil
}

func (p plan) run(ctx context.Context, w io.Writer) error {
	if err := p.check(); err != nil {
		return err
	}
	keys, err := newParties()
	if err != nil {
		return err
	}
	if p.enc != "" {
		list, err := alg.Contents.Select([]string{p.enc})
		if err != nil {
			return err
		}
		keys.content = list[0]
	}
	progress("making %d tokens for each class", p.tokens)
	pools, err := makePools(ctx, keys, p.tokens)
	if err != nil {
		return err
	}
	fmt.Fprintf(w, "%s, %s.\nRSA-%d, payload %d bytes under %s, %d tokens per class, each of %d bytes.\n",
		time.Now().UTC().Format(time.DateOnly), machine(),
		bits, payloadSize, keys.content, p.tokens, len(pools[0].tokens[0]))
	fmt.Fprintf(w,
		"A t, or a rank or sign statistic, of %.1f or more (the threshold of TVLA and dudect) tells a pair apart.\n",
		threshold)
	fmt.Fprint(w,
		"\"t ≤ 90 %\" is of the lower 90 % of both. Brackets: 99 % confidence. A minus: the second takes longer.\n\n")
	fmt.Fprintln(w, "| class | tokens |\n|---|---|")
	for _, c := range pools {
		fmt.Fprintf(w, "| %s | %s |\n", c.name, c.about)
	}
	for _, engine := range p.engines {
		e, err := keys.end(engine, pools)
		if err != nil {
			return err
		}
		if err := p.measure(ctx, w, e, pools); err != nil {
			return fmt.Errorf("%s: %w", engine, err)
		}
	}
	return nil
}

// measure measures both layers.
func (p plan) measure(ctx context.Context, w io.Writer, e end, pools []pool) error {
	runtime.LockOSThread()
	err := section{layer: "Lane.Open", engine: e.engine}.measure(ctx, w, p.opens, openSubjects(ctx, e, pools), pools)
	runtime.UnlockOSThread()
	if err != nil || p.exchanges == 0 || e.others > 0 { // the wire has one connection, hence no batches
		return err
	}
	wire, err := newWire(e, len(pools[0].tokens[0]))
	if err != nil {
		return err
	}
	defer wire.close()
	return section{
		layer:  "HTTP over loopback",
		engine: e.engine,
	}.measure(ctx, w, p.exchanges, wire.subjects(pools), pools)
}

// measure fills in the section and writes it.
func (s section) measure(ctx context.Context, w io.Writer, n int, subjects []subject, pools []pool) error {
	progress("%s, %s: %d for each class", s.layer, s.engine, n)
	watch := startWatch()
	times, err := measure(ctx, n, subjects)
	if err != nil {
		return err
	}
	s.share, s.times = watch.share(), times
	for _, p := range pools {
		s.classes = append(s.classes, p.class)
	}
	s.write(w)
	return nil
}

func progress(format string, args ...any) { fmt.Fprintf(os.Stderr, "timing: "+format+"\n", args...) }
