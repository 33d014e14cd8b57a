package sandbox_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sealane/sealane/internal/sandbox"
)

func vcasFor(url string) *sandbox.VCAS {
	return &sandbox.VCAS{RiskURL: url + "/v1/risk", StepupURL: url + "/v1/stepup", InitiateURL: url + "/v1/initiateaction", ValidateURL: url + "/v1/validate", Now: atNoon}
}

func steps(answers []sandbox.Answer) []string {
	var s []string
	for _, a := range answers {
		s = append(s, a.Call+" "+a.Status)
	}
	return s
}

func noAsk(t *testing.T) func(context.Context, sandbox.Answer) (string, error) {
	return func(context.Context, sandbox.Answer) (string, error) {
		t.Error("the cardholder was asked")
		return "", nil
	}
}

func TestChallenge(t *testing.T) {
	const begin = "risk STEPUP,stepup SUCCESS,initiateaction SUCCESS"
	for _, c := range []struct {
		name, card, credential string
		typed                  string // what the cardholder does each time: right, wrong or resend
		want                   string
		sent                   int // passcodes
	}{
		{"right", "", "", "right", begin + ",validate SUCCESS", 1},
		{"by mail", "", "OTPEMAIL", "right", begin + ",validate SUCCESS", 1},
		{"no choice", "4000000000001109", "OTPEMAIL", "right", begin + ",validate SUCCESS", 1},
		{"wrong, then right", "", "", "wrong right", begin + ",validate RETRY,validate SUCCESS", 1},
		{"wrong", "", "", "wrong wrong wrong", begin + ",validate RETRY,validate RETRY,validate FAILURE", 1},
		{"resend", "", "", "wrong resend right", begin + ",validate RETRY,stepup SUCCESS,initiateaction SUCCESS,validate SUCCESS", 2},
		{"without a challenge", "4000000000001000", "", "", "risk SUCCESS", 0},
		{"refused", "4000000000001018", "", "", "risk FAILURE", 0},
		{"blocked", "4000000000001125", "", "", "risk BLOCKED", 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			phone := &phoneBox{}
			v := vcasFor(serve(t, &sandbox.Issuer{Now: atNoon, OnOTP: phone.receive}).URL)
			v.CardNumber, v.CredentialType = c.card, c.credential
			typed := strings.Fields(c.typed)
			answers, err := v.Challenge(t.Context(), func(_ context.Context, a sandbox.Answer) (string, error) {
				if len(typed) == 0 {
					return "", errors.New("asked too often")
				}
				if a.Status != "SUCCESS" && a.Status != "RETRY" {
					t.Errorf("asked after %s %s", a.Call, a.Status)
				}
				var what string
				what, typed = typed[0], typed[1:]
				switch what {
				case "right":
					return phone.last(t), nil
				case "wrong":
					return wrong(phone.last(t)), nil
				}
				return "", sandbox.ErrResend
			})
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(strings.Split(c.want, ","), steps(answers)); d != "" {
				t.Error(d)
			}
			if len(typed) != 0 || len(phone.codes) != c.sent {
				t.Errorf("not asked for %q; %d passcodes sent, want %d", typed, len(phone.codes), c.sent)
			}
			for _, a := range answers {
				if a.HTTPStatus != 200 || !json.Valid(a.Raw) || a.TransactionID != answers[0].TransactionID {
					t.Errorf("%s: %d %s", a.Call, a.HTTPStatus, a.Raw)
				}
			}
			if c.credential != "" && answers[2].Credentials[0].Type != c.credential && c.card == "" {
				t.Errorf("chose %v", answers[2].Credentials)
			}
		})
	}
}

func TestChallengeOutOfBand(t *testing.T) {
	v := vcasFor(serve(t, &sandbox.Issuer{Now: atNoon}).URL)
	v.CardNumber = "4000000000001117"
	var waited []time.Duration
	v.Wait = func(_ context.Context, d time.Duration) error {
		waited = append(waited, d)
		return nil
	}
	answers, err := v.Challenge(t.Context(), noAsk(t))
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"risk STEPUP", "stepup SUCCESS", "initiateaction SUCCESS", "validate PENDING", "validate PENDING", "validate SUCCESS"}
	if d := cmp.Diff(want, steps(answers)); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff([]time.Duration{2 * time.Second, 2 * time.Second}, waited); d != "" {
		t.Error(d)
	}
}

