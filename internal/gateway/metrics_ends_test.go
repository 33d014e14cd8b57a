package gateway_test

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/internal/gateway"
	"github.com/sealane/sealane/internal/registry"
	"github.com/sealane/sealane/internal/testkey"
	"github.com/sealane/sealane/sealanetest"
)

// selfSigned returns a certificate with a serial number that ends at a time.
func selfSigned(t *testing.T, key *rsa.PrivateKey, serial int64, end time.Time) *x509.Certificate {
	t.Helper()
	c := &x509.Certificate{
		SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: "a.example"},
		NotBefore: end.AddDate(-1, 0, 0), NotAfter: end,
	}
	der, err := x509.CreateCertificate(rand.Reader, c, c, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	if c, err = x509.ParseCertificate(der); err != nil {
		t.Fatal(err)
	}
	return c
}

// ends returns the lines of the metric of certificates' ends, without its name.
func (r *running) ends(t *testing.T) []string {
	t.Helper()
	a := call(t, "GET", "http://"+r.addresses["admin"].String()+"/metrics", "")
	if a.status != 200 {
		t.Fatalf("%d %s", a.status, a.body)
	}
	var lines []string
	for _, m := range regexp.MustCompile(`(?m)^sealane_certificate_end_timestamp_seconds(.*)$`).
		FindAllStringSubmatch(a.body, -1) {
		lines = append(lines, m[1])
	}
	slices.Sort(lines)
	return lines
}

func sumOf(data []byte) []byte {
	sum := sha256.Sum256(data)
	return sum[:]
}

func endLine(partner, environment, owner, route, serial, state string, end time.Time) string {
	return fmt.Sprintf("{environment=%q,owner=%q,partner=%q,route=%q,serial=%q,state=%q} %s",
		environment, owner, partner, route, serial, state, strconv.FormatFloat(float64(end.Unix()), 'g', -1, 64))
}

// TestSameSerials: certificates of one lane with the same serial number and state make one line, of the one that ends
// first. Two lines with the same labels would be an error of the whole page.
func TestSameSerials(t *testing.T) {
	const day = 24 * time.Hour
	end := time.Now().UTC().Truncate(time.Second).Add(100 * day)
	g := start(t, "admin: 127.0.0.1:0\n"+strings.Replace(ingress("http://127.0.0.1:1"),
		"theirs: [{file: customer.cer, key_id: c-1}]", "theirs: [1.cer, 2.cer, 3.cer]", 1),
		func(r *running, _ *gateway.Options) {
			for i := range 3 {
				key := testkey.RSA(t, fmt.Sprint("same serial ", i), 2048)
				c := selfSigned(t, key, 1, end.Add(-time.Duration(i)*day))
				write(t, filepath.Join(r.dir, fmt.Sprintf("%d.cer", i+1)),
					string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw})))
			}
		})
	want := []string{
		endLine("acme", "SANDBOX", "theirs", "in", "1", "active", end),
		endLine("acme", "SANDBOX", "theirs", "in", "1", "retiring", end.Add(-2*day)),
	}
	if got := g.ends(t); !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

// TestEndsOfTheRegistry: the ends of certificates of the registry are in the metrics, theirs and ours, at once after a
// change. As many partners have a name as metrics.partners says, those whose certificates end first.
func TestEndsOfTheRegistry(t *testing.T) {
	d := newDatabase(t)
	end := time.Date(2040, 1, 2, 3, 4, 5, 0, time.UTC)
	key := testkey.RSA(t, "end of a certificate", 2048)
	partner := func(name string, serial int64, end time.Time) {
		d.partner(name, "riskos", sealane.ServerSide, registry.Environment{Name: "SANDBOX"}, sealanetest.KeyPair{},
			sealanetest.KeyPair{Certificate: selfSigned(t, key, serial, end)})
	}
	for i := range 5 {
		partner(fmt.Sprint("p", i), int64(0x10+i), end.AddDate(i, 0, 0))
	}
	ours := func(id, partner string, serial int64, end time.Time) {
		const state = registry.Staged
		certificate := selfSigned(t, testkey.RSA(t, "end of "+id, 2048), serial, end)
		d.update(func(tx registry.Tx) error {
			k := registry.KeyPair{
				ID: "k-" + id, Profile: "riskos", Partner: partner, Environment: "SANDBOX", State: state,
			}
			k.SPKI, k.SPKISHA256 = certificate.RawSubjectPublicKeyInfo, sumOf(certificate.RawSubjectPublicKeyInfo)
			c := registry.NewCertificate(registry.Certificate{
				Owner: registry.Ours, Profile: "riskos", Partner: partner, Environment: "SANDBOX", KeyPair: k.ID,
				State: state,
			}, []*x509.Certificate{certificate})
			return errors.Join(tx.PutKeyPair(&k), tx.PutCertificate(&c))
		})
	}
	ours("shared", "", 0xabc, end.AddDate(-3, 0, 0))
	ours("own", "p1", 0xdef, end.AddDate(-2, 0, 0))
	var app seen
	config := d.api(serve(t, app.answer(200, "{}")), "caller: api-key")
	g := start(t, "admin: 127.0.0.1:0\nmetrics: {partners: 2}\n"+config, d.open(nil))
	want := []string{
		endLine("", "SANDBOX", "ours", "", "abc", "staged", end.AddDate(-3, 0, 0)),
		endLine("other", "SANDBOX", "theirs", "", "", "active", end.AddDate(2, 0, 0)),
		endLine("p0", "SANDBOX", "theirs", "", "10", "active", end),
		endLine("p1", "SANDBOX", "ours", "", "def", "staged", end.AddDate(-2, 0, 0)),
		endLine("p1", "SANDBOX", "theirs", "", "11", "active", end.AddDate(1, 0, 0)),
	}
	slices.Sort(want)
	if got := g.ends(t); !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	partner("soon", 0x99, end.AddDate(-1, 0, 0))
	d.asked.read(t)
	got := g.ends(t)
	if soon := endLine("soon", "SANDBOX", "theirs", "", "99", "active", end.AddDate(-1, 0, 0)); len(got) != 5 ||
		!slices.Contains(got, soon) || strings.Contains(strings.Join(got, ""), `"p0"`) {
		t.Errorf("%q, want %q", got, soon)
	}
}
