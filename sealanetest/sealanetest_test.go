package sealanetest_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/fault"
	"github.com/sealane/sealane/profile"
	"github.com/sealane/sealane/sealanetest"
	"github.com/sealane/sealane/sealhttp"
)

// fakeTest is a test inside an example or a test.
type fakeTest struct {
	testing.TB
	cleanups []func()
	fatal    string

	mu     sync.Mutex
	errors []string
}

func (f *fakeTest) Errorf(format string, args ...any) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.errors = append(f.errors, fmt.Sprintf(format, args...))
}

func (f *fakeTest) Helper()           {}
func (f *fakeTest) Cleanup(g func())  { f.cleanups = append(f.cleanups, g) }
func (f *fakeTest) Fatal(args ...any) { f.Fatalf("%s", fmt.Sprint(args...)) }
func (f *fakeTest) Fatalf(format string, args ...any) {
	f.fatal = fmt.Sprintf(format, args...)
	fmt.Println(f.fatal)
	runtime.Goexit()
}

func (f *fakeTest) end() {
	for _, cleanup := range slices.Backward(f.cleanups) {
		cleanup()
	}
}

// failure runs a test and returns why it failed, or "".
func failure(test func(testing.TB)) string {
	t, done := new(fakeTest), make(chan struct{})
	go func() {
		defer close(done)
		test(t)
	}()
	<-done
	t.end()
	return t.fatal
}

func post(t *testing.T, client *http.Client, url, body string) (*http.Response, string, error) {
	t.Helper()
	response, err := client.Post(url, "application/json", strings.NewReader(body))
	if err != nil {
		return nil, "", err
	}
	defer response.Body.Close()
	got, err := io.ReadAll(response.Body)
	return response, string(got), err
}

// TestFixed: keys and certificates are the same in every process and every release.
func TestFixed(t *testing.T) {
	for name, c := range map[string]struct {
		key         sealanetest.KeyPair
		fingerprint string
	}{
		"customer": {sealanetest.CustomerKey(), "6e31ad4fad0767d8e46c32b1e9f61ee51eddede60ae588250175f7c63bd05ff2"},
		"provider": {sealanetest.ProviderKey(), "834656c38445ab68deb50c4f691d50cc3e6eedb03240b6c93b23677dea14a08b"},
		"issuer":   {sealanetest.IssuerKey(), "b826fba5bb9f9382bedc94908f23e430210e64a9ddfd7d45b3d3b9cfdb8a22ff"},
	} {
		sum := sha256.Sum256(c.key.Certificate.Raw)
		if got := hex.EncodeToString(sum[:]); got != c.fingerprint || c.key.Private.N.BitLen() != 2048 {
			t.Errorf("%s: %d bits, fingerprint %s", name, c.key.Private.N.BitLen(), got)
		}
		signed := c.key.Certificate
		if err := signed.CheckSignature(x509.SHA256WithRSA, signed.RawTBSCertificate, signed.Signature); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if !c.key.Private.PublicKey.Equal(c.key.Certificate.PublicKey) {
			t.Errorf("%s: the certificate is another key's", name)
		}
	}
}

func TestWriteFiles(t *testing.T) {
	pair := sealanetest.CustomerKey()
	keyFile, certificateFile := pair.WriteFiles(t)
	for file, want := range map[string]string{keyFile: "PRIVATE KEY", certificateFile: "CERTIFICATE"} {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		block, rest := pem.Decode(data)
		if block == nil || block.Type != want || len(rest) > 0 {
			t.Fatalf("%s: %s", file, data)
		}
		if want == "CERTIFICATE" && !bytes.Equal(block.Bytes, pair.Certificate.Raw) {
			t.Error("another certificate")
		}
		if want == "PRIVATE KEY" {
			if key, err := x509.ParsePKCS8PrivateKey(block.Bytes); err != nil || !pair.Private.Equal(key) {
				t.Errorf("another key: %v", err)
			}
		}
	}
}

