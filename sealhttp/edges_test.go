package sealhttp_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/internal/testkey"
	"github.com/sealane/sealane/internal/testlane"
	"github.com/sealane/sealane/sealhttp"
)

// TestLostAfterSending: an error after the request was sent says that it may have been
// processed.
func TestLostAfterSending(t *testing.T) {
	var served atomic.Int32
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		served.Add(1)
		panic(http.ErrAbortHandler)
	}))
	_, _, err := do(t, customer(t), request(t, "POST", s.URL+"/api/evaluation", `{}`))
	var answer *sealhttp.AnswerError
	if served.Load() != 1 || !errors.As(err, &answer) || answer.Status != 0 ||
		!errors.Is(err, sealane.ErrMayBeProcessed) {
		t.Errorf("served %d times, error is %v", served.Load(), err)
	}
	s.Close()
	_, _, err = do(t, customer(t), request(t, "POST", s.URL+"/api/evaluation", `{}`))
	if err == nil || errors.Is(err, sealane.ErrMayBeProcessed) || !strings.Contains(err.Error(), "nothing was sent") {
		t.Errorf("nobody listens: %v", err)
	}
}

// TestProcessedOrNot: the sentinel is the same if the partner reports it and if we do.
func TestProcessedOrNot(t *testing.T) {
	for _, c := range []struct {
		status    int
		body      string
		processed bool
	}{
		{400, testlane.ErrorBody(t, "riskos", sealane.ErrDecryption), false},
		{500, testlane.ErrorBody(t, "riskos", sealane.ErrSealingFailed), true},
		{200, answerBody(t, ``, `{}`)[:400] + `"}`, true},
	} {
		s := answering(t, c.status, c.body)
		_, _, err := do(t, customer(t), request(t, "POST", s.URL+"/api/evaluation", `{}`))
		if err == nil || errors.Is(err, sealane.ErrMayBeProcessed) != c.processed {
			t.Errorf("%d: %v", c.status, err)
		}
	}
}

func TestSealedUpstreamErrors(t *testing.T) {
	p := testlane.Profile(t, "riskos", "upstream_errors: plain", "upstream_errors: sealed")
	use := func(c *sealane.Config) { c.Profile = p }
	s := provider(t, func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(422)
		io.WriteString(w, `{"error":"unsupported_schema"}`)
	}, use)
	answer, body, err := do(t, customer(t, use), request(t, "POST", s.URL+"/api/evaluation", `{}`))
	if err != nil || answer.StatusCode != 422 || body != `{"error":"unsupported_schema"}` {
		t.Fatalf("%v %q %v", answer, body, err)
	}
	if _, sealed := sealhttp.MessageFrom(answer.Request.Context()); !sealed {
		t.Error("the error was not encrypted")
	}
	plain := answering(t, 422, `{"error":"unsupported_schema"}`)
	if _, _, err := do(t, customer(t, use), request(t, "POST", plain.URL+"/api/evaluation", `{}`)); !errors.Is(err,
		sealane.ErrNotSealed) {
		t.Errorf("a plain error where sealed ones are due: %v", err)
	}
}

// TestRDXInAMember: the token is in a JSON member, which some of the vendor's partners may
// want.
func TestRDXInAMember(t *testing.T) {
	p := testlane.Profile(t, "rdx", "body: {content_type: application/jose, accept: [any]}",
		"body: {content_type: application/json, field: EncryptedPayload, others: ignore}")
	const alias = "1234-PKE-ACS-Client-2048SHA2-STAG"
	key := testkey.RSA(t, "issuer", 2048)
	ingress := testlane.New(t, sealane.Config{
		Profile:    p,
		Side:       sealane.ServerSide,
		SenderAuth: sealane.SenderOAuth2,
		Ours:       testkey.Ours(t, alias, key),
	})
	s := httptest.NewServer(&sealhttp.Handler{
		Lane: sealhttp.OneLane(ingress),
		Next: http.HandlerFunc(echo),
		Log:  discard,
	})
	defer s.Close()
	egress := testlane.New(t, sealane.Config{
		Profile: p,
		Side:    sealane.ClientSide,
		Theirs:  testkey.Theirs(t, alias, key),
	})
	tap := &recording{}
	answer, err := (&http.Client{Transport: &sealhttp.Transport{
		Lane: sealhttp.OneLane(egress),
		Base: tap,
	}}).Do(request(t, "POST", s.URL+"/v1/risk", `{"a":1}`))
	if err != nil || answer.StatusCode != 200 || !strings.HasPrefix(tap.request, `{"EncryptedPayload":"ey`) {
		t.Fatalf("%v %v %.40s", answer, err, tap.request)
	}
}

