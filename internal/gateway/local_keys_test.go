package gateway_test

import (
	"strings"
	"testing"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/internal/registry"
	"github.com/sealane/sealane/internal/testlane"
	"github.com/sealane/sealane/sealanetest"
)

// An answer that goes through the local API follows its request: with the header Sealane-Keys it is sealed by the
// pair that has opened the request, to the certificate that has verified it. A pair that was revoked meanwhile is not
// used, and without the header the active keys are.
func TestLocalKeysOfAnAnswer(t *testing.T) {
	t.Setenv("BATCH", batchToken)
	d := newDatabase(t)
	d.partner("acme", "riskos", sealane.ServerSide, riskosSandbox, sealanetest.ProviderKey(),
		sealanetest.CustomerKey())
	d.rotated(sealanetest.IssuerKey(), nextCustomer(t))
	g := start(t, "registry: {db: "+d.path+", root_key: env:ROOT, refresh: 20ms}\nroutes:\n- name: local\n"+
		"  local: any\n  listen: 127.0.0.1:0\n  tokens: [{name: batch, token: env:BATCH}]\n", d.open(nil))
	old := testlane.New(t, sealanetest.CustomerConfig())
	request, err := old.Seal(t.Context(), []byte(`{"n":1}`))
	if err != nil {
		t.Fatal(err)
	}
	opened := as(t, g, batchToken, "/open/acme/SANDBOX", string(request))
	keys := opened.header.Get("Sealane-Keys")
	if opened.status != 200 || len(keys) != 87 {
		t.Fatalf("%d %q %s", opened.status, keys, opened.body)
	}
	opens := func(headers ...string) (old, fresh bool) {
		t.Helper()
		a := as(t, g, batchToken, "/seal/acme/SANDBOX", `{"n":2}`, headers...)
		if a.status != 200 {
			t.Fatalf("%v: %d %s", headers, a.status, a.body)
		}
		for i, ours := range []sealanetest.KeyPair{sealanetest.ProviderKey(), sealanetest.IssuerKey()} {
			c, theirs := sealanetest.CustomerConfig(), sealanetest.CustomerKey()
			if i == 1 {
				theirs = nextCustomer(t)
			}
			c.Ours, c.Theirs = theirs.Ours(), ours.Theirs()
			_, err := testlane.New(t, c).Open(t.Context(), []byte(a.body))
			old, fresh = old || i == 0 && err == nil, fresh || i == 1 && err == nil
		}
		return old, fresh
	}
	if old, fresh := opens("Sealane-Keys", keys); !old || fresh {
		t.Errorf("with the keys of the request: old %t, new %t", old, fresh)
	}
	if old, fresh := opens(); old || !fresh {
		t.Errorf("without them: old %t, new %t", old, fresh)
	}
	d.update(func(tx registry.Tx) error {
		pair, err := tx.KeyPair("k-acme")
		if err != nil {
			return err
		}
		theirs, err := tx.Certificate("c-acme")
		if err != nil {
			return err
		}
		pair.State, theirs.State = registry.Compromised, registry.Compromised
		if err := tx.PutKeyPair(&pair); err != nil {
			return err
		}
		return tx.PutCertificate(&theirs)
	})
	d.asked.read(t)
	if old, fresh := opens("Sealane-Keys", keys); old || !fresh {
		t.Errorf("after they were revoked: old %t, new %t", old, fresh)
	}
}

// The header is strict, and only for answers of ours. An answer that is not sealed has none.
func TestLocalKeysRefused(t *testing.T) {
	g := startLocal(t)
	sum := strings.Repeat("A", 43)
	for _, c := range []struct {
		path, keys string
		status     int
	}{
		{"/seal/acme/SANDBOX", sum + "." + sum, 200}, // keys that are not there: the active ones
		{"/seal/acme/SANDBOX", "-." + sum, 200},
		{"/seal/acme/SANDBOX", sum, 400},
		{"/seal/acme/SANDBOX", "", 400},
		{"/seal/acme/SANDBOX", sum + "." + sum + " ", 200}, // HTTP trims it
		{"/seal/acme/SANDBOX", sum + ", " + sum, 400},
		{"/seal/acme/SANDBOX", strings.Repeat(sum, 30), 400},
		{"/seal/risk/SANDBOX", sum + "." + sum, 400}, // a request of ours
	} {
		a := as(t, g, batchToken, c.path, `{"n":1}`, "Sealane-Keys", c.keys)
		if a.status != c.status || c.status == 400 && !strings.Contains(a.body, "Sealane-Keys") {
			t.Errorf("%s with %q: %d %s", c.path, c.keys, a.status, a.body)
		}
	}
	twice := as(t, g, batchToken, "/seal/acme/SANDBOX", "{}", "Sealane-Keys", "-.-", "Sealane-Keys", "-.-")
	if twice.status != 400 {
		t.Errorf("twice: %d", twice.status)
	}
	sealed := as(t, g, batchToken, "/seal/bank/STAG", "{}")
	opened := as(t, g, batchToken, "/open/vcas/STAG", sealed.body)
	if _, has := opened.header["Sealane-Keys"]; has || opened.status != 200 {
		t.Errorf("a request whose answer is plain: %d %v", opened.status, opened.header)
	}
	answer := as(t, g, batchToken, "/seal/acme/SANDBOX", "{}")
	opened = as(t, g, batchToken, "/open/risk/SANDBOX", answer.body)
	if _, has := opened.header["Sealane-Keys"]; has || opened.status != 200 {
		t.Errorf("an answer of the partner: %d %v", opened.status, opened.header)
	}
}
