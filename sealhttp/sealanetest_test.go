package sealhttp_test

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/fault"
	"github.com/sealane/sealane/internal/testlane"
	"github.com/sealane/sealane/profile"
	"github.com/sealane/sealane/sealanetest"
	"github.com/sealane/sealane/sealhttp"
)

// evaluate sends an evaluation through a Transport to the provider, and returns the response's body.
func evaluate(t *testing.T, p *sealanetest.Provider) (string, error) {
	t.Helper()
	r := request(t, "POST", p.URL+"/api/evaluation",
		`{"id":"r-1","timestamp":"2026-03-04T12:00:00Z","workflow":"w",`+
			`"data":{"individual":{"family_name":"Accept"}}}`)
	r.Header.Set("Authorization", "Bearer "+p.APIKey)
	response, err := (&sealhttp.Transport{Lane: sealhttp.OneLane(p.Lane)}).RoundTrip(r)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	return string(body), err
}

// TestEveryFault: for each fault of a provider's response the Transport returns the
// corresponding error, and says whether the request may have been processed.
func TestEveryFault(t *testing.T) {
	p := sealanetest.NewProvider(t, sealanetest.ProviderOptions{})
	table := testlane.Profile(t, "riskos").Errors
	if body, err := evaluate(t, p); err != nil || !strings.Contains(body, `"ACCEPT"`) {
		t.Fatalf("without a fault: %v %s", err, body)
	}
	unusable := map[sealanetest.Fault]error{
		sealanetest.WrongKey: sealane.ErrDecryption, sealanetest.OtherSigner: sealane.ErrSignature,
		sealanetest.Unsigned: sealane.ErrNotJWS, sealanetest.SHA1OAEP: sealane.ErrNotJWE,
		sealanetest.CutTag: sealane.ErrNotJWE, sealanetest.Unsealed: sealane.ErrNotSealed,
		sealanetest.Swapped: sealane.ErrContradiction, sealanetest.Cut: io.ErrUnexpectedEOF,
	}
	harmless := map[sealanetest.Fault]bool{
		sealanetest.Slow:         true,
		sealanetest.UnknownKeyID: true, // the profile accepts any key ID
	}
	for _, f := range sealanetest.ProviderFaults() {
		name := f
		if f == sealanetest.Slow {
			name = sealanetest.SlowBy(time.Millisecond)
		}
		p.Fail(name)
		body, err := evaluate(t, p)
		var partner *sealhttp.PartnerError
		var answer *sealhttp.AnswerError
		row, isOutcome := table.Row(profile.Outcome(f))
		switch {
		case isOutcome:
			due := row.On
			if due == sealane.ErrPlainRefused {
				due = sealane.ErrFormat // the first row with that text
			}
			if !errors.As(err, &partner) || partner.Outcome != due || partner.Status != row.Status ||
				partner.Text != row.Text ||
				!errors.Is(err, due) || sealane.OutcomeOf(err) != due {
				t.Errorf("%s: %v", f, err)
			}
			if processed := due == sealane.ErrSealingFailed; errors.Is(err, sealane.ErrMayBeProcessed) != processed {
				t.Errorf("%s: may be processed is not %t: %v", f, processed, err)
			}
		case harmless[f]:
			if err != nil || !strings.Contains(body, `"ACCEPT"`) {
				t.Errorf("%s: %v %s", f, err, body)
			}
		default:
			due, listed := unusable[f]
			if !listed || !errors.Is(err, due) || !errors.As(err, &answer) || answer.Status != http.StatusOK ||
				!errors.Is(err, sealane.ErrMayBeProcessed) {
				t.Errorf("%s: %v, want %v", f, err, due)
			}
		}
	}
}

// TestEveryCode: a response with a fault code is refused, and the error has an outcome.
func TestEveryCode(t *testing.T) {
	p := sealanetest.NewProvider(t, sealanetest.ProviderOptions{})
	for _, code := range sealanetest.Codes() {
		if code == fault.TooLarge.In(fault.JWE) { // 64 MiB of it
			continue
		}
		p.Fail(sealanetest.Fault(code))
		_, err := evaluate(t, p)
		// The profile accepts any well-formed key ID, or none.
		harmless := strings.Contains(string(code), ".kid-") && !strings.HasSuffix(string(code), ".kid-form")
		var answer *sealhttp.AnswerError
		switch {
		case harmless && err != nil, !harmless && !errors.As(err, &answer):
			t.Errorf("%s: %v", code, err)
		case !harmless && (sealane.FaultOf(err) == "" || sealane.OutcomeOf(err) == sealane.ErrUnavailable):
			t.Errorf("%s: outcome %s, fault %q: %v", code, sealane.OutcomeOf(err), sealane.FaultOf(err), err)
		}
	}
}
