package conformance_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/internal/sandbox"
	"github.com/sealane/sealane/internal/sandbox/conformance"
	"github.com/sealane/sealane/internal/sandbox/rdx"
	"github.com/sealane/sealane/internal/sandbox/riskos"
	"github.com/sealane/sealane/internal/testlane"
	"github.com/sealane/sealane/sealanetest"
	"github.com/sealane/sealane/sealhttp"
)

const evaluation = `{"id":"r-1","timestamp":"2026-11-30T09:00:00Z","workflow":"consumer_onboarding",` +
	`"data":{"individual":{"given_name":"Ada","family_name":"Accept"}}}`

// post returns a Send that posts a body to a URL.
func post(url, body string) func(context.Context, http.RoundTripper) error {
	return func(ctx context.Context, t http.RoundTripper) error {
		r, err := http.NewRequestWithContext(ctx, http.MethodPost, url, strings.NewReader(body))
		if err != nil {
			return err
		}
		r.Header.Set("Content-Type", "application/json")
		answer, err := t.RoundTrip(r)
		if err != nil {
			return err
		}
		defer answer.Body.Close()
		_, err = io.Copy(io.Discard, answer.Body)
		return err
	}
}

// server serves the server's side of a lane.
func server(t *testing.T, config sealane.Config, next http.Handler) http.Handler {
	lane := testlane.New(t, config)
	return &sealhttp.Handler{Lane: sealhttp.OneLane(lane), Next: next, Log: slog.New(slog.DiscardHandler)}
}

func riskOS(t *testing.T) (*conformance.Check, http.Handler) {
	check := &conformance.Check{
		Lane: testlane.New(t, sealanetest.CustomerConfig()), Signer: sealanetest.CustomerKey().Private,
		Base: http.DefaultTransport,
	}
	return check, server(t, sealanetest.ProviderConfig(), &riskos.Service{})
}

func serve(t *testing.T, h http.Handler) string {
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s.URL
}

func failed(results []conformance.Result) (failed, differ []string) {
	for _, r := range results {
		switch r.Verdict {
		case conformance.Failed:
			failed = append(failed, r.Fault+" "+r.Got)
		case conformance.Differs:
			differ = append(differ, r.Fault+" "+r.Got)
		}
	}
	return failed, differ
}

// TestOurServers: the servers of both profiles follow them.
func TestOurServers(t *testing.T) {
	riskos, provider := riskOS(t)
	riskos.Send = post(serve(t, provider)+"/api/evaluation", evaluation)
	v := rdx.NewVCAS(nil, serve(t, server(t, sealanetest.IssuerConfig(), &rdx.Issuer{}))+"/v1")
	issuer := &conformance.Check{
		Lane: testlane.New(t, sealanetest.VCASConfig()), Base: http.DefaultTransport,
		Send: func(ctx context.Context, t http.RoundTripper) error {
			one := *v
			one.Client = &http.Client{Transport: t}
			_, err := one.Risk(ctx, one.NewTransaction())
			return err
		},
	}
	for name, check := range map[string]*conformance.Check{"riskos": riskos, "rdx": issuer} {
		t.Run(name, func(t *testing.T) {
			results, err := check.Run(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			failed, differ := failed(results)
			if len(failed)+len(differ) > 0 {
				t.Errorf("failed: %q\ndiffer: %q", failed, differ)
			}
			tried := map[string]bool{}
			for _, r := range results {
				tried[r.Fault] = true
				if r.Fault != "" && r.Meaning == "" {
					t.Errorf("%s has no meaning", r.Fault)
				}
			}
			for _, f := range sandbox.RequestFaults(check.Lane.Profile().Profile()) {
				if !tried[string(f)] {
					t.Errorf("%s was not tried", f)
				}
			}
			if len(results) < 40 {
				t.Errorf("only %d messages", len(results))
			}
		})
	}
}

// TestWrongServers: each server has one error of its own, and the results name it.
func TestWrongServers(t *testing.T) {
	answer := func(w http.ResponseWriter, status int, body string) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		io.WriteString(w, body)
	}
	for name, c := range map[string]struct {
		wrong   func(w http.ResponseWriter, r *http.Request, good *httptest.ResponseRecorder)
		verdict conformance.Verdict
		fault   string
	}{
		"accepts what does not open": {func(w http.ResponseWriter, _ *http.Request, good *httptest.ResponseRecorder) {
			answer(w, http.StatusOK, `{"eval_id":"1"}`)
		}, conformance.Failed, string(sandbox.CutTag)},
		"breaks": {func(w http.ResponseWriter, _ *http.Request, good *httptest.ResponseRecorder) {
			answer(w, http.StatusInternalServerError, "stack trace")
		}, conformance.Failed, string(sandbox.WrongKey)},
		"answers in words of its own": {func(w http.ResponseWriter, _ *http.Request, good *httptest.ResponseRecorder) {
			answer(w, http.StatusUnprocessableEntity, `{"message":"cannot decrypt"}`)
		}, conformance.Differs, string(sandbox.WrongKey)},
	} {
		t.Run(name, func(t *testing.T) {
			check, provider := riskOS(t)
			check.Send = post(serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				good := httptest.NewRecorder()
				provider.ServeHTTP(good, r)
				if good.Code == http.StatusOK {
					w.Header().Set("Content-Type", good.Header().Get("Content-Type"))
					w.Write(good.Body.Bytes())
					return
				}
				c.wrong(w, r, good)
			}))+"/api/evaluation", evaluation)
			results, err := check.Run(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			i := slices.IndexFunc(results, func(r conformance.Result) bool { return r.Fault == c.fault })
			if i < 0 || results[i].Verdict != c.verdict {
				t.Errorf("%+v", results)
			}
		})
	}
}