// TestProviderRecords: what came, what was opened, who signed, how it was judged, what went out.
func TestProviderRecords(t *testing.T) {
	var log bytes.Buffer
	p := sealanetest.NewProvider(t, sealanetest.ProviderOptions{Log: slog.New(slog.NewTextHandler(&log, nil))})
	client := p.Client()
	response, body, err := post(t, client, p.URL+"/api/evaluation?x=1", evaluation)
	if err != nil || response.StatusCode != 200 || !strings.Contains(body, `"decision":"ACCEPT"`) {
		t.Fatalf("%v %s", err, body)
	}
	r := p.Requests()[0]
	if r.Method != "POST" || r.URL.RequestURI() != "/api/evaluation?x=1" ||
		r.Header.Get("Authorization") != "Bearer test-api-key" ||
		r.Header.Get("X-Payload-Encrypted") != "true" || !bytes.HasPrefix(r.Body, []byte(`{"encrypted_request":"ey`)) {
		t.Errorf("came as %s %s %v %.40s", r.Method, r.URL, r.Header, r.Body)
	}
	if string(r.Payload) != evaluation || !r.Sealed || r.Signer.ID != sealanetest.CustomerKeyID || r.Outcome != "" ||
		r.Fault != "" || r.Reason != "" {
		t.Errorf("opened as %s, sealed %t, by %q, judged %q %q %q", r.Payload, r.Sealed, r.Signer.ID, r.Outcome,
			r.Fault, r.Reason)
	}
	if r.Status != 200 || !bytes.Contains(r.Response, []byte(`"encrypted_response":"ey`)) || r.Injected != "" {
		t.Errorf("answered %d %.60s", r.Status, r.Response)
	}

	plain := &http.Client{Transport: withKey{p.APIKey}}
	if _, body, err := post(t, plain, p.URL+"/api/evaluation", evaluation); err != nil ||
		!strings.Contains(body, `"ACCEPT"`) {
		t.Errorf("plain: %v %s", err, body)
	}
	if r := p.Requests()[1]; string(r.Payload) != evaluation || r.Sealed || r.Signer.ID != "" {
		t.Errorf("plain: %+v", r)
	}

	if _, _, err := post(t, http.DefaultClient, p.URL+"/api/evaluation", evaluation); err != nil ||
		p.Requests()[2].Status != 401 {
		t.Errorf("without an API key: %v, %d", err, p.Requests()[2].Status)
	}

	stranger := sealanetest.CustomerConfig()
	stranger.Ours = sealanetest.IssuerKey().Ours()
	lane, err := sealane.New(stranger)
	if err != nil {
		t.Fatal(err)
	}
	sealing := &http.Client{Transport: &sealhttp.Transport{Lane: sealhttp.OneLane(lane), Base: withKey{p.APIKey}}}
	_, _, err = post(t, sealing, p.URL+"/api/evaluation", evaluation)
	r = p.Requests()[3]
	if !errors.Is(err, sealane.ErrSignature) || r.Outcome != sealane.ErrSignature || r.Fault != fault.SignatureWrong ||
		!strings.Contains(r.Reason, "[sign.wrong]") || r.Payload != nil || r.Status != 400 {
		t.Errorf("another signer: %v; %q %q %q %d %s", err, r.Outcome, r.Fault, r.Reason, r.Status, r.Payload)
	}
	if !strings.Contains(log.String(), "fault=sign.wrong") {
		t.Errorf("the log that was given has %q", log.String())
	}
}

// withKey adds the API key to requests that are plain or sealed already.
type withKey struct{ key string }

func (t withKey) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set("Authorization", "Bearer "+t.key)
	return http.DefaultTransport.RoundTrip(r)
}

func TestProviderOptions(t *testing.T) {
	p := sealanetest.NewProvider(t, sealanetest.ProviderOptions{
		APIKey: "another", Sealing: sealane.SealingRequired, Customer: sealanetest.IssuerKey().Theirs(),
		Service: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			io.WriteString(w, `{"eval_id":"e-1"}`)
		}),
	})
	plain := &http.Client{Transport: withKey{"another"}}
	if _, body, err := post(t, plain, p.URL+"/api/evaluation", "{}"); err != nil ||
		p.Requests()[0].Outcome != sealane.ErrPlainRefused {
		t.Errorf("plain: %v %s", err, body)
	}
	if _, _, err := post(t, p.Client(), p.URL+"/api/evaluation", "{}"); !errors.Is(err, sealane.ErrSignature) {
		t.Errorf("another customer: %v", err)
	}
	config := sealanetest.CustomerConfig()
	config.Ours = sealanetest.IssuerKey().Ours()
	lane, err := sealane.New(config)
	if err != nil {
		t.Fatal(err)
	}
	client := &http.Client{Transport: &sealhttp.Transport{Lane: sealhttp.OneLane(lane), Base: withKey{"another"}}}
	if _, body, err := post(t, client, p.URL+"/api/evaluation", "{}"); err != nil || body != `{"eval_id":"e-1"}` {
		t.Errorf("the customer: %v %s", err, body)
	}
}

