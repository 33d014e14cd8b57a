package riskos_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/internal/malform"
	"github.com/sealane/sealane/internal/sandbox"
	"github.com/sealane/sealane/internal/sandbox/riskos"
	"github.com/sealane/sealane/internal/testlane"
	"github.com/sealane/sealane/sealanetest"
	"github.com/sealane/sealane/sealhttp"
)

// sealedRiskOS serves the sealed stand-in and returns the customer's lane.
func sealedRiskOS(t *testing.T) (*httptest.Server, *sealane.Lane) {
	t.Helper()
	config := sealanetest.ProviderConfig()
	config.Sealing = sealane.SealingOptional
	account := riskos.Account{
		Name: "customer", APIKey: "the-key", Lane: testlane.New(t, config), Signer: sealanetest.ProviderKey().Private,
	}
	service, err := riskos.NewProvider([]riskos.Account{account},
		func() http.Handler { return &riskos.Service{} }, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewServer(service)
	t.Cleanup(s.Close)
	return s, testlane.New(t, sealanetest.CustomerConfig())
}

func evaluate(t *testing.T, s *httptest.Server, lane *sealane.Lane, fault string) (string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, "POST", s.URL+"/api/evaluation",
		strings.NewReader(`{"id":"r-`+fault+`","timestamp":"2026-11-21T12:00:00Z","workflow":"w",`+
			`"data":{"individual":{"family_name":"Accept"}}}`))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer the-key")
	if fault != "" {
		r.Header.Set(sandbox.FaultHeader, fault)
	}
	answer, err := (&sealhttp.Transport{Lane: sealhttp.OneLane(lane)}).RoundTrip(r)
	if err != nil {
		return "", err
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	return string(body), err
}

func TestProviderFaults(t *testing.T) {
	s, lane := sealedRiskOS(t)
	if body, err := evaluate(t, s, lane, ""); err != nil || !strings.Contains(body, `"ACCEPT"`) {
		t.Fatalf("without a fault: %s %v", body, err)
	}
	p := testlane.Profile(t, "riskos")
	want := map[sandbox.Fault]error{
		sandbox.WrongKey:     sealane.ErrDecryption,
		sandbox.OtherSigner:  sealane.ErrSignature,
		sandbox.SHA1OAEP:     sealane.ErrNotJWE,
		sandbox.CutTag:       sealane.ErrNotJWE,
		sandbox.UnknownKeyID: nil, // RiskOS takes any key ID
		sandbox.Unsigned:     sealane.ErrNotJWS,
		sandbox.Unsealed:     sealane.ErrNotSealed,
		sandbox.Swapped:      sealane.ErrContradiction,
		sandbox.Slow:         nil,
		sandbox.Cut:          io.ErrUnexpectedEOF,
	}
	for _, row := range p.Errors.Table {
		want[sandbox.Fault(row.On)] = row.On
	}
	want[sandbox.Fault(sealane.ErrPlainRefused)] = sealane.ErrFormat // they have the same text
	for _, f := range sandbox.ResponseFaults(p) {
		due, listed := want[f]
		name := string(f)
		if f == sandbox.Slow {
			name = "slow=1ms"
		}
		if _, err := evaluate(t, s, lane, name); !listed || !errors.Is(err, due) {
			t.Errorf("%s: %v, want %v", f, err, due)
		}
	}
	for _, code := range malform.Codes() {
		if code == "jwe.too-large" { // 64 MiB of it
			continue
		}
		// RiskOS accepts any well-formed key ID, or none.
		harmless := strings.Contains(string(code), ".kid-") && !strings.HasSuffix(string(code), ".kid-form")
		if _, err := evaluate(t, s, lane, string(code)); (err == nil) != harmless {
			t.Errorf("%s: %v", code, err)
		}
	}
}

func TestProviderAuthenticates(t *testing.T) {
	s, _ := sealedRiskOS(t)
	for _, header := range []string{"", "Bearer", "Bearer wrong", "Basic the-key", "the-key", "Bearer the-key x"} {
		r, err := http.NewRequestWithContext(t.Context(), "GET", s.URL+"/api/evaluation/x", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", header)
		answer, err := http.DefaultClient.Do(r)
		if err != nil || answer.StatusCode != 401 {
			t.Errorf("%q: %v %v", header, answer, err)
		}
	}
}
