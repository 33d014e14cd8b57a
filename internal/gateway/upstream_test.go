package gateway_test

import (
	"context"
	"crypto"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/sealane/sealane/keyring"
	"github.com/sealane/sealane/kms"
	"github.com/sealane/sealane/sealanetest"
)

// TestProxyOfTheEnvironment (pitfall 40): decrypted bodies never go to a proxy; sealed ones do, unless told not to.
func TestProxyOfTheEnvironment(t *testing.T) {
	var canary seen
	proxy := serve(t, canary.answer(404, ""))
	for _, name := range []string{"HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"} {
		t.Setenv(name, proxy)
	}
	const other = `{url: "http://host.invalid", plain_because: "a test"}`
	in := start(t, ingress(other))
	if a := post(t, in.url("in")+"/api/evaluation", sealedEvaluation(t), sealedHeaders...); a.status != 503 ||
		canary.count() != 0 {
		t.Errorf("%d %s; the proxy saw %d", a.status, a.body, canary.count())
	}
	none := start(t, egress(`{url: "http://host.invalid", plain_because: "a test", proxy: none}`))
	if a := post(t, none.url("out")+"/api/evaluation", evaluation); a.status != 503 || canary.count() != 0 {
		t.Errorf("%d %s; the proxy saw %d", a.status, a.body, canary.count())
	}
	out := start(t, egress(other))
	if a := post(t, out.url("out")+"/api/evaluation", evaluation); a.status != 404 || canary.count() != 1 {
		t.Errorf("%d %s; the proxy saw %d", a.status, a.body, canary.count())
	}
	if _, body := canary.last(t); strings.Contains(body, "Accept") {
		t.Error("the proxy saw a plain body")
	}
}

// waiting is a private key whose decryptions wait.
type waiting struct {
	keyring.Private
	begun   chan struct{}
	release chan struct{}
}

func (w *waiting) Decrypt(r io.Reader, text []byte, o crypto.DecrypterOpts) ([]byte, error) {
	w.begun <- struct{}{}
	<-w.release
	return w.Private.Decrypt(r, text, o)
}

var waitingKey = &waiting{sealanetest.ProviderKey().Private, make(chan struct{}, 100), make(chan struct{})}

func init() {
	kms.Register("wait-test", func(context.Context, string, kms.Options) (*kms.Key, error) {
		return &kms.Key{Private: waitingKey}, nil
	})
}

// TestGate (pitfall 22): a bounded number of messages is opened at once; others wait for a time, and then nothing
// of them was processed.
func TestGate(t *testing.T) {
	var app seen
	config := "limits: {rsa: 2, queue: 100ms}\n" + strings.Replace(
		ingress(serve(t, app.answer(200, "{}"))),
		"provider.key",
		`"wait-test:x"`,
		1,
	)
	g := start(t, config)
	answers := make(chan answer, 5)
	for range 5 {
		body := sealedEvaluation(t)
		go func() { answers <- post(t, g.url("in")+"/api/evaluation", body, sealedHeaders...) }()
	}
	for range 3 {
		if a := <-answers; a.status != 503 || a.header.Get("Retry-After") == "" {
			t.Errorf("%d %s", a.status, a.body)
		}
	}
	if n := len(waitingKey.begun); n != 2 || app.count() != 0 {
		t.Errorf("%d are opened at once, %d arrived", n, app.count())
	}
	close(waitingKey.release)
	for range 2 {
		if a := <-answers; a.status != 200 {
			t.Errorf("%d %s", a.status, a.body)
		}
	}
}

// TestPlainStreamsUp: a plain body goes through piece by piece, and arrives as it was sent.
func TestPlainStreamsUp(t *testing.T) {
	first := make(chan string, 1)
	url := serve(t, func(w http.ResponseWriter, r *http.Request) {
		piece := make([]byte, 5)
		io.ReadFull(r.Body, piece)
		first <- string(piece)
		rest, _ := io.ReadAll(r.Body)
		w.Write(rest)
	})
	g := start(t, egress(url, `plain: ["PUT /x"]`))
	body, write := io.Pipe()
	go func() {
		io.WriteString(write, "piece")
		if got := <-first; got != "piece" {
			t.Errorf("%q", got)
		}
		io.WriteString(write, "\x00\xff rest")
		write.Close()
	}()
	r, err := http.NewRequestWithContext(t.Context(), "PUT", g.url("out")+"/x", body)
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	if a := readAnswer(t, response); a.status != 200 || a.body != "\x00\xff rest" {
		t.Errorf("%d %q", a.status, a.body)
	}
}
