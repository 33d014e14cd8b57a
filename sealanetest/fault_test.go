package sealanetest_test

import (
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/fault"
	"github.com/sealane/sealane/profile"
	"github.com/sealane/sealane/sealanetest"
)

// TestFailQueues: faults are for the next requests, one each, and the record says which.
func TestFailQueues(t *testing.T) {
	p := sealanetest.NewProvider(t, sealanetest.ProviderOptions{})
	p.Fail(sealanetest.Fault(sealane.ErrUnavailable), sealanetest.SlowBy(time.Millisecond))
	want := []error{sealane.ErrUnavailable, nil, nil}
	for i, due := range want {
		if _, _, err := post(t, p.Client(), p.URL+"/api/evaluation", evaluation); !errors.Is(err, due) {
			t.Errorf("request %d: %v", i, err)
		}
	}
	var injected []sealanetest.Fault
	for _, r := range p.Requests() {
		injected = append(injected, r.Injected)
	}
	if !slices.Equal(injected, []sealanetest.Fault{"unavailable", "slow=1ms", ""}) {
		t.Errorf("injected %q", injected)
	}
}

// TestFaultOfAnError: an error of the service is not sealed, so it cannot have a fault of a sealed
// message. That fails the test that asked for it.
func TestFaultOfAnError(t *testing.T) {
	for _, f := range []sealanetest.Fault{
		sealanetest.WrongKey, sealanetest.Unsealed, sealanetest.Swapped, sealanetest.Fault(fault.OpenTag),
	} {
		tb := new(fakeTest)
		p := sealanetest.NewProvider(tb, sealanetest.ProviderOptions{
			Service: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				http.Error(w, "no such person", http.StatusNotFound)
			}),
		})
		p.Fail(f)
		response, body, err := post(t, p.Client(), p.URL+"/api/evaluation", evaluation)
		if err != nil || response.StatusCode != http.StatusConflict || !strings.Contains(body, "fault_not_possible") {
			t.Errorf("%s: %v %s", f, err, body)
		}
		tb.end()
		if len(tb.errors) != 1 || !strings.Contains(tb.errors[0], string(f)) ||
			!strings.Contains(tb.errors[0], "status 404") {
			t.Errorf("%s: the test failed with %q", f, tb.errors)
		}
	}
}

// TestFaultsHaveNames: each constant is in a list, and a list has nothing but constants and outcomes.
func TestFaultsHaveNames(t *testing.T) {
	constants := []sealanetest.Fault{
		sealanetest.WrongKey, sealanetest.OtherSigner, sealanetest.Unsigned, sealanetest.SHA1OAEP, sealanetest.CutTag,
		sealanetest.UnknownKeyID, sealanetest.Unsealed, sealanetest.Swapped, sealanetest.Slow, sealanetest.Cut,
	}
	all := slices.Concat(sealanetest.ProviderFaults(), sealanetest.IssuerFaults(), sealanetest.VCASFaults())
	for _, f := range constants {
		if !slices.Contains(all, f) {
			t.Errorf("%q is in no list", f)
		}
	}
	for _, f := range all {
		if !slices.Contains(constants, f) && !slices.Contains(profile.TableOutcomes(), profile.Outcome(f)) {
			t.Errorf("%q has no constant", f)
		}
	}
}

// TestVCASFaults: an issuer refuses what is faulty, and the record says why.
func TestVCASFaults(t *testing.T) {
	i := sealanetest.NewIssuer(t, sealanetest.IssuerOptions{})
	v := sealanetest.NewVCAS(t, sealanetest.VCASOptions{URL: i.URL})
	want := map[sealanetest.Fault]fault.Code{
		sealanetest.WrongKey: fault.OpenKey, sealanetest.SHA1OAEP: fault.AlgSHA1, sealanetest.CutTag: fault.TagLength,
		sealanetest.UnknownKeyID: fault.KidUnknown.In(fault.JWE), sealanetest.Unsealed: fault.BodyNotSealed,
		sealanetest.Slow: "",
	}
	for _, f := range sealanetest.VCASFaults() {
		due, listed := want[f]
		name := f
		if f == sealanetest.Slow {
			name = sealanetest.SlowBy(time.Millisecond)
		}
		v.Fail(name)
		answer, err := v.Risk(t.Context())
		if f == sealanetest.Cut { // the issuer may not know yet
			if err == nil || answer.HTTPStatus != 0 {
				t.Errorf("cut: %v %+v", err, answer)
			}
			continue
		}
		all := i.Requests()
		if r := all[len(all)-1]; !listed || r.Fault != due || (err == nil) != (due == "") ||
			answer.HTTPStatus != r.Status {
			t.Errorf("%s: %v, %+v; judged %q, want %q", f, err, answer, r.Fault, due)
		}
	}
	v.Fail(sealanetest.Fault(fault.OpenTag))
	if answer, err := v.Risk(t.Context()); err == nil || answer.HTTPStatus != 405 {
		t.Errorf("by code: %+v %v", answer, err)
	}
	if answer, err := v.Risk(t.Context()); err != nil || answer.Status != "STEPUP" {
		t.Errorf("afterwards: %+v %v", answer, err)
	}
}
