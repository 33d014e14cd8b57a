package profile_test

import (
	"fmt"
	"net/url"
	"reflect"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sealane/sealane/internal/testlane"
	"github.com/sealane/sealane/profile"
)

// TestClone: a clone is equal, and shares no memory that could be written to.
func TestClone(t *testing.T) {
	for _, name := range profile.Names() {
		p := testlane.Profile(t, name)
		p.Errors.Table[0].Also = append(p.Errors.Table[0].Also, "more") // so that no list is empty in both
		p.Request.Encrypt.Alg.LaneMayAdd = []string{"RSA-OAEP"}
		p.Request.Encrypt.Enc.LaneMayAdd = []string{"A256GCM"}
		p.Request.Body.Accept = []string{"text/plain"}
		c := p.Clone()
		if diff := cmp.Diff(p, c); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
		if shared := sharedMemory("Profile", reflect.ValueOf(p).Elem(), reflect.ValueOf(c).Elem()); shared != nil {
			t.Errorf("%s: shared: %v", name, shared)
		}
	}
}

// sharedMemory lists the slices, pointers and maps that a and b share.
func sharedMemory(path string, a, b reflect.Value) (shared []string) {
	switch a.Kind() {
	case reflect.Struct:
		for i := range a.NumField() {
			shared = append(shared, sharedMemory(path+"."+a.Type().Field(i).Name, a.Field(i), b.Field(i))...)
		}
	case reflect.Slice:
		if a.Len() > 0 && a.Pointer() == b.Pointer() {
			return []string{path}
		}
		for i := range a.Len() {
			shared = append(shared, sharedMemory(fmt.Sprintf("%s[%d]", path, i), a.Index(i), b.Index(i))...)
		}
	case reflect.Pointer:
		if a.IsNil() {
			return nil
		}
		if a.Pointer() == b.Pointer() {
			return []string{path}
		}
		return sharedMemory(path, a.Elem(), b.Elem())
	case reflect.Map, reflect.Interface, reflect.Func, reflect.Chan:
		return []string{path + ": the test does not know this kind"}
	}
	return shared
}

// TestCompiledNeverChanges: a compiled profile shares no memory with its source or with
// returned profiles.
func TestCompiledNeverChanges(t *testing.T) {
	p := testlane.Profile(t, "riskos")
	c, err := p.Compile()
	if err != nil {
		t.Fatal(err)
	}
	want := p.Clone()
	p.Endpoints[0].Path = "/elsewhere"
	p.Request.Sign.Alg.Open[0] = "none"
	c.Profile().Endpoints[0].Bind = []string{"x"}
	c.Profile().Request.Encrypt.Alg.Open[0] = "none"
	c.Request().Direction().Encrypt.Enc.Open[0] = "none"
	c.Environments()[0] = "elsewhere"
	if diff := cmp.Diff(want, c.Profile()); diff != "" {
		t.Error(diff)
	}
	if again, err := c.Compile(); again != c || err != nil {
		t.Errorf("a compiled profile was compiled again: %v", err)
	}
	if _, err := p.Compile(); err == nil {
		t.Error("an invalid profile was compiled")
	}
	var none *profile.Profile
	if _, err := none.Compile(); err == nil {
		t.Error("nil was compiled")
	}
	var noneCompiled *profile.Compiled
	if _, err := noneCompiled.Compile(); err == nil {
		t.Error("nil was compiled")
	}
}

// TestCompiledAnswersAsItsProfile compares the methods with the data.
func TestCompiledAnswersAsItsProfile(t *testing.T) {
	p := testlane.Profile(t, "riskos")
	c, err := p.Compile()
	if err != nil {
		t.Fatal(err)
	}
	m, ok := c.Find("PATCH", &url.URL{Path: "/api/evaluation/e-1"})
	id, bound := m.Variable("eval_id")
	if !ok || m.Path() != "/api/evaluation/{eval_id}" || m.Identifier() != "eval_id" || id != "e-1" || !bound {
		t.Errorf("%t, %q, %q, %q", ok, m.Path(), m.Identifier(), id)
	}
	for name := range m.Bind() {
		if name != "eval_id" {
			t.Errorf("binds %q", name)
		}
	}
	if _, ok := c.Find("GET", &url.URL{Path: "/api/evaluation/e-1"}); ok {
		t.Error("GET was found")
	}
	header, value, ok := c.Trigger()
	if header != "X-Payload-Encrypted" || value != "true" || !ok || !c.TriggerOff("False") || c.TriggerOff("true") {
		t.Errorf("%q %q %t", header, value, ok)
	}
	status, text, ok := c.ErrorRow(profile.Decryption)
	on, got, _, known := c.RecognizeError(status, c.RenderError("i", text))
	if !ok || status != 400 || on != profile.Decryption || got != "i" || !known {
		t.Errorf("%d %q %t, %s %q %t", status, text, ok, on, got, known)
	}
	in, out := c.Request(), c.Response()
	if !in.Sealed() || !in.Signed() || in.SealsErrors() || in.Field() != "encrypted_request" || !in.RefusesOthers() ||
		in.AcceptsAny() {
		t.Errorf("request: %+v", in.Direction())
	}
	if out.Field() != "encrypted_response" || out.RefusesOthers() || !out.Accompanies("eval_id") ||
		out.Accompanies("x") ||
		!out.Accepts("application/json") || out.Accepts("text/plain") || out.ContentType() != "application/json" {
		t.Errorf("response: %+v", out.Direction())
	}
	rdx, err := testlane.Profile(t, "rdx").Compile()
	if err != nil {
		t.Fatal(err)
	}
	if _, _, ok := rdx.Trigger(); ok || rdx.TriggerOff("false") || rdx.Response().Sealed() {
		t.Error("RDX has a trigger, or its responses are sealed")
	}
}
