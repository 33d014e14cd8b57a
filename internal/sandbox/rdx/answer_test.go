package rdx_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sealane/sealane/internal/sandbox/rdx"
	"github.com/sealane/sealane/internal/sandbox/sandboxtest"
)

// tamper returns an issuer whose answers to one call are changed on their way.
func tamper(t *testing.T, call string, change func(h http.Header, status int, m map[string]any, raw []byte) (int,
	[]byte)) *rdx.VCAS {
	t.Helper()
	issuer := &rdx.Issuer{Now: sandboxtest.AtNoon}
	srv := sandboxtest.Serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !strings.HasSuffix(r.URL.Path, "/"+call) {
			issuer.ServeHTTP(w, r)
			return
		}
		held := &holder{header: make(http.Header)}
		issuer.ServeHTTP(held, r)
		var m map[string]any
		if err := json.Unmarshal(held.body.Bytes(), &m); err != nil {
			t.Error(err)
		}
		held.header.Del("Content-Length")
		status, body := change(held.header, held.status, m, held.body.Bytes())
		for k, v := range held.header {
			w.Header()[k] = v
		}
		w.WriteHeader(status)
		if _, err := w.Write(body); err != nil {
			t.Log(err) // the client may have read enough
		}
	}))
	return vcasFor(srv.URL)
}

type holder struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (h *holder) Header() http.Header         { return h.header }
func (h *holder) WriteHeader(status int)      { h.status = status }
func (h *holder) Write(b []byte) (int, error) { return h.body.Write(b) }

// set changes members; a nil value removes one.
func set(changes ...any) func(http.Header, int, map[string]any, []byte) (int, []byte) {
	return func(_ http.Header, status int, m map[string]any, _ []byte) (int, []byte) {
		for i := 0; i < len(changes); i += 2 {
			m[changes[i].(string)] = changes[i+1]
			if changes[i+1] == nil {
				delete(m, changes[i].(string))
			}
		}
		b, err := json.Marshal(m)
		if err != nil {
			panic(err)
		}
		return status, b
	}
}

