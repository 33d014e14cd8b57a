package gateway_test

import (
	"bytes"
	"context"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/internal/testlane"
	"github.com/sealane/sealane/keyring"
	"github.com/sealane/sealane/sealhttp"
)

// heldKey is a key that a node of a peer holds: its own, or the certificate of one of ours.
type heldKey struct {
	id          string
	private     *rsa.PrivateKey // nil: it is ours
	certificate *x509.Certificate
}

// peer is a partner of a firm: it uses this library, on two nodes that share nothing.
type peer struct {
	t       *testing.T
	profile string
	side    sealane.Side // its own
	env     string
	url     string // of a server
	nodes   [2]peerNode
}

// peerNode is one node of a peer. It uses the first of each of its keys, and accepts all.
type peerNode struct {
	mu     sync.Mutex
	own    []heldKey
	ours   []heldKey
	lane   atomic.Pointer[sealane.Lane]
	client *http.Client
}

func newPeer(t *testing.T, profile string, side sealane.Side, environment string) *peer {
	t.Helper()
	p := &peer{t: t, profile: profile, side: side, env: environment}
	if side == sealane.ServerSide {
		handler := &sealhttp.Handler{
			Lane: p.balanced, Next: http.HandlerFunc(answerNumber), Log: slog.New(slog.DiscardHandler),
		}
		server := httptest.NewServer(handler)
		t.Cleanup(server.Close)
		p.url = server.URL
		return p
	}
	for i := range p.nodes {
		n := &p.nodes[i]
		base := &http.Transport{MaxIdleConnsPerHost: 16}
		t.Cleanup(base.CloseIdleConnections)
		n.client = &http.Client{Transport: &sealhttp.Transport{
			Lane: func(*http.Request) (*sealane.Lane, error) { return n.lane.Load(), nil }, Base: base,
		}}
	}
	return p
}

// affinity is a header by which the load balancer of a server chooses the node. So a message that is sent again
// reaches the node that has refused it.
const affinity = "X-Affinity"

func (p *peer) balanced(r *http.Request) (*sealane.Lane, error) {
	node, err := strconv.Atoi(r.Header.Get(affinity))
	if err != nil {
		return nil, err
	}
	return p.nodes[node].lane.Load(), nil
}

// answerNumber answers a request with its number.
func answerNumber(w http.ResponseWriter, r *http.Request) {
	var in struct {
		ID string `json:"id"`
	}
	if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	fmt.Fprintf(w, `{"eval_id":"e-%s","id":"%s"}`, in.ID, in.ID)
}

// change changes what one node holds.
func (p *peer) change(node int, change func(*peerNode)) {
	p.t.Helper()
	n := &p.nodes[node]
	n.mu.Lock()
	defer n.mu.Unlock()
	change(n)
	config := sealane.Config{
		Profile: testlane.Profile(p.t, p.profile), Side: p.side, Partner: "us", Environment: p.env,
		Sealing: sealane.SealingRequired, Ours: ringOf(p.t, n.own), Theirs: ringOf(p.t, n.ours),
	}
	if p.profile == "rdx" && p.side == sealane.ServerSide {
		config.SenderAuth = sealane.SenderUnauthenticated
	}
	n.lane.Store(testlane.New(p.t, config))
}

// everyNode changes what all nodes hold.
func (p *peer) everyNode(change func(*peerNode)) {
	p.t.Helper()
	for i := range p.nodes {
		p.change(i, change)
	}
}

func ringOf(t *testing.T, held []heldKey) *keyring.Ring {
	t.Helper()
	var keys []keyring.Key
	for i, h := range held {
		k := keyring.Key{ID: h.id, State: keyring.Retiring, Certificate: h.certificate}
		if i == 0 {
			k.State = keyring.Active
		}
		if h.private != nil {
			k.Private = h.private
		}
		keys = append(keys, k)
	}
	if keys == nil {
		return nil
	}
	return testlane.Ring(t, keys...)
}

// moved returns keys with one of them, or another, at the front or at the end.
func moved(keys []heldKey, k heldKey, first bool) []heldKey {
	rest := slices.DeleteFunc(slices.Clone(keys), func(h heldKey) bool { return h.certificate == k.certificate })
	if first {
		return append([]heldKey{k}, rest...)
	}
	return append(rest, k)
}

// exchangeOne sends a request by a client, and checks the answer. A server that has nodes gets it by that one.
func exchangeOne(ctx context.Context, client *http.Client, url, profile string, number int64, node int) error {
	path, id := "/api/evaluation", fmt.Sprint(number)
	if profile == "rdx" {
		path = "/risk"
	}
	body := fmt.Sprintf(`{"id":"%s","timestamp":"2026-11-30T00:00:00Z","workflow":"w","data":{}}`, id)
	r, err := http.NewRequestWithContext(ctx, "POST", url+path, bytes.NewReader([]byte(body)))
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set(affinity, strconv.Itoa(node))
	answer, err := client.Do(r)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	got, err := io.ReadAll(answer.Body)
	want := fmt.Sprintf(`{"eval_id":"e-%s","id":"%s"}`, id, id)
	if err == nil && (answer.StatusCode != http.StatusOK || string(got) != want) {
		err = errors.New("the answer is " + answer.Status + ": " + string(got))
	}
	return err
}
