package rdx_test

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/sealane/sealane/internal/sandbox"
	"github.com/sealane/sealane/internal/sandbox/rdx"
	"github.com/sealane/sealane/internal/testlane"
	"github.com/sealane/sealane/sealanetest"
	"github.com/sealane/sealane/sealhttp"
)

func TestSenderFaults(t *testing.T) {
	issuer := testlane.New(t, sealanetest.IssuerConfig())
	s := httptest.NewServer(&sealhttp.Handler{
		Lane: sealhttp.OneLane(issuer), Next: &rdx.Issuer{}, Log: slog.New(slog.DiscardHandler),
	})
	defer s.Close()
	lane := testlane.New(t, sealanetest.VCASConfig())
	for _, f := range sandbox.RequestFaults(testlane.Profile(t, "rdx")) {
		name := f
		if name == sandbox.Slow {
			name = "slow=1ms"
		}
		faulty := &sandbox.FaultyTransport{Lane: lane, Fault: name, Base: http.DefaultTransport}
		v := &rdx.VCAS{RiskURL: s.URL + "/v1/risk", Client: &http.Client{Transport: faulty}}
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