func TestFailUnknown(t *testing.T) {
	for name, fail := range map[string]func(testing.TB){
		"provider": func(t testing.TB) { sealanetest.NewProvider(t, sealanetest.ProviderOptions{}).Fail("nonsense") },
		"issuer": func(t testing.TB) {
			sealanetest.NewIssuer(t, sealanetest.IssuerOptions{}).Fail(sealanetest.WrongKey)
		},
		"vcas": func(t testing.TB) {
			sealanetest.NewVCAS(t, sealanetest.VCASOptions{URL: "http://issuer.example"}).Fail(sealanetest.Swapped)
		},
	} {
		if got := failure(fail); !strings.Contains(got, "no fault ") {
			t.Errorf("%s: the test failed with %q", name, got)
		}
	}
}

// TestStops: the server is gone when the test ends.
func TestStops(t *testing.T) {
	var url string
	start := func(t testing.TB) { url = sealanetest.NewProvider(t, sealanetest.ProviderOptions{}).URL }
	if failed := failure(start); failed != "" {
		t.Fatal(failed)
	}
	if _, err := http.Get(url); err == nil {
		t.Error("it still serves")
	}
}

func TestIssuerChallenge(t *testing.T) {
	i := sealanetest.NewIssuer(t, sealanetest.IssuerOptions{})
	v := sealanetest.NewVCAS(t, sealanetest.VCASOptions{URL: i.URL})
	answers, err := v.Challenge(t.Context(), func(_ context.Context, a sealanetest.Answer) (string, error) {
		if a.Call != "initiateaction" || a.CredentialType != "OTPSMS" {
			t.Errorf("asked after %+v", a)
		}
		return i.Passcode(a.TransactionID), nil
	})
	if err != nil || len(answers) != 4 || answers[3].Call != "validate" || answers[3].Status != "SUCCESS" {
		t.Fatalf("%v %+v", err, answers)
	}
	for n, r := range i.Requests() {
		var payload struct{ TransactionId string }
		if err := json.Unmarshal(r.Payload, &payload); err != nil ||
			payload.TransactionId != answers[0].TransactionID {
			t.Errorf("message %d: %s", n, r.Payload)
		}
		if !r.Sealed || !bytes.HasPrefix(r.Body, []byte("ey")) ||
			r.Header.Get("Content-Type") != "application/jose" || r.Signer.ID != "" ||
			!bytes.Equal(r.Response, answers[n].Body) {
			t.Errorf("message %d: %+v", n, r)
		}
	}
	if i.Passcode("unknown") != "" {
		t.Error("a passcode of no transaction")
	}
}

func TestIssuerFaults(t *testing.T) {
	i := sealanetest.NewIssuer(t, sealanetest.IssuerOptions{})
	p, err := profile.Load("rdx")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range sealanetest.IssuerFaults() {
		i.Fail(f)
		response, _, err := post(t, i.Client(), i.URL+"/risk", "{}")
		row, isOutcome := p.Errors.Row(profile.Outcome(f))
		switch {
		case isOutcome:
			var partner *sealhttp.PartnerError
			if !errors.As(err, &partner) || partner.Status != row.Status || partner.Text != row.Text {
				t.Errorf("%s: %v", f, err)
			}
		case f == sealanetest.Cut:
			if !errors.Is(err, io.ErrUnexpectedEOF) || !errors.Is(err, sealane.ErrMayBeProcessed) {
				t.Errorf("cut: %v", err)
			}
		case err != nil || response.StatusCode != 405: // the message lacks everything
			t.Errorf("%s: %v %v", f, response, err)
		}
	}
}

// TestAtOnce is for the race detector.
func TestAtOnce(t *testing.T) {
	p := sealanetest.NewProvider(t, sealanetest.ProviderOptions{})
	client := p.Client()
	var wg sync.WaitGroup
	for n := range 8 {
		wg.Go(func() {
			if n%2 == 0 {
				p.Fail(sealanetest.OtherSigner)
			}
			if _, _, err := post(t, client, p.URL+"/api/evaluation", evaluation); err != nil &&
				!errors.Is(err, sealane.ErrSignature) {
				t.Error(err)
			}
			p.Requests()
		})
	}
	wg.Wait()
	if n := len(p.Requests()); n != 8 {
		t.Errorf("%d requests", n)
	}
}
