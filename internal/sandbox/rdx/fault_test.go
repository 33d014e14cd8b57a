package rdx_test

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/internal/sandbox"
	"github.com/sealane/sealane/internal/sandbox/rdx"
	"github.com/sealane/sealane/internal/testkey"
	"github.com/sealane/sealane/profile"
	"github.com/sealane/sealane/sealhttp"
)

func profileOf(t testing.TB, name string) *profile.Profile {
	t.Helper()
	p, err := profile.Load(name)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func laneOf(t testing.TB, c sealane.Config) *sealane.Lane {
	t.Helper()
	l, err := sealane.New(c)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func TestSenderFaults(t *testing.T) {
	const alias = "1234-PKE-ACS-Client-2048SHA2-STAG"
	p, key := profileOf(t, "rdx"), testkey.RSA(t, "issuer", 2048)
	ingress := laneOf(t, sealane.Config{Profile: p, Side: sealane.ServerSide, Environment: "STAG", SenderAuth: sealane.SenderUnauthenticated, Ours: testkey.Ours(t, alias, key)})
	s := httptest.NewServer(&sealhttp.Handler{Lane: func(*http.Request) (*sealane.Lane, error) { return ingress, nil }, Next: &rdx.Issuer{}, Log: slog.New(slog.DiscardHandler)})
	defer s.Close()
	lane := laneOf(t, sealane.Config{Profile: p, Side: sealane.ClientSide, Environment: "STAG", Theirs: testkey.Theirs(t, alias, key)})
	for _, f := range sandbox.RequestFaults(p) {
		name := f
		if name == sandbox.Slow {
			name = "slow=1ms"
		}
		v := &rdx.VCAS{RiskURL: s.URL + "/v1/risk", Client: &http.Client{Transport: &sandbox.FaultyTransport{Lane: lane, Fault: name, Base: http.DefaultTransport}}}
		answer, err := v.Risk(t.Context(), v.NewTransaction())
		switch f {
		case sandbox.Slow:
			if err != nil || answer.Status != rdx.StatusStepup {
				t.Errorf("slow: %+v %v", answer, err)
			}
		case sandbox.Cut:
			if err == nil || answer.HTTPStatus != 0 {
				t.Errorf("cut: %+v %v", answer, err)
			}
		default:
			if answer.HTTPStatus != 405 {
				t.Errorf("%s: %+v %v", f, answer, err)
			}
		}
	}
}