// TestOracle: a server whose answers tell why a decryption failed has a result of its own.
func TestOracle(t *testing.T) {
	check, provider := riskOS(t)
	n := 0
	check.Send = post(serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		good := httptest.NewRecorder()
		provider.ServeHTTP(good, r)
		body := good.Body.Bytes()
		if bytes.Contains(body, []byte("Payload decryption failed")) {
			if n++; n%2 == 0 {
				body = bytes.Replace(body, []byte("failed"), []byte("failed: wrong padding"), 1)
			}
		}
		w.Header().Set("Content-Type", good.Header().Get("Content-Type"))
		w.WriteHeader(good.Code)
		w.Write(body)
	}))+"/api/evaluation", evaluation)
	results, err := check.Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	failed, _ := failed(results)
	if len(failed) != 1 || !strings.Contains(failed[0], "of 2 kinds") {
		t.Errorf("%q", failed)
	}
	check, service := riskOS(t)
	check.Send = post(serve(t, service)+"/api/evaluation", evaluation)
	if results, err = check.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	together := results[len(results)-2].Got // before the last message, which has no fault
	if !regexp.MustCompile(`^\d+ answers, of 1 kind$`).MatchString(together) {
		t.Errorf("the result of all together is %q", together)
	}
}

// TestNothingToJudge: a server that refuses a good message is not tried further.
func TestNothingToJudge(t *testing.T) {
	check, _ := riskOS(t)
	requests := 0
	check.Send = post(serve(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		requests++
		w.WriteHeader(http.StatusUnauthorized)
	}))+"/api/evaluation", evaluation)
	results, err := check.Run(t.Context())
	if !errors.Is(err, conformance.ErrControl) || len(results) != 1 || requests != 1 {
		t.Errorf("%v, %+v, %d requests", err, results, requests)
	}
}

// TestCancelledCheck: a check ends when its context does.
func TestCancelledCheck(t *testing.T) {
	check, provider := riskOS(t)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	check.Send = post(serve(t, provider)+"/api/evaluation", evaluation)
	check.Report = func(r conformance.Result) {
		if r.Fault != "" {
			cancel()
		}
	}
	results, err := check.Run(ctx)
	if !errors.Is(err, context.Canceled) || len(results) > 3 {
		t.Errorf("%v, %d results", err, len(results))
	}
}