func TestBadAnswers(t *testing.T) {
	type change = func(http.Header, int, map[string]any, []byte) (int, []byte)
	list := func(of ...map[string]any) any { return of }
	for _, c := range []struct {
		name, call string
		change     change
		// SENT stands for the TransactionId, REQUEST for the StepupRequestId, CHOSEN for the credential
		want string
	}{
		{"status", "risk", func(_ http.Header, _ int, _ map[string]any, raw []byte) (int, []byte) { return 503, raw },
			`answer to risk: HTTP status is 503, want 200`},
		{"405", "stepup", func(_ http.Header, _ int, _ map[string]any, _ []byte) (int, []byte) {
			return 405, []byte(`{"Error":{"Description":"IssuerId is unknown"}}`)
		}, `answer to stepup: HTTP status is 405, want 200; the issuer says "IssuerId is unknown"`},
		{"redirect", "risk", func(h http.Header, _ int, _ map[string]any, raw []byte) (int, []byte) {
			h.Set("Location", "/elsewhere/v1/risk")
			return 307, raw
		}, `answer to risk: HTTP status is 307, want 200`},
		{"no JSON", "risk", func(_ http.Header, s int, _ map[string]any, _ []byte) (int, []byte) {
			return s,
				[]byte("<html>")
		},
			`answer to risk: the body (6 bytes) is not JSON`},
		{"empty", "risk", func(_ http.Header, s int, _ map[string]any, _ []byte) (int, []byte) { return s, nil },
			`answer to risk: the body (0 bytes) is not JSON`},
		{"array", "risk", func(_ http.Header, s int, _ map[string]any, _ []byte) (int, []byte) {
			return s,
				[]byte("[]")
		},
			`answer to risk: the body (2 bytes) is not a JSON object`},
		{"content type", "risk", func(h http.Header, s int, _ map[string]any, raw []byte) (int, []byte) {
			h.Set("Content-Type", "text/html; charset=utf-8")
			return s, raw
		}, `answer to risk: Content-Type is "text/html; charset=utf-8", want application/json`},
		{"too large", "risk", func(_ http.Header, s int, _ map[string]any, raw []byte) (int, []byte) {
			return s, append(bytes.Repeat([]byte(" "), 1<<20), raw...)
		}, `answer to risk: it is over 1 MiB`},
		{
			"processor", "risk", set("ProcessorId", nil),
			`answer to risk: ProcessorId is missing, sent "5723ae630063ac1a9c3ab079"`,
		},
		{
			"issuer", "risk", set("IssuerId", 7),
			`answer to risk: IssuerId is not a string, sent "5723ae630063ac1a9c3ab083"`,
		},
		{"transaction", "stepup", set("TransactionId", "00ec043e-40b5-4ce4-95c2-9e83b644f412"),
			`answer to stepup: TransactionId is "00ec043e-40b5-4ce4-95c2-9e83b644f412", sent "SENT"`},
		{
			"letter case", "stepup", set("TransactionId", nil, "transactionId", "x"),
			`answer to stepup: TransactionId is missing, sent "SENT"`,
		},
		{
			"request", "initiateaction", set("StepupRequestId", ""),
			`answer to initiateaction: StepupRequestId is "", sent "REQUEST"`,
		},
		{
			"no status", "risk", set("Status", nil),
			`answer to risk: Status is missing, want one of SUCCESS STEPUP FAILURE FAILWITHFEEDBACK ERROR BLOCKED ` +
				`REJECTED`,
		},
		{
			"status in small letters", "risk", set("Status", "success"),
			`answer to risk: Status is "success", want one of SUCCESS STEPUP FAILURE FAILWITHFEEDBACK ERROR ` +
				`BLOCKED REJECTED`,
		},
		{
			"status of another call", "stepup", set("Status", "RETRY"),
			`answer to stepup: Status is "RETRY", want one of SUCCESS AUTHENTICATED FAILURE FAILWITHFEEDBACK ERROR ` +
				`BLOCKED REJECTED`,
		},
		{
			"pending passcode", "validate", set("Status", "PENDING"),
			`answer to validate: Status is PENDING for a OTPSMS credential; ` +
				`only out-of-band and biometric ones may be`,
		},
		{
			"no credentials", "stepup", set("Credentials", nil),
			`answer to stepup: Credentials is missing or empty; a successful stepup names at least one`,
		},
		{
			"empty credentials", "initiateaction", set("Credentials", []any{}),
			`answer to initiateaction: Credentials is missing or empty; ` +
				`a successful initiateaction names at least one`,
		},
		{
			"credentials no array", "stepup", set("Credentials", "x"),
			`answer to stepup: Credentials is not a JSON array`,
		},
		{
			"credential without Id", "stepup", set("Credentials", list(map[string]any{"Type": "OTPSMS"})),
			`answer to stepup: Credentials[0].Id is missing, empty or not a string`,
		},
		{
			"credential without Type", "stepup", set("Credentials", list(map[string]any{"Id": "1"})),
			`answer to stepup: Credentials[0].Type is missing, empty or not a string`,
		},
		{
			"long Id", "stepup",
			set("Credentials", list(map[string]any{"Id": strings.Repeat("1", 37), "Type": "OTPSMS"})),
			`answer to stepup: Credentials[0].Id has 37 characters, at most 36 are allowed`,
		},
		{
			"one Id twice", "stepup",
			set("Credentials", list(map[string]any{"Id": "1", "Type": "OTPSMS"}, map[string]any{"Id": "1",
				"Type": "OTPEMAIL"})),
			`answer to stepup: Credentials[1].Id is that of an earlier one; each needs its own`,
		},
		{
			"another credential", "initiateaction",
			set("Credentials", list(map[string]any{"Id": "1", "Type": "OTPSMS"})),
			`answer to initiateaction: Credentials names "1", sent "CHOSEN"`,
		},
		{
			"another CredentialId", "validate", set("CredentialId", "1"),
			`answer to validate: CredentialId is "1", sent "CHOSEN"`,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			v := tamper(t, c.call, c.change)
			var sent struct {
				TransactionId, StepupRequestId string
				Credentials                    []struct{ Id string }
			}
			var mu sync.Mutex
			client := &http.Client{CheckRedirect: noRedirect}
			client.Transport = roundTrip(func(q *http.Request) (*http.Response, error) {
				b, err := io.ReadAll(q.Body)
				if err != nil {
					return nil, err
				}
				mu.Lock()
				err = json.Unmarshal(b, &sent)
				mu.Unlock()
				if err != nil {
					return nil, err
				}
				q = q.Clone(q.Context())
				q.Body = io.NopCloser(bytes.NewReader(b))
				return http.DefaultTransport.RoundTrip(q)
			})
			v.Client = client
			answers, err := v.Challenge(t.Context(),
				func(context.Context, rdx.Answer) (string, error) { return "", nil })
			mu.Lock()
			defer mu.Unlock()
			want := strings.NewReplacer("SENT", sent.TransactionId, "REQUEST", sent.StepupRequestId).Replace(c.want)
			if len(sent.Credentials) > 0 {
				want = strings.ReplaceAll(want, "CHOSEN", sent.Credentials[0].Id)
			}
			var bad *rdx.AnswerError
			if !errors.As(err, &bad) || bad.Call != c.call {
				t.Fatalf("error is %v, want an AnswerError of %s", err, c.call)
			}
			if d := cmp.Diff(want, err.Error()); d != "" {
				t.Error(d)
			}
			if last := answers[len(answers)-1]; last.Call != c.call || last.HTTPStatus == 0 || len(last.Raw) > 1<<20 {
				t.Errorf("the bad answer is not the last: %s %d, %d bytes", last.Call, last.HTTPStatus, len(last.Raw))
			}
		})
	}
}

func noRedirect(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

// Answers that the contract allows are not faults.
func TestTolerableAnswers(t *testing.T) {
	for name, change := range map[string]func(http.Header, int, map[string]any, []byte) (int, []byte){
		"new members":     set("RiskIndicator", "7", "Reason", "text", "Error", []any{}),
		"no CredentialId": set("CredentialId", nil),
		"no content type": func(h http.Header, s int, _ map[string]any, raw []byte) (int, []byte) {
			h["Content-Type"] = nil
			return s, raw
		},
		"another JSON type": func(h http.Header, s int, _ map[string]any, raw []byte) (int, []byte) {
			h.Set("Content-Type", "application/rdx+json; charset=utf-8")
			return s, raw
		},
		"a failed challenge": set("Status", "FAILWITHFEEDBACK", "WhyInfo",
			map[string]any{"Label": "Why", "Text": "Because"}),
		"an unavailable bank": set("Status", "ERROR", "TransStatusReason", "01", "Language", "en"),
	} {
		t.Run(name, func(t *testing.T) {
			v := tamper(t, "validate", change)
			answers, err := v.Challenge(t.Context(),
				func(_ context.Context, a rdx.Answer) (string, error) { return "000000", nil })
			if err != nil {
				t.Errorf("after %v: %v", steps(answers), err)
			}
		})
	}
}
