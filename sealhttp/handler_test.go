package sealhttp_test

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/internal/testkey"
	"github.com/sealane/sealane/internal/testlane"
	"github.com/sealane/sealane/keyring"
	"github.com/sealane/sealane/sealhttp"
)

func reached(t *testing.T, flag *bool) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		*flag = true
		io.WriteString(w, `{"plain":true}`)
	}
}

// TestTrigger tries the header that announces sealing in every form, on a lane that
// requires sealing and on one that does not.
func TestTrigger(t *testing.T) {
	sealed := wrapped(t, customer(t), `{"sealed":true}`)
	plain := `{"plain":true}`
	for _, c := range []struct {
		name, body string
		headers    []string
		optional   bool
		status     int
		fault      string
	}{
		{"sealed", sealed, []string{"X-Payload-Encrypted", "true"}, false, 200, ""},
		{"sealed, other case", sealed, []string{"x-payload-encrypted", "True"}, false, 200, ""},
		{"header dropped", plain, nil, false, 400, "http.trigger-missing"},
		{"header dropped, sealed body", sealed, nil, false, 400, "http.trigger-missing"},
		{"header misspelt", plain, []string{"X-Payload-Encryption", "true"}, false, 400, "http.trigger-missing"},
		{"header off", plain, []string{"X-Payload-Encrypted", "false"}, false, 400, "http.trigger-missing"},
		{"value misspelt", plain, []string{"X-Payload-Encrypted", "yes"}, false, 400, "http.trigger-value"},
		{"doubled", sealed, []string{"X-Payload-Encrypted", "true", "X-Payload-Encrypted", "true"}, false, 400,
			"http.trigger-repeated"},
		{"doubled, one off", plain, []string{"X-Payload-Encrypted", "true", "X-Payload-Encrypted", "false"}, false,
			400, "http.trigger-repeated"},
		{"optional, sealed", sealed, []string{"X-Payload-Encrypted", "true"}, true, 200, ""},
		{"optional, plain", plain, nil, true, 200, ""},
		{"optional, off", plain, []string{"X-Payload-Encrypted", "false"}, true, 200, ""},
		{"optional, value misspelt", plain, []string{"X-Payload-Encrypted", "treu"}, true, 400, "http.trigger-value"},
		{"optional, doubled", plain, []string{"X-Payload-Encrypted", "false", "X-Payload-Encrypted", "false"}, true,
			400, "http.trigger-repeated"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var got bool
			change := func(*sealane.Config) {}
			if c.optional {
				change = optional
			}
			s := provider(t, reached(t, &got), change)
			answer, body := raw(t, s.URL+"/api/evaluation", c.body, c.headers...)
			if answer.StatusCode != c.status || got != (c.status == 200) {
				t.Errorf("answered %d %s; the service was reached: %t", answer.StatusCode, body, got)
			}
			if c.fault != "" && !strings.Contains(s.logged(), "fault="+c.fault) {
				t.Errorf("log: %s", s.logged())
			}
			if strings.Contains(body, `"plain":true`) && c.body == sealed {
				t.Error("a sealed request was answered unencrypted")
			}
		})
	}
}

// TestEndpoints: requests that the profile does not seal pass only if the lane allows them.
func TestEndpoints(t *testing.T) {
	sealed := wrapped(t, customer(t), `{}`)
	for _, path := range []string{"/api/evaluation/", "/api//evaluation", "/api/evaluation/a/b", "/api/./evaluation",
		"/api/evaluation/%2e%2e", "/API/evaluation", "/api/%65valuation", "/other"} {
		var got bool
		s := provider(t, reached(t, &got))
		for _, headers := range [][]string{nil, {"X-Payload-Encrypted", "true"}} {
			if answer, _ := raw(t, s.URL+path, sealed, headers...); answer.StatusCode != 400 || got {
				t.Errorf("%s with %v: %d, reached %t", path, headers, answer.StatusCode, got)
			}
		}
	}
	var got bool
	s := provider(t, reached(t, &got), func(c *sealane.Config) {
		c.PlainEndpoints = []string{"GET /api/evaluation/{eval_id}"}
	})
	answer, err := http.Get(s.URL + "/api/evaluation/e-1")
	if err != nil || answer.StatusCode != 200 || !got {
		t.Errorf("a listed plain endpoint: %v %v", answer, err)
	}
	got = false
	if answer, err := http.Get(s.URL + "/api/evaluation/e-1/x"); err != nil || answer.StatusCode != 400 || got {
		t.Errorf("not listed: %v %v", answer, err)
	}
}

