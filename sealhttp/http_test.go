package sealhttp_test

import (
	"bytes"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/internal/testkey"
	"github.com/sealane/sealane/internal/testlane"
	"github.com/sealane/sealane/keyring"
	"github.com/sealane/sealane/sealhttp"
)

// config returns one end of a RiskOS lane that requires sealing.
func config(t testing.TB, side sealane.Side) sealane.Config {
	t.Helper()
	ours, theirs := "customer", "provider"
	if side == sealane.ServerSide {
		ours, theirs = theirs, ours
	}
	return sealane.Config{Profile: testlane.Profile(t, "riskos"), Side: side,
		Ours:   testkey.Ours(t, ours, testkey.RSA(t, ours, 2048)),
		Theirs: testkey.Theirs(t, theirs, testkey.RSA(t, theirs, 2048))}
}

// customer returns the customer's end, changed by each of change.
func customer(t testing.TB, change ...func(*sealane.Config)) *sealane.Lane {
	c := config(t, sealane.ClientSide)
	for _, f := range change {
		f(&c)
	}
	return testlane.New(t, c)
}

// server is a provider over real HTTP, with the log that its operator reads.
type server struct {
	*httptest.Server
	mu  sync.Mutex
	log bytes.Buffer
}

func (s *server) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.log.Write(p)
}

// logged stops the server, which waits for its handlers: they answer before they log.
func (s *server) logged() string {
	s.Close()
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.log.String()
}

// provider serves next behind a Handler.
func provider(t testing.TB, next http.HandlerFunc, change ...func(*sealane.Config)) *server {
	t.Helper()
	c := config(t, sealane.ServerSide)
	for _, f := range change {
		f(&c)
	}
	lane := testlane.New(t, c)
	s := &server{}
	s.Server = httptest.NewServer(&sealhttp.Handler{
		Lane: sealhttp.OneLane(lane),
		Next: next,
		Log:  slog.New(slog.NewTextHandler(s, nil)),
	})
	t.Cleanup(s.Close)
	return s
}

func optional(c *sealane.Config) { c.Sealing = sealane.SealingOptional }

// echo answers an evaluation with the request's own payload in it.
func echo(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		w.WriteHeader(http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	io.WriteString(w, `{"eval_id":"e-1","got":`+string(body)+`}`)
}

func request(t testing.TB, method, url, body string) *http.Request {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// do sends a request through a Transport on the lane.
func do(t testing.TB, lane *sealane.Lane, r *http.Request) (*http.Response, string, error) {
	t.Helper()
	answer, err := (&http.Client{Transport: &sealhttp.Transport{Lane: sealhttp.OneLane(lane)}}).Do(r)
	if err != nil {
		return nil, "", err
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer, string(body), nil
}

// raw sends a body unchanged.
func raw(t testing.TB, url, body string, headers ...string) (*http.Response, string) {
	t.Helper()
	r := request(t, "POST", url, body)
	for i := 0; i < len(headers); i += 2 {
		r.Header.Add(headers[i], headers[i+1])
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	got, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer, string(got)
}

// wrapped seals a payload on the customer's lane and returns the body around it.
func wrapped(t testing.TB, lane *sealane.Lane, payload string) string {
	t.Helper()
	token, err := lane.Seal(t.Context(), []byte(payload))
	if err != nil {
		t.Fatal(err)
	}
	return `{"encrypted_request":"` + string(token) + `"}`
}

// errorBody reads an error in the form of the vendor's specification.
func errorBody(t testing.TB, body string) (id, text string) {
	t.Helper()
	var e struct {
		EvalID *string `json:"eval_id"`
		Error  *string `json:"error"`
	}
	d := json.NewDecoder(strings.NewReader(body))
	d.DisallowUnknownFields()
	if err := d.Decode(&e); err != nil || e.EvalID == nil || e.Error == nil {
		t.Fatalf("not an error of the specification: %s", body)
	}
	return *e.EvalID, *e.Error
}

func stranger(t testing.TB) *keyring.Ring {
	return testkey.Ours(t, "stranger", testkey.RSA(t, "stranger", 2048))
}
