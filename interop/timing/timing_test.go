package main

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/sealane/sealane/fault"
	"github.com/sealane/sealane/profile"
	"github.com/sealane/sealane/rsaengine"
)

// TestRun runs everything with small numbers: each measurement also checks the fault that
// the operator sees and the answer that the partner gets.
func TestRun(t *testing.T) {
	engines := []string{rsaengine.OpenSSL, rsaengine.Go, none}
	if _, err := rsaengine.Select(rsaengine.OpenSSL); err != nil {
		t.Skipf("libcrypto.so.3 is missing: %v", err)
	}
	var out bytes.Buffer
	if err := (plan{opens: leastOpens, exchanges: leastOpens, tokens: 7, engines: engines}).run(t.Context(),
		&out); err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]int{
		"### Lane.Open, OpenSSL": 1, "### Lane.Open, Go crypto/rsa": 1, "### HTTP over loopback, OpenSSL": 1,
		"### HTTP over loopback, Go crypto/rsa": 1,
		"### Lane.Open, without":                1, "### HTTP over loopback, without": 1,
		"\n| key | 100 |": 6, "\n| CEK length | 100 |": 6, "\n| tag | 100 |": 6, "\n| success | 10 |": 6,
		"\n| key − CEK length | ": 6, "\n| key − tag | ": 6, "\n| CEK length − tag | ": 6,
		"\n| key − key, again | ": 6,
	} {
		if got := strings.Count(out.String(), text); got != want {
			t.Errorf("%q is there %d times, not %d", text, got, want)
		}
	}
	for _, line := range strings.Split(out.String(), "\n") {
		if columns := strings.Count(line, "|") - 1; strings.HasPrefix(line, "|") && columns != 2 && columns != 7 &&
			columns != 1+len(crops)+5 {
			t.Errorf("a row has %d columns: %s", columns, line)
		}
	}
}

// TestRunOfCBC runs it with a tag that is checked before anything is decrypted.
func TestRunOfCBC(t *testing.T) {
	for _, enc := range []string{"A128CBC-HS256", "A256CBC-HS512"} {
		var out bytes.Buffer
		if err := (plan{
			opens:     leastOpens,
			exchanges: leastOpens,
			tokens:    7,
			engines:   []string{none},
			enc:       enc,
		}).run(t.Context(), &out); err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(out.String(), "under "+enc) {
			t.Error(out.String())
		}
	}
	if err := (plan{opens: leastOpens, tokens: 7, engines: []string{none}, enc: "A192GCM"}).run(t.Context(),
		new(bytes.Buffer)); err == nil {
		t.Error("A192GCM is measured")
	}
}

func TestRunEnds(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var out bytes.Buffer
	if err := (plan{opens: 1 << 20, tokens: 7, engines: []string{rsaengine.Go}}).run(ctx, &out); !errors.Is(err,
		context.Canceled) {
		t.Errorf("got %v", err)
	}
	for _, p := range []plan{
		{opens: leastOpens - 1, tokens: 1},
		{opens: leastOpens, exchanges: 1, tokens: 1},
		{opens: leastOpens},
	} {
		if err := p.run(t.Context(), &out); err == nil {
			t.Errorf("%+v is taken", p)
		}
	}
}

// TestWrongClassIsNotMeasured: a class whose tokens have another result than it says ends
// the measurement, on both layers.
func TestWrongClassIsNotMeasured(t *testing.T) {
	keys, err := newParties()
	if err != nil {
		t.Fatal(err)
	}
	pools, err := makePools(t.Context(), keys, 1)
	if err != nil {
		t.Fatal(err)
	}
	e, err := keys.end(rsaengine.Go, pools)
	if err != nil {
		t.Fatal(err)
	}
	w, err := newWire(e, len(pools[0].tokens[0]))
	if err != nil {
		t.Fatal(err)
	}
	defer w.close()
	wrong := pools[tagFails : tagFails+1]
	wrong[0].fault, wrong[0].on = fault.OpenKey, profile.Signature
	for _, subjects := range [][]subject{openSubjects(t.Context(), e, wrong), w.subjects(wrong)} {
		if _, err := measure(t.Context(), 1, subjects); err == nil || !strings.HasPrefix(err.Error(), "tag: ") {
			t.Errorf("got %v", err)
		}
	}
}

func TestVerdict(t *testing.T) {
	fast, slow := noisy(1000, 250_000, 1), noisy(1000, 255_000, 2)
	of := func(key, again, cek, tag []float64) string {
		return section{times: [][]float64{
			keyFails:      key,
			keyFailsAgain: again,
			cekLength:     cek,
			tagFails:      tag,
		}}.verdict()
	}
	for _, c := range []struct{ got, want string }{
		{of(fast, fast, fast, fast), "No pair"},
		{of(fast, fast, fast, slow), "2 of 3 pairs"},
		{of(fast, slow, fast, slow), "The control differs"},
	} {
		if !strings.Contains(c.got, c.want) {
			t.Errorf("%q does not say %q", c.got, c.want)
		}
	}
}