var uuidForm = regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}`)

// TestOneAnswerForEveryDecryptionFailure compares the answers header by header,
// with only the identifier and the date masked.
func TestOneAnswerForEveryDecryptionFailure(t *testing.T) {
	s := provider(t, echo)
	good := wrapped(t, customer(t), `{}`)
	parts := strings.Split(good, ".")
	flip := func(part, at int) string {
		p := append([]string{}, parts...)
		c := byte('A')
		if p[part][at] == 'A' {
			c = 'B'
		}
		p[part] = p[part][:at] + string(c) + p[part][at+1:]
		return strings.Join(p, ".")
	}
	var first string
	for name, body := range map[string]string{
		"encrypted key": flip(1, 100), "IV": flip(2, 3), "ciphertext": flip(3, 20), "tag": flip(4, 5),
		"other key": wrapped(t, customer(t, func(c *sealane.Config) { c.Theirs = stranger(t) }), "{}"),
		"other size": wrapped(t,
			customer(t, func(c *sealane.Config) { c.Theirs = testkey.Ours(t, "x", testkey.RSA(t, "x", 3072)) }), "{}"),
	} {
		answer, text := raw(t, s.URL+"/api/evaluation", body, "X-Payload-Encrypted", "true")
		answer.Header.Del("Date")
		var b strings.Builder
		answer.Header.Write(&b)
		got := answer.Status + "\n" + b.String() + "\n" + uuidForm.ReplaceAllString(text, "ID")
		if first == "" {
			first = got
		}
		if got != first {
			t.Errorf("%s: the answer differs:\n%s\nfrom\n%s", name, got, first)
		}
		if !strings.Contains(got, testlane.ErrorText(t, "riskos", sealane.ErrDecryption)) {
			t.Errorf("%s: %s", name, got)
		}
	}
}

func TestContent(t *testing.T) {
	good := wrapped(t, customer(t), `{}`)
	var zipped bytes.Buffer
	z := gzip.NewWriter(&zipped)
	io.WriteString(z, good)
	z.Close()
	for _, c := range []struct {
		name, body string
		headers    []string
		status     int
		fault      string
	}{
		{"charset", good, []string{"Content-Type", "application/json; charset=utf-8"}, 200, ""},
		{"charset of less", good, []string{"Content-Type", "application/json; charset=US-ASCII"}, 200, ""},
		{"other charset", good, []string{"Content-Type", "application/json; charset=utf-16"}, 400,
			"http.content-type"},
		{"two types", good, []string{"Content-Type", "application/json", "Content-Type", "text/plain"}, 400,
			"http.content-type"},
		{"no coding", good, []string{"Content-Encoding", "Identity"}, 200, ""},
		{"no type", good, nil, 200, ""},
		{"form", good, []string{"Content-Type", "application/x-www-form-urlencoded"}, 400, "http.content-type"},
		{"odd type", good, []string{"Content-Type", "application/json; ="}, 400, "http.content-type"},
		{"gzip", zipped.String(), []string{"Content-Encoding", "gzip"}, 400, "http.content-encoding"},
		{"too large", good + strings.Repeat(" ", 100_000), nil, 413, "body.too-large"},
		{"white space", " \r\n\t" + good + "\n", nil, 200, ""},
	} {
		s := provider(t, echo, func(c *sealane.Config) { c.MaxPayload = 100 })
		answer, body := raw(t, s.URL+"/api/evaluation", c.body, append(c.headers, "X-Payload-Encrypted", "true")...)
		if answer.StatusCode != c.status || c.fault != "" && !strings.Contains(s.logged(), "fault="+c.fault) {
			t.Errorf("%s: %d %s\n%s", c.name, answer.StatusCode, body, s.logged())
		}
	}
}

// TestTooLargeWithoutLength: a body of unknown length is refused at the limit.
func TestTooLargeWithoutLength(t *testing.T) {
	s := provider(t, echo, func(c *sealane.Config) { c.MaxPayload = 1000 })
	r := request(t, "POST", s.URL+"/api/evaluation", "")
	sent := &counting{}
	r.Body, r.ContentLength = io.NopCloser(io.LimitReader(sent, 1<<30)), -1
	r.Header.Set("X-Payload-Encrypted", "true")
	answer, err := http.DefaultClient.Do(r)
	if err == nil && answer.StatusCode != 413 {
		t.Errorf("answered %d", answer.StatusCode)
	}
	if n := sent.n.Load(); n > 10<<20 {
		t.Errorf("%d bytes were taken", n)
	}
}

type counting struct{ n atomic.Int64 }

func (c *counting) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = ' '
	}
	c.n.Add(int64(len(p)))
	return len(p), nil
}

func TestAnswersOfTheService(t *testing.T) {
	for _, c := range []struct {
		name   string
		serve  http.HandlerFunc
		status int
		body   string
		sealed bool
	}{
		{"created",
			func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(201); io.WriteString(w, `{"eval_id":"e"}`) },
			201, `{"eval_id":"e"}`, true},
		{"nothing written", func(http.ResponseWriter, *http.Request) {}, 200, "", true},
		{"an array", func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, `[1,2]`) }, 200, `[1,2]`, true},
		{"plain error", func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(429)
			io.WriteString(w, `{"error":"rate_limit"}`)
		}, 429, `{"error":"rate_limit"}`, false},
		{"server error", func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(500)
			io.WriteString(w, `{"error":"server_error"}`)
		}, 500, `{"error":"server_error"}`, false},
		{"empty error", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(502) }, 502, "", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := provider(t, c.serve)
			answer, body, err := do(t, customer(t), request(t, "POST", s.URL+"/api/evaluation", "{}"))
			if err != nil || answer.StatusCode != c.status || body != c.body {
				t.Fatalf("%v %q %v", answer, body, err)
			}
			if _, sealed := sealhttp.MessageFrom(answer.Request.Context()); sealed != c.sealed {
				t.Errorf("sealed: %t", sealed)
			}
		})
	}
}

// TestAnswerThatCannotBeSealed expects the 500 of the vendor's specification with the
// evaluation's own identifier, and no part of the answer.
func TestAnswerThatCannotBeSealed(t *testing.T) {
	for name, serve := range map[string]http.HandlerFunc{
		"too large": func(w http.ResponseWriter, _ *http.Request) {
			io.WriteString(w, `{"eval_id":"e-7","secret":"SECRET`)
			for range 100 {
				io.WriteString(w, strings.Repeat("x", 100))
			}
		},
		"compressed": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Encoding", "br")
			io.WriteString(w, `{"eval_id":"e-7","secret":"SECRET"}`)
		},
	} {
		s := provider(t, serve, func(c *sealane.Config) { c.MaxPayload = 1000 })
		answer, body := raw(t, s.URL+"/api/evaluation", wrapped(t, customer(t), "{}"), "X-Payload-Encrypted", "true")
		_, text := errorBody(t, body)
		if answer.StatusCode != 500 || text != testlane.ErrorText(t, "riskos", sealane.ErrSealingFailed) ||
			strings.Contains(body, "SECRET") || strings.Contains(s.logged(), "SECRET") ||
			answer.Header.Get("Content-Encoding") != "" {
			t.Errorf("%s: %d %s", name, answer.StatusCode, body)
		}
	}
}

