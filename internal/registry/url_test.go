package registry_test

import (
	"errors"
	"testing"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/internal/lanes"
	"github.com/sealane/sealane/internal/registry"
)

// TestURL: where a partner takes requests is in the lanes, and in production two people have agreed to it.
func TestURL(t *testing.T) {
	s, ctx := openSession(t), t.Context()
	acme(t, s)
	must(t, s.AddPartner(ctx, registry.Partner{ID: "bank", Name: "Bank", Profile: "rdx", Side: sealane.ClientSide}))
	for _, name := range []string{"STAG", "PROD"} {
		must(t, s.AddEnvironment(ctx,
			registry.Environment{Partner: "bank", Name: name, Sealing: sealane.SealingRequired}))
	}
	prod, stag := lanes.Name{Partner: "bank", Environment: "PROD"}, lanes.Name{Partner: "bank", Environment: "STAG"}
	inForce := func(name lanes.Name, want string) {
		t.Helper()
		snapshot, err := s.Registry().Snapshot(ctx)
		must(t, err)
		got, err := snapshot.URL(name)
		must(t, err)
		if text := ""; got != nil && got.String() != want || got == nil && text != want {
			t.Errorf("%s: %v, want %q", name, got, want)
		}
	}
	inForce(stag, "")
	must(t, s.SetURL(ctx, stag, "https://stag.bank.example/rdx"))
	inForce(stag, "https://stag.bank.example/rdx")

	ben, _ := person(t, s, "ben", registry.Operator, registry.Approver)
	const url = "https://rdx.bank.example"
	err := s.SetURL(ctx, prod, url)
	needed, ok := errors.AsType[*registry.SecondPersonError](err)
	if !ok || needed.Request.Why != "requests go to another URL" {
		t.Fatal(err)
	}
	inForce(prod, "")
	request, err := s.MakeRequest(ctx, needed.Request)
	must(t, err)
	as, _, err := ben.ApproveRequest(ctx, request.ID)
	must(t, err)
	if err := as.SetURL(ctx, prod, "https://evil.example"); err == nil {
		t.Error("another URL than the one that was approved is set")
	}
	inForce(prod, "")
	must(t, as.SetURL(ctx, prod, url))
	inForce(prod, url)
	if record := last(t, s); record.Action != "url.set" {
		t.Errorf("%+v", record)
	}
	must(t, s.SetURL(ctx, prod, url)) // nothing changes

	must(t, s.RemoveURL(ctx, prod)) // one person stops it, and does not start it again
	inForce(prod, "")
	refused(t, "has no URL", s.RemoveURL(ctx, prod))
	if _, ok := errors.AsType[*registry.SecondPersonError](s.SetURL(ctx, prod, url)); !ok {
		t.Error("one person sets a URL again that was removed")
	}

	change := func(env *registry.Environment) error { env.URL = "https://evil.example"; return nil }
	refused(t, "set by an act of its own",
		s.ChangeEnvironment(ctx, registry.Environment{Partner: "bank", Name: "PROD"}, change))
	refused(t, "set by an act of its own", s.AddEnvironment(ctx, registry.Environment{
		Partner: "bank", Name: "DEV", Sealing: sealane.SealingRequired, URL: "https://evil.example",
	}))
	refused(t, "the partner calls us",
		s.SetURL(ctx, lanes.Name{Partner: "acme", Environment: "PROD"}, "https://acme.example"))
}

func TestURLRefused(t *testing.T) {
	s, ctx := openSession(t), t.Context()
	must(t, s.AddPartner(ctx, registry.Partner{ID: "bank", Name: "Bank", Profile: "rdx", Side: sealane.ClientSide}))
	must(t, s.AddEnvironment(ctx,
		registry.Environment{Partner: "bank", Name: "STAG", Sealing: sealane.SealingRequired}))
	for text, says := range map[string]string{
		"http://bank.example":             "use https",
		"bank.example":                    "use https",
		"":                                "use https",
		"https://user@bank.example":       "no user",
		"https://bank.example?a=b":        "no query",
		"https://bank.example?":           "no query",
		"https://bank.example#a":          "no fragment",
		"https://127.0.0.1":               "no address",
		"https://[::1]/":                  "no address",
		"https://127.1":                   "no address",
		"https://0x7f.1":                  "no address",
		"https://2130706433":              "no address",
		"https://localhost":               "no address",
		"https://":                        "no address",
		"https://bank.example/a/../b":     "plain path",
		"https://bank.example//a":         "plain path",
		"https://bank.example/%2e":        "plain path",
		"https://bank.example/a;b":        "plain path",
		"https://bank.example/\x7f":       "can't be read",
		"https://bank.example:port/":      "can't be read",
		"javascript:alert(1)":             "use https",
		"https://bank.example\r\nX-A: b/": "can't be read",
	} {
		refused(t, says, s.SetURL(ctx, lanes.Name{Partner: "bank", Environment: "STAG"}, text))
	}
}