// TestOldDocVAnswer: a whole old answer, inside and outside, in place of a new one.
func TestOldDocVAnswer(t *testing.T) {
	old := answerBody(t, `"docv_previous_reference_id":"d-1",`,
		`{"id":"r-1","docv_transaction_token":"tok-1","docv_previous_reference_id":"d-1"}`)
	s := answering(t, 200, old)
	for _, c := range []struct{ method, path, body string }{
		{"POST", "/api/docv/upload", `{"id":"r-2"}`}, {"PATCH", "/api/docv/upload/tok-2", `{}`},
	} {
		if _, _, err := do(t, customer(t), request(t, c.method, s.URL+c.path, c.body)); !errors.Is(err,
			sealane.ErrContradiction) {
			t.Errorf("%s %s: %v", c.method, c.path, err)
		}
	}
}

// TestConcurrent: one lane, one handler, one transport, many requests at a time.
func TestConcurrent(t *testing.T) {
	s := provider(t, echo)
	client := &http.Client{Transport: &sealhttp.Transport{Lane: sealhttp.OneLane(customer(t))}}
	var all sync.WaitGroup
	for i := range 32 {
		all.Go(func() {
			for j := range 5 {
				body := fmt.Sprintf(`{"n":"%d-%d"}`, i, j)
				r, err := http.NewRequestWithContext(t.Context(), "POST", s.URL+"/api/evaluation",
					strings.NewReader(body))
				if err != nil {
					t.Error(err)
					return
				}
				answer, err := client.Do(r)
				if err != nil {
					t.Error(err)
					return
				}
				got, _ := io.ReadAll(answer.Body)
				if answer.Body.Close(); string(got) != `{"eval_id":"e-1","got":`+body+`}` {
					t.Errorf("%s came back as %s", body, got)
				}
			}
		})
	}
	all.Wait()
}

// TestPanicLeavesNoTrace: a service that panics releases its place.
func TestPanicLeavesNoTrace(t *testing.T) {
	lane := testlane.New(t, config(t, sealane.ServerSide))
	s := httptest.NewServer(&sealhttp.Handler{
		Lane:        sealhttp.OneLane(lane),
		Next:        http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }),
		Log:         discard,
		MaxInFlight: 1, MaxHeld: 1,
	})
	defer s.Close()
	for range 3 {
		_, _, err := do(t, customer(t), request(t, "POST", s.URL+"/api/evaluation", `{}`))
		// and not the 503 of a busy handler
		if !errors.Is(err, sealane.ErrSealingFailed) || !errors.Is(err, sealane.ErrMayBeProcessed) {
			t.Errorf("error is %v", err)
		}
	}
}

