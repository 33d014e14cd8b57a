package gateway_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"golang.org/x/sys/cpu"

	"github.com/sealane/sealane/internal/gateway"
	"github.com/sealane/sealane/rsaengine"
)

// TestRealLibrary puts a library in the place of crypto_mb that returns one wrong slot in each full batch, after the
// self-test. Every request is answered as if nothing were wrong. After three wrong results the gateway goes on with
// OpenSSL, logs a warning once, and says why in /status. It needs the library that SEALANE_TEST_CRYPTO_MB names and a
// processor with AVX-512 IFMA, as the test of the same name in package rsaengine does.
func TestRealLibrary(t *testing.T) {
	path := os.Getenv("SEALANE_TEST_CRYPTO_MB")
	if !cpu.X86.HasAVX512IFMA || path == "" || !rsaengine.OpenSSLBuilt {
		t.Skip("the processor has no AVX-512 IFMA, SEALANE_TEST_CRYPTO_MB names none, or this build can't load it")
	}
	faulty := filepath.Join(t.TempDir(), "libcrypto_mb.so.13")
	compile := exec.Command("gcc", "-shared", "-fPIC", "-O1", "-w", `-DREAL="`+path+`"`, "-DGOOD=200", "-o", faulty,
		"../multibuffer/testdata/faulty.c", "-ldl")
	if out, err := compile.CombinedOutput(); err != nil {
		t.Fatalf("gcc: %v\n%s", err, out)
	}
	engine, err := rsaengine.Select(rsaengine.Multibuffer + ":" + faulty)
	if err != nil || engine.Batches() == nil {
		t.Fatalf("the library is not used: %v, %v", engine, err)
	}
	var app seen
	g := start(t, "admin: 127.0.0.1:0\n"+ingress(serve(t, app.answer(200, `{"eval_id":"e-1"}`))),
		func(_ *running, o *gateway.Options) { o.RSA = engine })
	status := func() (s struct {
		RSA     string             `json:"rsa"`
		Batches *rsaengine.Batches `json:"rsa_batches"`
	}) {
		a := call(t, "GET", "http://"+g.addresses["admin"].String()+"/status", "")
		if err := json.Unmarshal([]byte(a.body), &s); err != nil || s.Batches == nil {
			t.Fatalf("%d %s: %v", a.status, a.body, err)
		}
		return s
	}
	sealed := sealedEvaluation(t)
	var refused atomic.Int64
	for range 50 { // rounds: each has some full batches
		var clients sync.WaitGroup
		for range 48 {
			clients.Go(func() {
				for range 4 {
					if a := post(t, g.url("in")+"/api/evaluation", sealed, sealedHeaders...); a.status != 200 {
						refused.Add(1)
					}
				}
			})
		}
		clients.Wait()
		if status().Batches.Off != "" {
			break
		}
	}
	s := status()
	if refused.Load() != 0 || s.Batches.Wrong < 3 || s.Batches.Batches == 0 ||
		!strings.Contains(s.RSA, "crypto_mb is switched off: 3 results were wrong") {
		t.Errorf("%d requests were refused; %+v, %s", refused.Load(), *s.Batches, s.RSA)
	}
	log := g.logged()
	if strings.Count(log, "switched off") != 1 || !strings.Contains(log, `"level":"WARN"`) {
		t.Errorf("log: %s", log)
	}
}