// The default wait ends with its context.
func TestChallengeCancelledWhilePending(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	issuer := &sandbox.Issuer{Now: atNoon}
	v := vcasFor(serve(t, issuer).URL)
	v.CardNumber = "4000000000001117"
	v.Client = &http.Client{Transport: roundTrip(func(q *http.Request) (*http.Response, error) {
		r, err := http.DefaultTransport.RoundTrip(q)
		if err != nil || !strings.HasSuffix(q.URL.Path, "/validate") {
			return r, err
		}
		b, err := io.ReadAll(r.Body)
		r.Body.Close()
		r.Body = io.NopCloser(bytes.NewReader(b))
		cancel()
		return r, err
	})}
	answers, err := v.Challenge(ctx, noAsk(t))
	if !errors.Is(err, context.Canceled) {
		t.Errorf("error is %v after %v", err, steps(answers))
	}
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(q *http.Request) (*http.Response, error) { return f(q) }

func TestChallengeAskFails(t *testing.T) {
	v := vcasFor(serve(t, &sandbox.Issuer{Now: atNoon}).URL)
	gone := errors.New("the cardholder left")
	answers, err := v.Challenge(t.Context(), func(context.Context, sandbox.Answer) (string, error) { return "", gone })
	if !errors.Is(err, gone) || len(answers) != 3 {
		t.Errorf("error is %v after %v", err, steps(answers))
	}
}

// tamper is an issuer whose answers to one call are changed on their way.
func tamper(t *testing.T, call string, change func(h http.Header, status int, m map[string]any, raw []byte) (int, []byte)) *sandbox.VCAS {
	t.Helper()
	issuer := &sandbox.Issuer{Now: atNoon}
	srv := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
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
		want       string // SENT stands for the TransactionId, REQUEST for the StepupRequestId, CHOSEN for the credential
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
		{"no JSON", "risk", func(_ http.Header, s int, _ map[string]any, _ []byte) (int, []byte) { return s, []byte("<html>") },
			`answer to risk: the body (6 bytes) is not JSON`},
		{"empty", "risk", func(_ http.Header, s int, _ map[string]any, _ []byte) (int, []byte) { return s, nil },
			`answer to risk: the body (0 bytes) is not JSON`},
		{"array", "risk", func(_ http.Header, s int, _ map[string]any, _ []byte) (int, []byte) { return s, []byte("[]") },
			`answer to risk: the body (2 bytes) is not a JSON object`},
		{"content type", "risk", func(h http.Header, s int, _ map[string]any, raw []byte) (int, []byte) {
			h.Set("Content-Type", "text/html; charset=utf-8")
			return s, raw
		}, `answer to risk: Content-Type is "text/html; charset=utf-8", want application/json`},
		{"too large", "risk", func(_ http.Header, s int, _ map[string]any, raw []byte) (int, []byte) {
			return s, append(bytes.Repeat([]byte(" "), 1<<20), raw...)
		}, `answer to risk: it is over 1 MiB`},
		{"processor", "risk", set("ProcessorId", nil), `answer to risk: ProcessorId is missing, sent "5723ae630063ac1a9c3ab079"`},
		{"issuer", "risk", set("IssuerId", 7), `answer to risk: IssuerId is not a string, sent "5723ae630063ac1a9c3ab083"`},
		{"transaction", "stepup", set("TransactionId", "00ec043e-40b5-4ce4-95c2-9e83b644f412"),
			`answer to stepup: TransactionId is "00ec043e-40b5-4ce4-95c2-9e83b644f412", sent "SENT"`},
		{"letter case", "stepup", set("TransactionId", nil, "transactionId", "x"), `answer to stepup: TransactionId is missing, sent "SENT"`},
		{"request", "initiateaction", set("StepupRequestId", ""), `answer to initiateaction: StepupRequestId is "", sent "REQUEST"`},
		{"no status", "risk", set("Status", nil), `answer to risk: Status is missing, want one of SUCCESS STEPUP FAILURE FAILWITHFEEDBACK ERROR BLOCKED REJECTED`},
		{"status in small letters", "risk", set("Status", "success"), `answer to risk: Status is "success", want one of SUCCESS STEPUP FAILURE FAILWITHFEEDBACK ERROR BLOCKED REJECTED`},
		{"status of another call", "stepup", set("Status", "RETRY"), `answer to stepup: Status is "RETRY", want one of SUCCESS AUTHENTICATED FAILURE FAILWITHFEEDBACK ERROR BLOCKED REJECTED`},
		{"pending passcode", "validate", set("Status", "PENDING"), `answer to validate: Status is PENDING for a OTPSMS credential; only out-of-band and biometric ones may be`},
		{"no credentials", "stepup", set("Credentials", nil), `answer to stepup: Credentials is missing or empty; a successful stepup names at least one`},
		{"empty credentials", "initiateaction", set("Credentials", []any{}), `answer to initiateaction: Credentials is missing or empty; a successful initiateaction names at least one`},
		{"credentials no array", "stepup", set("Credentials", "x"), `answer to stepup: Credentials is not a JSON array`},
		{"credential without Id", "stepup", set("Credentials", list(map[string]any{"Type": "OTPSMS"})), `answer to stepup: Credentials[0].Id is missing, empty or not a string`},
		{"credential without Type", "stepup", set("Credentials", list(map[string]any{"Id": "1"})), `answer to stepup: Credentials[0].Type is missing, empty or not a string`},
		{"long Id", "stepup", set("Credentials", list(map[string]any{"Id": strings.Repeat("1", 37), "Type": "OTPSMS"})), `answer to stepup: Credentials[0].Id has 37 characters, at most 36 are allowed`},
		{"one Id twice", "stepup", set("Credentials", list(map[string]any{"Id": "1", "Type": "OTPSMS"}, map[string]any{"Id": "1", "Type": "OTPEMAIL"})), `answer to stepup: Credentials[1].Id is that of an earlier one; each needs its own`},
		{"another credential", "initiateaction", set("Credentials", list(map[string]any{"Id": "1", "Type": "OTPSMS"})), `answer to initiateaction: Credentials names "1", sent "CHOSEN"`},
		{"another CredentialId", "validate", set("CredentialId", "1"), `answer to validate: CredentialId is "1", sent "CHOSEN"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			v := tamper(t, c.call, c.change)
			var sent struct {
				TransactionId, StepupRequestId string
				Credentials                    []struct{ Id string }
			}
			var mu sync.Mutex
			client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
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
			answers, err := v.Challenge(t.Context(), func(context.Context, sandbox.Answer) (string, error) { return "", nil })
			mu.Lock()
			defer mu.Unlock()
			want := strings.NewReplacer("SENT", sent.TransactionId, "REQUEST", sent.StepupRequestId).Replace(c.want)
			if len(sent.Credentials) > 0 {
				want = strings.ReplaceAll(want, "CHOSEN", sent.Credentials[0].Id)
			}
			var bad *sandbox.AnswerError
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

// What the contract leaves open is no fault.
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
		"a failed challenge":  set("Status", "FAILWITHFEEDBACK", "WhyInfo", map[string]any{"Label": "Why", "Text": "Because"}),
		"an unavailable bank": set("Status", "ERROR", "TransStatusReason", "01", "Language", "en"),
	} {
		t.Run(name, func(t *testing.T) {
			v := tamper(t, "validate", change)
			answers, err := v.Challenge(t.Context(), func(_ context.Context, a sandbox.Answer) (string, error) { return "000000", nil })
			var bad *sandbox.AnswerError
			if errors.As(err, &bad) {
				t.Errorf("after %v: %v", steps(answers), err)
			}
		})
	}
}

// An issuer that never comes to an end doesn't keep VCAS.
func TestChallengeLimits(t *testing.T) {
	always := func(status string) func(http.Header, int, map[string]any, []byte) (int, []byte) {
		return set("Status", status, "Reason", nil, "Error", nil)
	}
	for _, c := range []struct {
		name, call, card, status, want string
		validates                      int
	}{
		{"RETRY", "validate", "", "RETRY", "still answers RETRY after 4 codes", 4},
		{"PENDING", "validate", "4000000000001117", "PENDING", "still no outcome after 90 repeats", 91},
		{"STEPUP from validate", "validate", "", "STEPUP", "5 stepups brought no outcome", 5},
		{"STEPUP from initiateaction", "initiateaction", "", "STEPUP", "5 stepups brought no outcome", 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			v := tamper(t, c.call, always(c.status))
			v.CardNumber = c.card
			v.Wait = func(context.Context, time.Duration) error { return nil }
			answers, err := v.Challenge(t.Context(), func(context.Context, sandbox.Answer) (string, error) { return "", nil })
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error is %v, want %q", err, c.want)
			}
			got := 0
			for _, a := range answers {
				if a.Call == "validate" {
					got++
				}
			}
			if got != c.validates {
				t.Errorf("%d validates, want %d", got, c.validates)
			}
		})
	}
}

func TestChallengeWithoutURL(t *testing.T) {
	_, err := new(sandbox.VCAS).Challenge(t.Context(), noAsk(t))
	if err == nil || err.Error() != "send risk: no URL for it; set the issuer's full URL" {
		t.Errorf("error is %v", err)
	}
}

// Each call carries the members that RDX lists for it, and no others.
func TestMessages(t *testing.T) {
	var mu sync.Mutex
	sent := make(map[string]map[string]json.RawMessage)
	issuer := &sandbox.Issuer{Now: atNoon}
	srv := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		var m map[string]json.RawMessage
		if err := json.Unmarshal(b, &m); err != nil {
			t.Error(err)
		}
		mu.Lock()
		sent[r.URL.Path] = m
		mu.Unlock()
		r.Body = io.NopCloser(bytes.NewReader(b))
		issuer.ServeHTTP(w, r)
	}))
	v := vcasFor(srv.URL)
	tx := v.NewTransaction()
	tx.Amount, tx.FirstFactorOutcome, tx.StepupType = "12345678901234567890", "SUCCESS", "OTP"
	if _, err := v.Risk(t.Context(), tx); err != nil {
		t.Fatal(err)
	}
	a, err := v.Stepup(t.Context(), tx)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := v.InitiateAction(t.Context(), tx, a.Credentials[0]); err != nil {
		t.Fatal(err)
	}
	if _, err := v.Validate(t.Context(), tx, a.Credentials[0], "000000"); err != nil {
		t.Fatal(err)
	}
	every := "ProcessorId IssuerId TransactionId DSTransactionId ThreeDSRequestorAuthenticationInd MessageVersion RDXMessageVersion MessageCategory"
	mu.Lock()
	defer mu.Unlock()
	for call, more := range map[string]string{
		"risk":           "MerchantInfo PaymentInfo TransactionInfo RiskScore RuleOutcome CardBrandName ExemptionInfo MerchantChallengeIndicator",
		"stepup":         "StepupRequestId StepupCounter DeviceLocale DeviceUserAgent StepupReason MerchantInfo PaymentInfo TransactionInfo",
		"initiateaction": "StepupRequestId StepupCounter Credentials OtpReferenceCode VerificationToken",
		"validate":       "StepupRequestId StepupCounter StepupType CredentialResponse FirstFactorOutcome",
	} {
		want := strings.Fields(every + " " + more)
		slices.Sort(want)
		var got []string
		for name := range sent["/v1/"+call] {
			got = append(got, name)
		}
		slices.Sort(got)
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("%s: %s", call, d)
		}
	}
	for _, c := range []struct{ call, member, within string }{
		{"risk", "TransactionInfo", `"TransactionAmount":12345678901234567890,`},
		{"stepup", "PaymentInfo", `"CardNumber":"4000000000001091"`},
		{"stepup", "StepupCounter", `0`},
	} {
		if got := string(sent["/v1/"+c.call][c.member]); !strings.Contains(got, c.within) {
			t.Errorf("%s.%s is %s, want %s in it", c.call, c.member, got, c.within)
		}
	}
}
