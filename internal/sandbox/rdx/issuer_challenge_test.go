package rdx_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sealane/sealane/internal/sandbox/rdx"
	"github.com/sealane/sealane/internal/sandbox/sandboxtest"
)

func TestIssuerChallenge(t *testing.T) {
	sixDigits := regexp.MustCompile(`^[0-9]{6}$`)
	t.Run("right", func(t *testing.T) {
		b := newBench(t)
		sms := credential(t, b.stepup(0, ""), 0)
		b.want(b.initiate(0, sms), "SUCCESS")
		code := b.phone.last(t)
		if !sixDigits.MatchString(code) {
			t.Errorf("the passcode is %q", code)
		}
		got := b.validate(0, sms, code)
		b.want(got, "SUCCESS")
		if got.Text("CredentialId") != sms["Id"] {
			t.Errorf("CredentialId is %q, want %q", got.Text("CredentialId"), sms["Id"])
		}
		b.wantFault(b.validate(0, sms, code), "ended with SUCCESS")
		b.wantFault(b.initiate(0, sms), "ended with SUCCESS")
		b.wantFault(b.stepup(1, ""), "ended with SUCCESS")
	})
	t.Run("three wrong", func(t *testing.T) {
		b := newBench(t)
		sms := credential(t, b.stepup(0, ""), 0)
		b.initiate(0, sms)
		code := b.phone.last(t)
		b.want(b.validate(0, sms, wrong(code)), "RETRY")
		b.want(b.validate(0, sms, ""), "RETRY")
		b.want(b.validate(0, sms, code+"0"), "FAILURE")
		b.wantFault(b.validate(0, sms, code), "ended with FAILURE")
	})
	t.Run("another passcode allows no further tries", func(t *testing.T) {
		b := newBench(t)
		sms := credential(t, b.stepup(0, ""), 0)
		b.initiate(0, sms)
		b.want(b.validate(0, sms, wrong(b.phone.last(t))), "RETRY")
		b.initiate(0, sms)
		b.want(b.validate(0, sms, wrong(b.phone.last(t))), "RETRY")
		b.stepup(0, "")
		b.want(b.validate(0, sms, wrong(b.phone.last(t))), "FAILURE")
	})
	t.Run("resend", func(t *testing.T) {
		b := newBench(t)
		first := credential(t, b.stepup(0, ""), 0)
		b.initiate(0, first)
		old := b.phone.last(t)
		second := credential(t, b.stepup(1, ""), 1)
		b.wantFault(b.validate(0, first, old), "not those of the last stepup")
		b.wantFault(b.validate(1, first, old), "not the credential of the last initiateaction")
		b.wantFault(b.initiate(1, first), "none of the last stepup's")
		b.wantFault(b.stepup(0, ""), "StepupCounter is 0, the last stepup had 1")
		b.want(b.initiate(1, second), "SUCCESS")
		b.want(b.validate(1, second, b.phone.last(t)), "SUCCESS")
	})
	t.Run("the same stepup again", func(t *testing.T) {
		b := newBench(t)
		if d := cmp.Diff(b.stepup(0, "").JSON, b.stepup(0, "").JSON); d != "" {
			t.Error(d)
		}
	})
	t.Run("too many passcodes", func(t *testing.T) {
		b := newBench(t)
		for i := range 6 {
			b.want(b.initiate(i, credential(t, b.stepup(i, ""), 0)), "SUCCESS")
		}
		b.want(b.initiate(6, credential(t, b.stepup(6, ""), 0)), "BLOCKED")
		if len(b.phone.codes) != 6 {
			t.Errorf("%d passcodes were sent", len(b.phone.codes))
		}
	})
	t.Run("expired", func(t *testing.T) {
		b := newBench(t)
		sms := credential(t, b.stepup(0, ""), 0)
		b.initiate(0, sms)
		b.clock.Forward(10*time.Minute - 1)
		b.want(b.validate(0, sms, wrong(b.phone.last(t))), "RETRY")
		b.clock.Forward(1)
		b.want(b.validate(0, sms, b.phone.last(t)), "FAILURE")
		b.want(b.stepup(0, ""), "SUCCESS")
	})
	t.Run("out of order", func(t *testing.T) {
		b := newBench(t)
		nobody := map[string]any{"Id": request, "Type": "OTPSMS"}
		b.wantFault(b.initiate(0, nobody), "no stepup")
		b.wantFault(b.validate(0, nobody, "123456"), "no stepup")
		sms := credential(t, b.stepup(0, ""), 0)
		b.wantFault(b.validate(0, sms, ""), "not the credential of the last initiateaction")
	})
	t.Run("out of band", func(t *testing.T) {
		b := newBench(t)
		app := credential(t, b.stepup(0, `,"PaymentInfo":{"CardNumber":"4000000000001117"}`), 0)
		b.want(b.initiate(0, app), "SUCCESS")
		b.want(b.validate(0, app, ""), "PENDING")
		b.want(b.validate(0, app, ""), "PENDING")
		b.want(b.validate(0, app, ""), "SUCCESS")
		if len(b.phone.codes) != 0 {
			t.Error("a passcode was sent for an out-of-band credential")
		}
	})
}

func TestChallengesAreBounded(t *testing.T) {
	srv := sandboxtest.Serve(t, &rdx.Issuer{Now: sandboxtest.AtNoon, MaxChallenges: 2})
	message := func(i int, more string) string {
		return fmt.Sprintf(`{"ProcessorId":"p","IssuerId":"i","TransactionId":"00ec043e-40b5-4ce4-95c2-9e83b644f41%d`+
			`","MessageVersion":"2.2.0","StepupRequestId":%q,"StepupCounter":0%s}`, i, request, more)
	}
	var credentials []map[string]any
	for i := range 3 {
		credentials = append(credentials,
			credential(t, sandboxtest.Send(t, "POST", srv.URL+"/v1/stepup", message(i, "")), 0))
	}
	var got []string
	for i, c := range credentials {
		got = append(got,
			sandboxtest.Send(t, "POST", srv.URL+"/v1/initiateaction",
				message(i, fmt.Sprintf(`,"Credentials":[{"Id":%q,"Type":"OTPSMS"}]`, c["Id"]))).Text("Status"))
	}
	if d := cmp.Diff([]string{"ERROR", "SUCCESS", "SUCCESS"}, got); d != "" {
		t.Error(d)
	}
}

// A passcode is valid once, however many requests have it at the same time.
func TestValidateAtOnce(t *testing.T) {
	b := newBench(t)
	sms := credential(t, b.stepup(0, ""), 0)
	b.initiate(0, sms)
	code := b.phone.last(t)
	body := fmt.Sprintf(`{%s,"StepupRequestId":%q,"StepupCounter":0,"CredentialResponse":[{"Id":%q,"Type":"OTPSMS","`+
		`Value":%q}]}`, rdxIDs, request, sms["Id"], code)
	statuses := make([]string, 16)
	var wg sync.WaitGroup
	for i := range statuses {
		wg.Go(func() {
			r, err := http.Post(b.url+"validate", "application/json", strings.NewReader(body))
			if err != nil {
				t.Error(err)
				return
			}
			defer r.Body.Close()
			var a struct{ Status string }
			if err := json.NewDecoder(r.Body).Decode(&a); err != nil {
				t.Error(err)
			}
			statuses[i] = a.Status
		})
	}
	wg.Wait()
	slices.Sort(statuses)
	if d := cmp.Diff(append(slices.Repeat([]string{"ERROR"}, 15), "SUCCESS"), statuses); d != "" {
		t.Error(d)
	}
}
