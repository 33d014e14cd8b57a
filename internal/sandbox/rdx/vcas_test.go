package rdx_test

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

	"github.com/sealane/sealane/internal/sandbox/rdx"
	"github.com/sealane/sealane/internal/sandbox/sandboxtest"
)

func vcasFor(url string) *rdx.VCAS {
	return &rdx.VCAS{RiskURL: url + "/v1/risk", StepupURL: url + "/v1/stepup", InitiateURL: url +
		"/v1/initiateaction", ValidateURL: url + "/v1/validate", Now: sandboxtest.AtNoon}
}

func steps(answers []rdx.Answer) []string {
	var s []string
	for _, a := range answers {
		s = append(s, a.Call+" "+a.Status)
	}
	return s
}

func noAsk(t *testing.T) func(context.Context, rdx.Answer) (string, error) {
	return func(context.Context, rdx.Answer) (string, error) {
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
		{
			"resend", "", "", "wrong resend right",
			begin + ",validate RETRY,stepup SUCCESS,initiateaction SUCCESS,validate SUCCESS", 2,
		},
		{"without a challenge", "4000000000001000", "", "", "risk SUCCESS", 0},
		{"refused", "4000000000001018", "", "", "risk FAILURE", 0},
		{"blocked", "4000000000001125", "", "", "risk BLOCKED", 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			phone := &phoneBox{}
			v := vcasFor(sandboxtest.Serve(t, &rdx.Issuer{Now: sandboxtest.AtNoon, OnOTP: phone.receive}).URL)
			v.CardNumber, v.CredentialType = c.card, c.credential
			typed := strings.Fields(c.typed)
			answers, err := v.Challenge(t.Context(), func(_ context.Context, a rdx.Answer) (string, error) {
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
				return "", rdx.ErrResend
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
	v := vcasFor(sandboxtest.Serve(t, &rdx.Issuer{Now: sandboxtest.AtNoon}).URL)
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
	want := []string{"risk STEPUP", "stepup SUCCESS", "initiateaction SUCCESS", "validate PENDING",
		"validate PENDING", "validate SUCCESS"}
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
	issuer := &rdx.Issuer{Now: sandboxtest.AtNoon}
	v := vcasFor(sandboxtest.Serve(t, issuer).URL)
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
	want := []string{"risk STEPUP", "stepup SUCCESS", "initiateaction SUCCESS", "validate PENDING"}
	if d := cmp.Diff(want, steps(answers)); !errors.Is(err, context.Canceled) || d != "" {
		t.Errorf("error is %v\n%s", err, d)
	}
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(q *http.Request) (*http.Response, error) { return f(q) }

func TestChallengeAskFails(t *testing.T) {
	v := vcasFor(sandboxtest.Serve(t, &rdx.Issuer{Now: sandboxtest.AtNoon}).URL)
	gone := errors.New("the cardholder left")
	answers, err := v.Challenge(t.Context(), func(context.Context, rdx.Answer) (string, error) { return "", gone })
	if !errors.Is(err, gone) || len(answers) != 3 {
		t.Errorf("error is %v after %v", err, steps(answers))
	}
}

// VCAS does not wait forever for an issuer without an outcome.
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
			answers, err := v.Challenge(t.Context(),
				func(context.Context, rdx.Answer) (string, error) { return "", nil })
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
	_, err := new(rdx.VCAS).Challenge(t.Context(), noAsk(t))
	if err == nil || err.Error() != "send risk: no URL for it; set the issuer's full URL" {
		t.Errorf("error is %v", err)
	}
}

// Each call has the members that RDX lists for it, and no others.
func TestMessages(t *testing.T) {
	var mu sync.Mutex
	sent := make(map[string]map[string]json.RawMessage)
	issuer := &rdx.Issuer{Now: sandboxtest.AtNoon}
	srv := sandboxtest.Serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
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
	every := "ProcessorId IssuerId TransactionId DSTransactionId ThreeDSRequestorAuthenticationInd MessageVersion " +
		"RDXMessageVersion MessageCategory"
	mu.Lock()
	defer mu.Unlock()
	for call, more := range map[string]string{
		"risk": "MerchantInfo PaymentInfo TransactionInfo RiskScore RuleOutcome CardBrandName " +
			"ExemptionInfo MerchantChallengeIndicator",
		"stepup": "StepupRequestId StepupCounter DeviceLocale DeviceUserAgent StepupReason MerchantInfo " +
			"PaymentInfo TransactionInfo",
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