func TestWrongSide(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		t.Error("something was sent")
	}))
	defer s.Close()
	for name, lane := range map[string]*sealane.Lane{
		"none":     nil,
		"server's": testlane.New(t, config(t, sealane.ServerSide)),
	} {
		if _, _, err := do(t, lane, request(t, "POST", s.URL+"/api/evaluation", `{}`)); err == nil ||
			!strings.Contains(err.Error(), "ClientSide") {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, h := range map[string]*sealhttp.Handler{
		"zero": {},
		"nil lane": {
			Lane: func(*http.Request) (*sealane.Lane, error) { return nil, nil },
			Next: http.HandlerFunc(echo),
		},
		"client's": {
			Lane: func(*http.Request) (*sealane.Lane, error) { return customer(t), nil },
			Next: http.HandlerFunc(echo),
		},
	} {
		h.Log = discard
		w := httptest.NewRecorder()
		h.ServeHTTP(w,
			httptest.NewRequestWithContext(context.Background(), "POST", "/api/evaluation", strings.NewReader("{}")))
		if w.Code != 503 {
			t.Errorf("%s: %d", name, w.Code)
		}
	}
}

// TestTriggerDoesNotPassOn: the next handler sees a request without the trigger.
func TestTriggerDoesNotPassOn(t *testing.T) {
	s := provider(t, func(w http.ResponseWriter, r *http.Request) {
		if h := r.Header.Get("X-Payload-Encrypted"); h != "" {
			t.Errorf("the service sees X-Payload-Encrypted: %s", h)
		}
	})
	if _, _, err := do(t, customer(t), request(t, "POST", s.URL+"/api/evaluation", `{}`)); err != nil {
		t.Error(err)
	}
}

// TestNewcomerFirst: an account without keys gets that error, whatever else is wrong.
func TestNewcomerFirst(t *testing.T) {
	s := provider(t, echo, func(c *sealane.Config) { c.Theirs = nil; c.Sealing = sealane.SealingOptional })
	for _, c := range [][]string{{"/api/evaluation", "yes"}, {"/api/evaluation", "true"}, {"/api/other", "true"}} {
		_, body := raw(t, s.URL+c[0], "{}", "X-Payload-Encrypted", c[1])
		if _, text := errorBody(t, body); text != testlane.ErrorText(t, "riskos", sealane.ErrNotSupported) {
			t.Errorf("%v: %s", c, text)
		}
	}
	_, body := raw(t, s.URL+"/api/evaluation", "{}", "X-Payload-Encrypted", "true", "X-Payload-Encrypted", "true")
	if _, text := errorBody(t, body); text != testlane.ErrorText(t, "riskos", sealane.ErrNotSupported) {
		t.Errorf("doubled: %s", text)
	}
}

// TestNumberForAnIdentifier: identifiers are opaque; the value that the service returns is
// sent unchanged.
func TestNumberForAnIdentifier(t *testing.T) {
	s := provider(t, func(w http.ResponseWriter, _ *http.Request) {
		io.WriteString(w, `{"eval_id": 12345678901234567890}`)
	})
	tap := &recording{}
	answer, err := (&http.Client{Transport: &sealhttp.Transport{
		Lane: sealhttp.OneLane(customer(t)),
		Base: tap,
	}}).Do(request(t, "POST", s.URL+"/api/evaluation", `{}`))
	if err != nil || !strings.HasPrefix(tap.answer, `{"eval_id":12345678901234567890,"encrypted_response":"`) {
		t.Errorf("%v %v %.80s", answer, err, tap.answer)
	}
}

// TestSwitchingProtocols: 101 is not an answer to a sealed request.
func TestSwitchingProtocols(t *testing.T) {
	s := answering(t, 101, "", "Connection", "Upgrade", "Upgrade", "x")
	if _, _, err := do(t, customer(t), request(t, "POST", s.URL+"/api/evaluation", `{}`)); !errors.Is(err,
		sealane.ErrMayBeProcessed) {
		t.Errorf("error is %v", err)
	}
}

// TestPlainErrorTooLarge: part of an error is not passed on.
func TestPlainErrorTooLarge(t *testing.T) {
	s := provider(t, func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(404)
		for _, part := range []string{"START ", strings.Repeat("x", 2000), "END"} {
			io.WriteString(w, part)
		}
	}, func(c *sealane.Config) { c.MaxPayload = 1000 })
	answer, body := raw(t, s.URL+"/api/evaluation", wrapped(t, customer(t), "{}"), "X-Payload-Encrypted", "true")
	if answer.StatusCode != 500 || strings.Contains(body, "START") {
		t.Errorf("%d %s", answer.StatusCode, body)
	}
}

// TestServersOwnTimeOut: a server's shorter time-out is not extended.
func TestServersOwnTimeOut(t *testing.T) {
	lane := testlane.New(t, config(t, sealane.ServerSide))
	s := httptest.NewUnstartedServer(&sealhttp.Handler{
		Lane: sealhttp.OneLane(lane),
		Next: http.HandlerFunc(echo),
		Log:  discard,
	})
	s.Config.ReadTimeout = 200 * time.Millisecond
	s.Start()
	defer s.Close()
	c, err := net.Dial("tcp", s.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	io.WriteString(c,
		"POST /api/evaluation HTTP/1.1\r\nHost: x\r\nX-Payload-Encrypted: true\r\nContent-Length: 1000\r\n\r\n{")
	c.SetReadDeadline(time.Now().Add(30 * time.Second))
	if answer, err := io.ReadAll(c); err != nil || !strings.Contains(string(answer), " 400 ") {
		t.Errorf("%.40q, %v", answer, err)
	}
}

// TestCompressedPlainError: it is passed on whole, because errors are not sealed.
func TestCompressedPlainError(t *testing.T) {
	s := provider(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Encoding", "br")
		w.WriteHeader(422)
		io.WriteString(w, "compressed")
	})
	answer, body := raw(t, s.URL+"/api/evaluation", wrapped(t, customer(t), "{}"), "X-Payload-Encrypted", "true")
	if answer.StatusCode != 422 || body != "compressed" || answer.Header.Get("Content-Encoding") != "br" {
		t.Errorf("%d %q %v", answer.StatusCode, body, answer.Header)
	}
}
