package gateway_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/sealane/sealane/internal/hostile"
	"github.com/sealane/sealane/keyfile"
	"github.com/sealane/sealane/profile"
)

// TestHostileCorpus: every message of the corpus goes through an ingress. Nothing reaches the application, and
// the partner learns what its profile's table says.
func TestHostileCorpus(t *testing.T) {
	corpus, err := hostile.Read("../../testdata/hostile")
	if err != nil {
		t.Fatal(err)
	}
	var canary atomic.Int64
	url := serve(t, func(w http.ResponseWriter, _ *http.Request) { canary.Add(1); io.WriteString(w, "{}") })
	signer, err := corpus.Key("signer")
	if err != nil {
		t.Fatal(err)
	}
	jwk, err := keyfile.EncodeJWK(&signer.PublicKey, keyfile.JWKParams{KeyID: hostile.TheirKeyID})
	if err != nil {
		t.Fatal(err)
	}
	type kind struct {
		profile string
		oaep    bool
		max     int
	}
	gateways := map[kind]*running{}
	profiles := map[string]*profile.Profile{}
	for _, c := range corpus.Cases {
		k := kind{c.Profile, c.AcceptRSAOAEP, c.MaxPayload}
		if profiles[c.Profile] == nil {
			if profiles[c.Profile], err = corpus.LoadProfile(c.Profile); err != nil {
				t.Fatal(err)
			}
		}
		if gateways[k] == nil {
			gateways[k] = startCorpus(t, corpus, url, string(jwk), k.profile, k.oaep, k.max)
		}
		request := corpusRequest(t, c, profiles[c.Profile])
		got := rawCut(t, gateways[k].addresses["in"], request, c.Fault == "http.body-unreadable")
		row, _ := profiles[c.Profile].Errors.Row(c.Outcome)
		text, _ := json.Marshal(row.Text)
		head, body, _ := strings.Cut(got, "\r\n\r\n")
		if c.Path == "http/http.endpoint.asterisk" { // TestOddForms has it
			continue
		}
		_, status, _ := strings.Cut(head, " ")
		if !strings.HasPrefix(status, fmt.Sprint(row.Status, " ")) || !strings.Contains(body, string(text)) {
			t.Errorf("%s: %s, want %d %s", c.Path, got, row.Status, row.Text)
		}
	}
	if n := canary.Load(); n != 0 {
		t.Errorf("%d messages of the corpus reached the application", n)
	}
	if len(corpus.Cases) < 200 {
		t.Errorf("the corpus has %d messages", len(corpus.Cases))
	}
}

// startCorpus runs an ingress that opens what the corpus' recipient can open.
func startCorpus(t *testing.T, corpus *hostile.Corpus, url, signer, name string, oaep bool, most int) *running {
	t.Helper()
	dir := t.TempDir()
	profileArg, err := corpus.ProfileArg(dir, name)
	if err != nil {
		t.Fatal(err)
	}
	recipient := read(t, corpus.KeyFile("recipient"))
	config := "routes:\n- name: in\n  ingress: " + profileArg +
		"\n  listen: 127.0.0.1:0\n  caller: unauthenticated\n  upstream: " + url +
		"\n  keys: {ours: {file: recipient.key, key_id: " + hostile.OurKeyID +
		"}, theirs: signer.jwk, accept_certificate: the corpus}\n"
	if name == "rdx" {
		config = strings.Replace(config, ", theirs: signer.jwk", "", 1)
	}
	if oaep {
		config += "  accept_rsa_oaep: the corpus says so\n"
	}
	if most > 0 {
		config += fmt.Sprintf("  max_payload: %d\n", most)
	}
	return start(t, config, withFiles("recipient.key", recipient, "signer.jwk", signer))
}

// corpusRequest returns a correct request with a message or a body of the corpus.
func corpusRequest(t *testing.T, c hostile.Case, p *profile.Profile) string {
	t.Helper()
	if c.Kind() == "http" {
		return string(c.Content)
	}
	path, trigger, body := "/message", "", c.Content
	if p.Trigger != nil {
		path, trigger = "/api/evaluation", p.Trigger.Header+": "+p.Trigger.Value+"\r\n"
	}
	if field := p.Request.Body.Field; c.Kind() != "body" && field != "" {
		var err error
		if body, err = json.Marshal(map[string]string{field: string(c.Content)}); err != nil {
			t.Fatal(err)
		}
	}
	return fmt.Sprintf(
		"POST %s HTTP/1.1\r\nHost: provider.example\r\nConnection: close\r\nContent-Type: %s\r\n%sContent-Length: "+
			"%d\r\n\r\n%s",
		path,
		p.Request.Body.ContentType,
		trigger,
		len(body),
		body,
	)
}
