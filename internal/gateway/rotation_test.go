package gateway_test

import (
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"encoding/pem"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/internal/gateway"
	"github.com/sealane/sealane/internal/registry"
	"github.com/sealane/sealane/internal/testcert"
	"github.com/sealane/sealane/internal/testkey"
	"github.com/sealane/sealane/internal/testlane"
	"github.com/sealane/sealane/sealanetest"
)

// metrics returns the lines of /metrics that begin with a text.
func (r *running) metrics(t *testing.T, beginning string) string {
	t.Helper()
	var lines []string
	for line := range strings.Lines(call(t, "GET", "http://"+r.addresses["admin"].String()+"/metrics", "").body) {
		if strings.HasPrefix(line, beginning) {
			lines = append(lines, strings.TrimSpace(line))
		}
	}
	return strings.Join(lines, "\n")
}

// writeCertificate writes a certificate of a key to a file of the gateway's folder.
func writeCertificate(t *testing.T, r *running, file, name string, end time.Time) {
	t.Helper()
	c := selfSigned(t, testkey.RSA(t, name, 2048), 7, end)
	write(t, filepath.Join(r.dir, file), string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw})))
}

// TestResend: a partner that has not put its next certificate to use yet gets messages all the same. The log
// warns, and a metric counts. What worked is used first after that. With a reason nothing is sent again.
func TestResend(t *testing.T) {
	p := sealanetest.NewProvider(t, sealanetest.ProviderOptions{})
	swap := func(r *running, _ *gateway.Options) {
		writeCertificate(t, r, "next.cer", "next certificate of the provider", time.Now().AddDate(1, 0, 0))
	}
	const keys = "theirs: provider.cer"
	config := "admin: 127.0.0.1:0\n" + strings.Replace(egress(p.URL), keys, "theirs: [next.cer, provider.cer]", 1)
	g := start(t, config, swap)
	evaluate := func(g *running) answer {
		return post(t, g.url("out")+"/api/evaluation", evaluation, "Authorization", "Bearer "+p.APIKey)
	}
	for range 3 {
		if a := evaluate(g); a.status != 200 {
			t.Fatalf("%d %s\n%s", a.status, a.body, g.logged())
		}
	}
	g.log.wait(t, `"msg":"request"`, 3) // then all were counted
	want := `sealane_resends_total{partner="provider",refusal="decryption",route="out"} 1`
	if got := g.metrics(t, "sealane_resends_total"); got != want {
		t.Errorf("%s, want %s", got, want)
	}
	log := g.logged()
	if strings.Count(log, `"level":"WARN","msg":"request"`) != 1 ||
		strings.Count(log, `"resent_after":"decryption"`) != 1 {
		t.Errorf("log: %s", log)
	}
	none := start(t, strings.TrimSuffix(config, "\n")+"\n  no_resend: the partner counts refusals\n", swap)
	if a := evaluate(none); a.status != 502 || !strings.Contains(a.body, "decryption") {
		t.Errorf("%d %s", a.status, a.body)
	}
}

// TestCertificateEnded: two weeks after a partner's certificate has ended, its requests are refused before they are
// passed on, because the answer could not be sealed. Until then, and with expired: warn, they are served, with a
// warning and a metric.
func TestCertificateEnded(t *testing.T) {
	const day = 24 * time.Hour
	end := time.Now().UTC().Add(time.Hour).Truncate(time.Second)
	for _, test := range []struct {
		words  string
		after  time.Duration
		status int
	}{
		{"", -time.Minute, 200},
		{"", 13 * day, 200},
		{"", 15 * day, 503},
		{"expired: refuse", time.Minute, 503},
		{"expired: warn", 100 * day, 200},
	} {
		var app seen
		var more []string
		if test.words != "" {
			more = append(more, test.words)
		}
		customer := testkey.RSA(t, "customer with a certificate that ends", 2048)
		g := start(t, "admin: 127.0.0.1:0\n"+strings.Replace(
			ingress(serve(t, app.answer(200, `{"eval_id":"e-1"}`)), more...), "customer.cer", "ends.cer", 1),
			func(r *running, o *gateway.Options) {
				writeCertificate(t, r, "ends.cer", "customer with a certificate that ends", end)
				o.Now = func() time.Time { return end.Add(test.after) }
			})
		c := sealanetest.CustomerConfig()
		c.Ours = testkey.Ours(t, "c-1", customer)
		token, err := testlane.New(t, c).Seal(t.Context(), []byte(evaluation))
		if err != nil {
			t.Fatal(err)
		}
		a := post(t, g.url("in")+"/api/evaluation", fmt.Sprintf(`{"encrypted_request":%q}`, token), sealedHeaders...)
		served := 0
		if test.status == 200 {
			served = 1
		}
		if a.status != test.status || app.count() != served {
			t.Errorf("%q, %v after the end: %d %s, served %d", test.words, test.after, a.status, a.body, app.count())
		}
		g.log.wait(t, `"msg":"request"`, 1)
		counted := g.metrics(t, "sealane_ended_certificate_uses_total")
		log := g.logged()
		ended := test.after > 0
		if strings.Contains(log, `"certificate_ended":"theirs"`) != ended ||
			strings.Contains(counted, `owner="theirs"`) != ended {
			t.Errorf("%q, %v after the end: %s\n%s", test.words, test.after, counted, log)
		}
		if test.status == 503 && !strings.Contains(log, "local.certificate-ended") {
			t.Error(log)
		}
	}
}