func TestCallerNotKnown(t *testing.T) {
	for _, c := range []struct {
		err    error
		status int
	}{{sealhttp.ErrUnauthenticated, 401}, {errors.New("SECRET: the registry is gone"), 503}} {
		s := httptest.NewServer(&sealhttp.Handler{
			Lane: func(*http.Request) (*sealane.Lane, error) { return nil, c.err },
			Next: http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("the service was reached") }),
			Log:  discard,
		})
		defer s.Close()
		answer, body := raw(t, s.URL+"/api/evaluation", "{}")
		if answer.StatusCode != c.status || strings.Contains(body, "SECRET") {
			t.Errorf("%d %s", answer.StatusCode, body)
		}
	}
}

// TestKeyStoreGone: this is not the partner's fault, so the status is not 400.
func TestKeyStoreGone(t *testing.T) {
	s := provider(t, echo, func(c *sealane.Config) {
		c.Ours = testkey.Ours(t, "provider", deaf{testkey.RSA(t, "provider", 2048)})
	})
	answer, _ := raw(t, s.URL+"/api/evaluation", wrapped(t, customer(t), "{}"), "X-Payload-Encrypted", "true")
	if answer.StatusCode != 503 || answer.Header.Get("Retry-After") == "" {
		t.Errorf("%d %v", answer.StatusCode, answer.Header)
	}
}

