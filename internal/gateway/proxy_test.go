package gateway_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/internal/registry"
	"github.com/sealane/sealane/sealanetest"
)

// TestAddressesPastTheProxy: with "proxy: environment", the address of a URL of the registry is checked where the
// environment says that the connection goes past the proxy. A proxy looks up names by itself.
func TestAddressesPastTheProxy(t *testing.T) {
	resolve(t, "127.0.0.1")
	var proxy seen
	t.Setenv("HTTPS_PROXY", serve(t, proxy.answer(http.StatusForbidden, "")))
	d := newDatabase(t)
	for _, name := range []string{"bank", "other"} {
		d.partner(name, "rdx", sealane.ClientSide, registry.Environment{
			Name: "STAG", URL: "https://rdx." + name + ".example/rdx",
		}, sealanetest.KeyPair{}, sealanetest.IssuerKey())
	}
	t.Setenv("NO_PROXY", "rdx.bank.example")
	config := strings.Replace(documented(t, "vcas.yaml", append(d.ofDatabase(), "127.0.0.1:8082", "127.0.0.1:0")...),
		"partner: path", "partner: path, upstream: {proxy: environment}", 1)
	g := start(t, config, d.open(nil))
	for _, c := range []struct {
		partner, says string
		proxied       int
	}{{"bank", "error=destination_ip_prohibited", 0}, {"other", "error=destination_unavailable", 1}} {
		a := post(t, g.url("issuers")+"/"+c.partner+"/STAG/v1/risk", `{"n":1}`)
		if a.status != 503 || !strings.Contains(a.header.Get("Proxy-Status"), c.says) || proxy.count() != c.proxied {
			t.Errorf("%s: %d %v %s; the proxy saw %d", c.partner, a.status, a.header, a.body, proxy.count())
		}
	}
	if err := g.Dial(t.Context()); err == nil || !strings.Contains(err.Error(), "rdx.bank.example can't be reached") ||
		strings.Contains(err.Error(), "rdx.other.example") {
		t.Error(err)
	}
}
