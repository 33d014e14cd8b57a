package gateway_test

import (
	"context"
	"crypto"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/sealane/sealane/keyring"
	"github.com/sealane/sealane/kms"
	"github.com/sealane/sealane/sealanetest"
)

// slow is a private key whose operations of one kind, while it is held, wait until the test lets one go on.
type slow struct {
	keyring.Private
	step  string // seal or open
	held  atomic.Bool
	begun chan struct{}
	next  chan struct{}
}

func newSlow(k sealanetest.KeyPair, step string) *slow {
	s := &slow{Private: k.Private, step: step, begun: make(chan struct{}, 100), next: make(chan struct{}, 100)}
	s.held.Store(true)
	return s
}

func (s *slow) wait(step string) {
	if s.step == step && s.held.Load() {
		s.begun <- struct{}{}
		<-s.next
	}
}

func (s *slow) Sign(r io.Reader, digest []byte, o crypto.SignerOpts) ([]byte, error) {
	s.wait("seal")
	return s.Private.Sign(r, digest, o)
}

func (s *slow) Decrypt(r io.Reader, text []byte, o crypto.DecrypterOpts) ([]byte, error) {
	s.wait("open")
	return s.Private.Decrypt(r, text, o)
}

// slowKeys are the keys of kms scheme slow-test, by their names.
var slowKeys sync.Map

func init() {
	kms.Register("slow-test", func(_ context.Context, uri string, _ kms.Options) (*kms.Key, error) {
		key, ok := slowKeys.Load(strings.TrimPrefix(uri, "slow-test:"))
		if !ok {
			return nil, fmt.Errorf("there is no %s", uri)
		}
		return &kms.Key{Private: key.(keyring.Private)}, nil
	})
}

// waits waits until as many messages wait for a place. One that begins to wait makes no event.
func (r *running) waits(n int) {
	r.t.Helper()
	want := fmt.Sprintf("\nsealane_places_waiting %d\n", n)
	poll(r.t, func() bool {
		return strings.Contains(call(r.t, "GET", "http://"+r.addresses["admin"].String()+"/metrics", "").body, want)
	})
}

// TestAnswersGoFirst: in both directions the message whose request was processed gets the next place, however
// long others wait, and it waits longer than they may.
func TestAnswersGoFirst(t *testing.T) {
	for name, c := range map[string]struct {
		key    *slow
		config func(upstream string, more ...string) string
		file   string
		route  string
		body   string
		header []string
		answer string
	}{
		"ingress": {newSlow(sealanetest.ProviderKey(), "open"), ingress, "provider.key", "in", sealedEvaluation(t),
			sealedHeaders, `{"eval_id":"e-1"}`},
		"egress": {newSlow(sealanetest.CustomerKey(), "seal"), egress, "customer.key", "out", evaluation, nil,
			sealedAnswer(t, `{"eval_id":"e-1"}`)},
	} {
		t.Run(name, func(t *testing.T) {
			slowKeys.Store(name, c.key)
			arrived, release := make(chan struct{}, 100), make(chan struct{})
			url := serve(t, func(w http.ResponseWriter, r *http.Request) {
				io.Copy(io.Discard, r.Body)
				arrived <- struct{}{}
				<-release
				w.Header().Set("Content-Type", "application/json")
				io.WriteString(w, c.answer)
			})
			config := strings.Replace(c.config(url), c.file, `"slow-test:`+name+`"`, 1)
			limits := "admin: 127.0.0.1:0\nlimits: {rsa: 1, queue: 20ms}\n"
			g := start(t, limits+config)
			send := func() chan answer {
				done := make(chan answer, 1)
				go func() { done <- post(t, g.url(c.route)+"/api/evaluation", c.body, c.header...) }()
				return done
			}
			c.key.next <- struct{}{}
			first := send() // the upstream has it
			<-c.key.begun
			<-arrived
			holder := send() // it has the only place
			<-c.key.begun
			release <- struct{}{}
			g.waits(1) // the answer
			for range 3 {
				if a := <-send(); a.status != 503 { // in the meantime the others have waited long enough
					t.Errorf("a request that waits: %d %s", a.status, a.body)
				}
			}
			select {
			case a := <-first:
				t.Fatalf("an answer that waits: %d %s", a.status, a.body)
			default:
			}
			write(t, filepath.Join(g.dir, "sealane.yaml"), strings.Replace(limits, "20ms", "1m", 1)+config)
			if err := g.Reload(t.Context()); err != nil {
				t.Fatal(err)
			}
			later := send()
			g.waits(2)
			c.key.next <- struct{}{}
			if a := <-first; a.status != 200 {
				t.Errorf("the answer: %d %s", a.status, a.body)
			}
			close(c.key.next)
			close(release)
			for _, done := range []chan answer{holder, later} {
				if a := <-done; a.status != 200 {
					t.Errorf("a request: %d %s", a.status, a.body)
				}
			}
		})
	}
}