// TestBusy: more sealed requests than the handler may hold are refused, and served again
// when there is space.
func TestBusy(t *testing.T) {
	lane := testlane.New(t, config(t, sealane.ServerSide))
	inside, leave := make(chan bool), make(chan bool)
	s := httptest.NewServer(&sealhttp.Handler{
		Lane: sealhttp.OneLane(lane),
		Next: http.HandlerFunc(func(http.ResponseWriter, *http.Request) { inside <- true; <-leave }),
		Log:  discard, MaxInFlight: 1,
	})
	defer s.Close()
	body := wrapped(t, customer(t), "{}")
	held := make(chan int)
	go func() {
		answer, _ := raw(t, s.URL+"/api/evaluation", body, "X-Payload-Encrypted", "true")
		held <- answer.StatusCode
	}()
	<-inside
	if answer, _ := raw(t, s.URL+"/api/evaluation", body, "X-Payload-Encrypted", "true"); answer.StatusCode != 503 {
		t.Errorf("a second request got %d", answer.StatusCode)
	}
	leave <- true
	if status := <-held; status != 200 {
		t.Errorf("the first request got %d", status)
	}
}

// TestRDX: encrypted only, answered unencrypted, one text for all messages that do not
// open.
func TestRDX(t *testing.T) {
	const alias = "1234dadc1234b704c1f23dc4-PKE-ACS-Client-2048SHA2-STAG"
	key := testkey.RSA(t, "issuer", 2048)
	rdx := testlane.Profile(t, "rdx")
	ingress := testlane.New(t, sealane.Config{
		Profile:     rdx,
		Side:        sealane.ServerSide,
		Environment: "STAG",
		SenderAuth:  sealane.SenderUnauthenticated,
		Ours:        testkey.Ours(t, alias, key),
	})
	s := httptest.NewServer(&sealhttp.Handler{
		Lane: sealhttp.OneLane(ingress), Log: discard,
		Next: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if m, _ := sealhttp.MessageFrom(r.Context()); m == nil ||
				m.(*sealane.Unverified).SenderAuth() != sealane.SenderUnauthenticated {
				t.Error("the service is not told that nothing is proven")
			}
			echo(w, r)
		}),
	})
	defer s.Close()
	vcas := func(id string) *sealane.Lane {
		return testlane.New(t, sealane.Config{
			Profile:     rdx,
			Side:        sealane.ClientSide,
			Environment: "STAG",
			Theirs:      testkey.Theirs(t, id, key),
		})
	}
	answer, body, err := do(t, vcas(alias), request(t, "POST", s.URL+"/v1/risk", `{"TransactionId":"1"}`))
	if err != nil || answer.StatusCode != 200 || body != `{"eval_id":"e-1","got":{"TransactionId":"1"}}` {
		t.Errorf("%v %s %v", answer, body, err)
	}
	_, _, err = do(t, vcas(strings.Replace(alias, "STAG", "PROD", 1)), request(t, "POST", s.URL+"/v1/risk", "{}"))
	var partner *sealhttp.PartnerError
	if !errors.As(err, &partner) || partner.Status != 405 || partner.ID == "" {
		t.Errorf("unknown alias: %v", err)
	}
	for _, body := range []string{"", "{}", `{"TransactionId":"1"}`, `"eyJ"`, "a.b.c.d.e"} {
		answer, text := raw(t, s.URL+"/v1/risk", body, "Content-Type", "application/jose")
		if answer.StatusCode != 405 ||
			!strings.Contains(text, `"Description":"`+testlane.ErrorText(t, "rdx", sealane.ErrFormat)+`"`) {
			t.Errorf("%q: %d %s", body, answer.StatusCode, text)
		}
	}
	if answer, err := http.Get(s.URL + "/v1/risk"); err != nil || answer.StatusCode != 405 {
		t.Errorf("GET: %v %v", answer, err)
	}
}

// deaf neither decrypts nor signs.
type deaf struct{ keyring.Private }