// TestAnswerWithoutRevoked: a key pair that was revoked while the application worked does not seal the answer.
// The active one does.
func TestAnswerWithoutRevoked(t *testing.T) {
	d := newDatabase(t)
	d.partner(
		"acme", "riskos", sealane.ServerSide, riskosSandbox, sealanetest.ProviderKey(), sealanetest.CustomerKey(),
	)
	d.rotated(sealanetest.IssuerKey(), nextCustomer(t))
	url := serve(t, func(w http.ResponseWriter, r *http.Request) {
		d.update(func(tx registry.Tx) error {
			pair, err := tx.KeyPair("k-acme")
			if err != nil {
				return err
			}
			pair.State = registry.Compromised
			return tx.PutKeyPair(&pair)
		})
		d.asked.read(t)
		io.WriteString(w, `{"eval_id":"e-1"}`)
	})
	g := start(t, d.api(url, "caller: api-key"), d.open(nil))
	a := post(t, g.url("in")+"/api/evaluation", sealedEvaluation(t),
		append([]string{"Authorization", "Bearer api-key-of-acme"}, sealedHeaders...)...)
	config := sealanetest.CustomerConfig()
	config.Theirs = sealanetest.IssuerKey().Theirs() // our new pair
	_, token, _ := strings.Cut(a.body, `"encrypted_response":"`)
	if _, err := testlane.New(t, config).Open(t.Context(), []byte(strings.TrimSuffix(token, `"}`))); err != nil {
		t.Errorf("%d %s: %v\n%s", a.status, a.body, err, g.logged())
	}
}

// nextCustomer is a second certificate of the customer's.
func nextCustomer(t *testing.T) sealanetest.KeyPair {
	t.Helper()
	next := testkey.RSA(t, "acme's next", 2048)
	certificate := testcert.Issue(t, nil, nil, &next.PublicKey, next)
	return sealanetest.KeyPair{ID: "next", Private: next, Certificate: certificate}
}

// TestRevokedWhileABodyTrickles: an API key, a certificate and a key pair that are revoked while a body arrives do not
// count when it has arrived.
func TestRevokedWhileABodyTrickles(t *testing.T) {
	for name, revoke := range map[string]func(tx registry.Tx) error{
		"API key": func(tx registry.Tx) error {
			key, err := tx.APIKey("a-acme")
			if err != nil {
				return err
			}
			key.Revoked, key.HMAC = time.Now().UTC(), nil
			return tx.PutAPIKey(&key)
		},
		"certificate": func(tx registry.Tx) error {
			c, err := tx.Certificate("c-acme")
			if err != nil {
				return err
			}
			c.State = registry.Compromised
			return tx.PutCertificate(&c)
		},
		"key pair": func(tx registry.Tx) error {
			k, err := tx.KeyPair("k-acme")
			if err != nil {
				return err
			}
			k.State = registry.Compromised
			return tx.PutKeyPair(&k)
		},
	} {
		d := newDatabase(t)
		d.partner(
			"acme", "riskos", sealane.ServerSide, riskosSandbox, sealanetest.ProviderKey(), sealanetest.CustomerKey(),
		)
		var app seen
		g := start(t, d.api(serve(t, app.answer(200, `{"eval_id":"e-1"}`)), "caller: api-key"), d.open(nil))
		sealed := sealedEvaluation(t)
		body, rest := io.Pipe()
		go func() {
			io.WriteString(rest, sealed[:len(sealed)/2])
			d.update(revoke)
			d.asked.read(t)
			io.WriteString(rest, sealed[len(sealed)/2:])
			rest.Close()
		}()
		q, err := http.NewRequest("POST", g.url("in")+"/api/evaluation", body)
		if err != nil {
			t.Fatal(err)
		}
		q.Header.Set("Authorization", "Bearer api-key-of-acme")
		for i := 0; i < len(sealedHeaders); i += 2 {
			q.Header.Set(sealedHeaders[i], sealedHeaders[i+1])
		}
		response, err := http.DefaultClient.Do(q)
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		if response.StatusCode < 400 || app.count() != 0 {
			t.Errorf("%s: status %d, served %d\n%s", name, response.StatusCode, app.count(), g.logged())
		}
	}
}
