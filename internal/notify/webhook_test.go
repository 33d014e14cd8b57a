package notify_test

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sealane/sealane/internal/notify"
	"github.com/sealane/sealane/internal/secretplace"
	"github.com/sealane/sealane/internal/testkey"
)

// hook returns the webhook of a server, which signs with a secret.
func hook(t *testing.T, url, secret string) *notify.Hook {
	t.Helper()
	file := filepath.Join(t.TempDir(), "secret")
	write(t, file, secret)
	h, err := notify.NewHook(&notify.Config{Webhook: &notify.WebhookConfig{
		URL: url, Secret: secretplace.Place("file:" + file),
	}})
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// TestPost: a call is signed in the manner of Standard Webhooks, with the example of its specification.
func TestPost(t *testing.T) {
	t.Parallel()
	const secret, id = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "msg_p5jXN8AQM9LWM0D4loKWxJek"
	const body = `{"test": 2432232314}`
	var status int
	var got http.Header
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		text, err := io.ReadAll(r.Body)
		if got = r.Header; err != nil || string(text) != body || r.Method != http.MethodPost {
			t.Errorf("%v %s %s", err, r.Method, text)
		}
		w.Header().Set("Location", "/elsewhere")
		w.WriteHeader(status)
	}))
	defer s.Close()
	for status = range map[int]bool{200: true, 204: true, 302: true, 410: true, 429: true, 500: true} {
		err := hook(t, s.URL+"/t0ken", secret).Post(t.Context(), id, time.Unix(1614265330, 0), []byte(body))
		if (err == nil) != (status < 300) || err != nil && strings.Contains(err.Error(), "t0ken") {
			t.Errorf("%d: %v", status, err)
		}
	}
	if got.Get("Webhook-Id") != id || got.Get("Webhook-Timestamp") != "1614265330" ||
		got.Get("Webhook-Signature") != "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=" {
		t.Errorf("%v", got)
	}
	status = 200
	if err := hook(t, s.URL, "0123456789abcdef").Post(t.Context(), id, time.Unix(0, 0), []byte(body)); err != nil {
		t.Error(err)
	}
	mac := hmac.New(sha256.New, []byte("0123456789abcdef"))
	io.WriteString(mac, id+".0."+body)
	if got.Get("Webhook-Signature") != "v1,"+base64.StdEncoding.EncodeToString(mac.Sum(nil)) {
		t.Error(got)
	}
}

// TestPostRefuses: what can't be signed, and secrets that are none.
func TestPostRefuses(t *testing.T) {
	t.Parallel()
	h := hook(t, "http://127.0.0.1:1/t0ken", "0123456789abcdef")
	for _, id := range []string{"", "a b", "a\r\nb", "é"} {
		if err := h.Post(t.Context(), id, time.Now(), nil); err == nil || !strings.Contains(err.Error(), "identity") {
			t.Errorf("%q: %v", id, err)
		}
	}
	if err := h.Post(t.Context(), "a", time.Now(), make([]byte, 2<<20)); err == nil {
		t.Error("a large body")
	}
	if err := h.Post(t.Context(), "a", time.Now(), nil); err == nil || strings.Contains(err.Error(), "t0ken") {
		t.Errorf("nobody listens: %v", err)
	}
	for _, secret := range []string{"short", "whsec_###", "whsec_YWJj"} {
		file := filepath.Join(t.TempDir(), "secret")
		write(t, file, secret)
		_, err := notify.NewHook(&notify.Config{Webhook: &notify.WebhookConfig{
			URL: "https://hooks.example", Secret: secretplace.Place("file:" + file),
		}})
		if err == nil || strings.Contains(err.Error(), secret) {
			t.Errorf("%s: %v", secret, err)
		}
	}
	if h, err := notify.NewHook(&notify.Config{}); h != nil || err != nil {
		t.Error("without a webhook")
	}
}

// TestPing: a URL outside is called, and its path is in no error.
func TestPing(t *testing.T) {
	t.Parallel()
	calls := 0
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if calls++; r.URL.Path == "/bad-t0ken" {
			w.WriteHeader(404)
		}
		if r.URL.Path == "/slow-t0ken" {
			<-r.Context().Done()
		}
	}))
	defer s.Close()
	if err := notify.Ping(t.Context(), s.URL+"/token"); err != nil || calls != 1 {
		t.Error(err, calls)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := notify.Ping(ctx, s.URL+"/slow-t0ken"); !errors.Is(err, context.DeadlineExceeded) ||
		strings.Contains(err.Error(), "t0ken") {
		t.Error(err)
	}
	for _, url := range []string{s.URL + "/bad-t0ken", "http://127.0.0.1:1/t0ken", "%zz-t0ken", "t0ken:x"} {
		if err := notify.Ping(t.Context(), url); err == nil || strings.Contains(err.Error(), "t0ken") {
			t.Errorf("%s: %v", url, err)
		}
	}
}

// TestHookCertificate: the certificate that the webhook's server presents is known after a call, also one that is not
// accepted because it has ended.
func TestHookCertificate(t *testing.T) {
	t.Parallel()
	key := testkey.RSA(t, "a webhook's server", 2048)
	for name, end := range map[string]time.Time{
		"valid": time.Now().Add(time.Hour).UTC().Truncate(time.Second),
		"ended": time.Now().Add(-time.Hour).UTC().Truncate(time.Second),
	} {
		template := &x509.Certificate{
			SerialNumber: big.NewInt(1), NotBefore: end.AddDate(-1, 0, 0), NotAfter: end, IsCA: true,
			BasicConstraintsValid: true, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		}
		der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
		if err != nil {
			t.Fatal(err)
		}
		s := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
		s.Config.ErrorLog = log.New(io.Discard, "", 0)
		s.TLS = &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}
		s.StartTLS()
		defer s.Close()
		dir := t.TempDir()
		write(t, filepath.Join(dir, "secret"), "0123456789abcdef")
		write(t, filepath.Join(dir, "ca.pem"),
			string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})))
		c := notify.WebhookConfig{URL: s.URL, Secret: "file:secret", CA: "ca.pem"}
		h, err := c.Hook(t.Context(), dir)
		if err != nil {
			t.Fatal(err)
		}
		if h.Certificate() != nil {
			t.Errorf("%s: it is known before a call", name)
		}
		if err := h.Post(t.Context(), "a", time.Now(), nil); (err == nil) != (name == "valid") {
			t.Errorf("%s: %v", name, err)
		}
		if shown := h.Certificate(); shown == nil || !shown.NotAfter.Equal(end) {
			t.Errorf("%s: %v", name, shown)
		}
		c.CA = "secret"
		if _, err := c.Hook(t.Context(), dir); err == nil || !strings.Contains(err.Error(), "no certificate in PEM") {
			t.Errorf("a file without issuers: %v", err)
		}
	}
}
