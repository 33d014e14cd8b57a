package gateway_test

import (
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sealane/sealane/internal/gateway"
	"github.com/sealane/sealane/keyfile"
	"github.com/sealane/sealane/sealanetest"
)

// planted are secrets that a gateway reads, or that pass through it.
type planted struct {
	passphrase, authorization, token, payload string
	files                                     map[string]string // name and text of each
	registry                                  map[string]string // files of a registry
	forms                                     []string          // every form in which a private key could be shown
}

// plant returns secrets, and the files that have them.
func plant(t *testing.T) *planted {
	t.Helper()
	p := &planted{
		passphrase: "corr3ct-hors3-batt3ry-stapl3", authorization: "sk_liv3_4uth0rizati0n_s3cr3t",
		token: "t0ken-0f-the-l1stener-99", payload: "Fam1ly-Nam3-0f-A-P3rs0n",
	}
	key := sealanetest.CustomerKey().Private
	plain, err := keyfile.EncodePrivate(key, nil)
	if err != nil {
		t.Fatal(err)
	}
	encrypted, err := keyfile.EncodePrivate(key, []byte(p.passphrase))
	if err != nil {
		t.Fatal(err)
	}
	p.files = map[string]string{
		"plain.key": string(plain), "encrypted.key": string(encrypted), "passphrase.txt": p.passphrase + "\n",
		"authorization.txt": "Bearer " + p.authorization + "\n", "token.txt": p.token + "\n",
		"payload.json": `{"id":"` + p.payload + `","data":{"individual":{"family_name":"` + p.payload + `"}}}`,
	}
	block, _ := pem.Decode(plain)
	p.forms = []string{string(block.Bytes), fmt.Sprintf("%x", block.Bytes), key.D.String(), key.Primes[0].String(),
		fmt.Sprintf("%x", key.D), fmt.Sprintf("%x", key.Primes[0]), fmt.Sprintf("%x", key.Primes[1])}
	for _, text := range []string{string(plain), string(encrypted)} {
		lines := strings.Split(text, "\n")
		p.forms = append(p.forms, strings.Join(lines[1:len(lines)-2], "\n"), strings.Join(lines[1:len(lines)-2], ""))
	}
	return p
}

// in returns a part of a secret that a text shows, or "". A part is what nobody could take for chance.
func (p *planted) in(text string) string {
	for _, secret := range append([]string{p.passphrase, p.authorization, p.token, p.payload}, p.forms...) {
		part := min(12, len(secret))
		for i := 0; i+part <= len(secret); i += 4 {
			if strings.Contains(text, secret[i:i+part]) {
				return secret[i : i+part]
			}
		}
	}
	return ""
}

// TestPlantedSecrets (pitfall 25): a gateway whose private key, passphrase, authorization and tokens are in files
// shows none of them, and no word of a payload: not in logs, metrics, status and its own answers, whatever fails.
func TestPlantedSecrets(t *testing.T) {
	p := plant(t)
	var shown strings.Builder
	answers := func(kind string) string {
		return rawServer(t, func(r *http.Request, body string) string {
			whole := `{"id":"` + p.payload + `"}`
			switch kind {
			case "sealed":
				whole = sealedAnswer(t, whole)
			case "none":
				return p.payload + "\r\n\r\n"
			case "cut":
				return "HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n" + whole
			case "error":
				return fmt.Sprintf("HTTP/1.1 400 X\r\nX: %s\r\nContent-Length: %d\r\n\r\n%s", whole, len(whole), whole)
			}
			return fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(whole), whole)
		})
	}
	for _, kind := range []string{"sealed", "plain", "none", "cut", "error"} {
		up := answers(kind)
		out := start(t, "admin: 127.0.0.1:0\nlog: {level: debug}\nroutes:\n- name: out\n  egress: riskos\n"+
			"  environment: SANDBOX\n  listen: 127.0.0.1:0\n  upstream: "+up+"\n  plain: [\"POST /x\"]\n"+
			"  keys: {ours: encrypted.key, theirs: provider.cer, passphrase: \"file:passphrase.txt\"}\n"+
			"  authorization: file:authorization.txt\n  clients: {token: \"file:token.txt\"}\n", p.write)
		in := start(t, "admin: 127.0.0.1:0\nlog: {level: debug}\n"+ingress(up, "sealing: optional"))
		token := []string{"Sealane-Token", p.token}
		for _, body := range []string{p.files["payload.json"], p.payload, sealedEvaluation(t), ""} {
			for _, path := range []string{"/api/evaluation", "/x", "/" + p.payload, "/api/evaluation/" + p.payload} {
				own := kind == "sealed" || kind == "none" // the body is the gateway's, and not the other end's
				for _, a := range []answer{
					tried(t, out.url("out")+path, body, token...),
					tried(t, out.url("out")+path, body, "Sealane-Token", p.token+"x"),
					tried(t, out.url("out")+path, body, append([]string{"Content-Encoding", "gzip"}, token...)...),
					tried(t, in.url("in")+path, body, append([]string{"X-Payload", p.payload}, sealedHeaders...)...),
				} {
					if a.status >= 400 && (own || a.header.Get("Proxy-Status") != "") {
						shown.WriteString(strings.ReplaceAll(a.body, path, ""))
					}
				}
			}
		}
		for _, g := range []*running{in, out} {
			for _, page := range []string{"/metrics", "/status", "/readyz", "/healthz"} {
				shown.WriteString(call(t, "GET", "http://"+g.addresses["admin"].String()+page, "").body)
			}
			shown.WriteString(g.logged())
		}
	}
	if part := p.in(shown.String()); part != "" {
		i := strings.Index(shown.String(), part)
		t.Errorf("%q is shown: …%s…", part, shown.String()[max(0, i-300):min(i+100, shown.Len())])
	}
	if !strings.Contains(shown.String(), "sealane_requests_total") || !strings.Contains(shown.String(), `"fault":"`) {
		t.Error("there is no log, or there are no metrics")
	}
}

// write puts the files of the secrets next to the configuration.
func (p *planted) write(r *running, _ *gateway.Options) {
	for name, text := range p.files {
		write(r.t, filepath.Join(r.dir, name), text)
	}
}

// tried posts, and returns what came of the answer.
func tried(t *testing.T, url, body string, headers ...string) answer {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), "POST", url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	response, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		return answer{}
	}
	defer response.Body.Close()
	got, err := io.ReadAll(response.Body)
	if err != nil {
		got = append(got, " (cut)"...)
	}
	return answer{response.StatusCode, response.Header, string(got)}
}
