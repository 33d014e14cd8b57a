package gateway_test

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/internal/gateway"
	"github.com/sealane/sealane/internal/registry"
	"github.com/sealane/sealane/internal/testlane"
	"github.com/sealane/sealane/sealanetest"
)

// The tokens of the local API's programs in tests.
const (
	batchToken = "a-token-of-the-batch"
	queueToken = "a-token-of-the-queue"
)

// localDatabase has partners on both sides of both profiles.
func localDatabase(t *testing.T) *database {
	t.Helper()
	d := newDatabase(t)
	customer, provider := sealanetest.CustomerKey(), sealanetest.ProviderKey()
	d.partner("acme", "riskos", sealane.ServerSide, riskosSandbox, provider, customer)
	d.partner("risk", "riskos", sealane.ClientSide, riskosSandbox, customer, provider)
	d.partner("bank", "rdx", sealane.ClientSide, registry.Environment{Name: "STAG"}, sealanetest.KeyPair{},
		sealanetest.IssuerKey())
	d.partner("vcas", "rdx", sealane.ServerSide,
		registry.Environment{Name: "STAG", SenderAuth: sealane.SenderMutualTLS}, sealanetest.IssuerKey(),
		sealanetest.KeyPair{})
	return d
}

// startLocal runs docs/gateway/local.yaml, in which the queue may only open messages of acme in SANDBOX.
func startLocal(t *testing.T, more ...string) *running {
	t.Helper()
	t.Setenv("BATCH", batchToken)
	t.Setenv("QUEUE", queueToken)
	d := localDatabase(t)
	config := documented(t, "local.yaml", append(d.ofDatabase(), "127.0.0.1:8083", "127.0.0.1:0",
		"credential:batch", "env:BATCH", "credential:queue", "env:QUEUE", "PROD", "SANDBOX")...)
	return start(t, config+strings.Join(more, ""), d.open(nil))
}

// as is a request of a program.
func as(t *testing.T, g *running, token, path, body string, headers ...string) answer {
	t.Helper()
	return post(t, g.url("local")+path, body, append([]string{"Sealane-Token", token}, headers...)...)
}

// TestLocalFile runs docs/gateway/local.yaml: what one side seals, the other opens, on both profiles.
func TestLocalFile(t *testing.T) {
	g := startLocal(t)
	const payload = "{ \"id\":\"o-1\",\t\"n\": 1.0 }"
	for _, way := range []struct{ seal, open, form, kind string }{
		{"risk", "acme", "", "verified"}, {"risk", "acme", "?form=body", "verified"},
		{"acme", "risk", "?form=token", "verified"}, {"acme", "risk", "?form=body", "verified"},
		{"bank", "vcas", "", "unverified"}, {"bank", "vcas", "?form=body", "unverified"},
	} {
		environment := map[string]string{"bank": "STAG"}[way.seal]
		if environment == "" {
			environment = "SANDBOX"
		}
		sealed := as(t, g, batchToken, "/seal/"+way.seal+"/"+environment+way.form, payload)
		if sealed.status != 200 || strings.Contains(sealed.body, `"o-1"`) ||
			sealed.header.Get("Sealane-Partner") != way.seal || sealed.header.Get("Cache-Control") != "no-store" {
			t.Fatalf("%+v: %d %v %s", way, sealed.status, sealed.header, sealed.body)
		}
		// The body of RDX is the token.
		wrapped := way.form == "?form=body" && way.kind == "verified"
		if strings.HasPrefix(sealed.body, "{") != wrapped {
			t.Errorf("%+v: %s", way, sealed.body)
		}
		a := as(t, g, batchToken, "/open/"+way.open+"/"+environment+way.form, sealed.body)
		if a.status != 200 || a.body != payload || a.header.Get("Sealane-Message") != way.kind ||
			a.header.Get("Content-Type") != "application/json" {
			t.Errorf("%+v: %d %v %s", way, a.status, a.header, a.body)
		}
		if signer := a.header.Get("Sealane-Signer"); (signer != "") != (way.kind == "verified") {
			t.Errorf("%+v: signed by %q", way, signer)
		}
		if a.header.Get("Sealane-Opened-By") == "" {
			t.Errorf("%+v: it is not said which key opened it", way)
		}
	}
	log := g.logged()
	for _, want := range []string{
		`"caller":"batch"`, `"endpoint":"/open/{partner}/{environment}"`, `"lane":"riskos/acme/SANDBOX"`,
		`"message":"unverified"`,
	} {
		if !strings.Contains(log, want) {
			t.Errorf("the log has no %s:\n%s", want, log)
		}
	}
	for _, secret := range []string{"o-1", batchToken, queueToken, "eyJ"} {
		if strings.Contains(log, secret) {
			t.Errorf("the log has %q", secret)
		}
	}
}

// A response is compared with its request, if the program says which that is.
func TestLocalResponseOfItsRequest(t *testing.T) {
	g := startLocal(t)
	const endpoint = "PATCH /api/evaluation/e-1"
	sealed := as(t, g, batchToken, "/seal/acme/SANDBOX?form=body", `{"eval_id":"e-1","id":"o-1"}`, "Sealane-Endpoint",
		endpoint)
	if sealed.status != 200 || !strings.HasPrefix(sealed.body, `{"eval_id":"e-1","encrypted_response":"`) {
		t.Fatalf("%d %s", sealed.status, sealed.body)
	}
	for _, c := range []struct {
		status          int
		bound, says     string
		endpoint, wants string
		body            string
	}{
		{200, "no", "", "", "", sealed.body},
		{200, "yes", "", endpoint, "", sealed.body},
		{200, "yes", "", endpoint, `{"id":"o-1"}`, sealed.body},
		{422, "", "bind.contradiction", endpoint, `{"id":"o-2"}`, sealed.body},
		{422, "", "bind.contradiction", "PATCH /api/evaluation/e-2", "", sealed.body},
		{422, "", "bind.contradiction", endpoint, "", strings.Replace(sealed.body, "e-1", "e-2", 1)},
		{403, "", "does not seal", "GET /api/evaluation/e-1", "", sealed.body},
		{400, "", "METHOD /path", "POST", "", sealed.body},
		{400, "", "METHOD /path", "POST http://other.example/api/evaluation", "", sealed.body},
		{400, "", "METHOD /path", "POST /api/x/../evaluation", "", sealed.body},
		{400, "", "not one JSON object", endpoint, `{"id":"o-1"} x`, sealed.body},
		{400, "", "not one JSON object", "", `{"id":"o-1"}`, sealed.body},
	} {
		var headers []string
		if c.endpoint != "" {
			headers = append(headers, "Sealane-Endpoint", c.endpoint)
		}
		if c.wants != "" {
			headers = append(headers, "Sealane-Request", c.wants)
		}
		a := as(t, g, batchToken, "/open/risk/SANDBOX?form=body", c.body, headers...)
		if a.status != c.status || a.header.Get("Sealane-Bound") != c.bound || !strings.Contains(a.body, c.says) {
			t.Errorf("%+v: %d %v %s", c, a.status, a.header, a.body)
		}
		if c.status != 200 && strings.Contains(a.body, "o-1") {
			t.Errorf("the answer has a payload: %s", a.body)
		}
	}
}

// Who has no token, or one for something else, gets nothing, and learns nothing about partners.
func TestLocalPrograms(t *testing.T) {
	g := startLocal(t)
	token, err := testlane.New(t, sealanetest.CustomerConfig()).Seal(t.Context(), []byte(`{"n":1}`))
	if err != nil {
		t.Fatal(err)
	}
	own := g.addresses["local"].String()
	for name, c := range map[string]struct {
		status        int
		says          string
		token, path   string
		host, browser string
	}{
		"batch":               {200, `{"n":1}`, batchToken, "/open/acme/SANDBOX", "", ""},
		"queue":               {200, `{"n":1}`, queueToken, "/open/acme/SANDBOX", "", ""},
		"no token":            {401, "Sealane-Token is missing or wrong", "", "/open/acme/SANDBOX", "", ""},
		"wrong token":         {401, "missing or wrong", batchToken + "x", "/open/acme/SANDBOX", "", ""},
		"another verb":        {403, "may not do this", queueToken, "/seal/acme/SANDBOX", "", ""},
		"another partner":     {403, "may not do this", queueToken, "/open/vcas/SANDBOX", "", ""},
		"nobody":              {403, "may not do this", queueToken, "/open/nobody/SANDBOX", "", ""},
		"another environment": {403, "may not do this", queueToken, "/open/acme/PROD", "", ""},
		"no partner":          {404, "no such partner", batchToken, "/open/nobody/SANDBOX", "", ""},
		"no environment":      {404, "no such partner", batchToken, "/open/acme/PROD", "", ""},
		"no verb":             {404, "the URL is not", batchToken, "/verify/acme/SANDBOX", "", ""},
		"longer":              {404, "the URL is not", batchToken, "/open/acme/SANDBOX/x", "", ""},
		"escaped":             {404, "the URL is not", batchToken, "/open/ac%6de/SANDBOX", "", ""},
		"another form":        {404, "the URL is not", batchToken, "/open/acme/SANDBOX?form=json", "", ""},
		"another host":        {421, "is not one of those", batchToken, "/open/acme/SANDBOX", "evil.example", ""},
		"a page":              {403, "from a browser", batchToken, "/open/acme/SANDBOX", "", "http://" + own},
	} {
		body := strings.NewReader(string(token))
		r, err := http.NewRequestWithContext(t.Context(), "POST", g.url("local")+c.path, body)
		if err != nil {
			t.Fatal(err)
		}
		r.Host = c.host
		if c.token != "" {
			r.Header.Set("Sealane-Token", c.token)
		}
		if c.browser != "" {
			r.Header.Set("Origin", c.browser)
		}
		response, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		a := readAnswer(t, response)
		if a.status != c.status || !strings.Contains(a.body, c.says) {
			t.Errorf("%s: %d %s", name, a.status, a.body)
		}
		if c.status != 200 {
			a.problem(t)
		}
	}
	for _, two := range []string{batchToken, queueToken} {
		text := raw(t, g.addresses["local"], "POST /open/acme/SANDBOX HTTP/1.1\r\nHost: localhost\r\nSealane-Token: "+
			two+"\r\nsealane_token: "+batchToken+"\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}")
		if !strings.HasPrefix(text, "HTTP/1.1 401 ") {
			t.Errorf("two tokens: %s", text)
		}
	}
	if a := call(t, "GET", g.url("local")+"/open/acme/SANDBOX", "", "Sealane-Token", batchToken); a.status != 405 ||
		a.header.Get("Allow") != "POST" {
		t.Errorf("GET: %d %v", a.status, a.header)
	}
}

// A message of the wrong direction, for somebody else or too large is refused, and each that can't be
// decrypted in the same way.
func TestLocalMessages(t *testing.T) {
	g := startLocal(t, "  max_payload: 4KiB\n")
	sealed := func(path, body string) string {
		a := as(t, g, batchToken, path, body)
		if a.status != 200 {
			t.Fatalf("%s: %d %s", path, a.status, a.body)
		}
		return a.body
	}
	request, answer := sealed("/seal/risk/SANDBOX", `{"n":1}`), sealed("/seal/acme/SANDBOX", `{"n":1}`)
	toIssuer := sealed("/seal/bank/STAG", `{"n":1}`)
	parts := strings.Split(request, ".")
	changed := strings.Join([]string{parts[0], parts[1], parts[2], parts[3], "AAAAAAAAAAAAAAAAAAAAAA"}, ".")
	other := strings.Join([]string{parts[0], strings.Split(answer, ".")[1], parts[2], parts[3], parts[4]}, ".")
	undecryptable := map[string]bool{}
	for name, c := range map[string]struct {
		status         int
		path, body, in string
	}{
		"our own request":            {422, "/open/risk/SANDBOX", request, "decrypt"},
		"our own answer":             {422, "/open/acme/SANDBOX", answer, "decrypt"},
		"another tag":                {422, "/open/acme/SANDBOX", changed, "decrypt"},
		"another encrypted key":      {422, "/open/acme/SANDBOX", other, "decrypt"},
		"for the issuer":             {422, "/open/acme/SANDBOX", toIssuer, "decrypt"},
		"no token":                   {422, "/open/acme/SANDBOX", "hello", "jwe."},
		"nothing":                    {422, "/open/acme/SANDBOX", "", "jwe.empty"},
		"a token where a body is":    {422, "/open/acme/SANDBOX?form=body", request, "body."},
		"a body of an answer":        {422, "/open/acme/SANDBOX?form=body", `{"encrypted_response":"x"}`, "body."},
		"too large to seal":          {413, "/seal/risk/SANDBOX", strings.Repeat("x", 4097), "body.too-large"},
		"too large to open":          {413, "/open/acme/SANDBOX", strings.Repeat("x", 100<<10), "body.too-large"},
		"a plain answer, to us":      {422, "/open/bank/STAG", "{}", "seals nothing in this direction"},
		"a plain answer, by us":      {422, "/seal/vcas/STAG", "{}", "seals nothing in this direction"},
		"there is no environment so": {404, "/seal/vcas/DEV", "{}", "no such partner"},
	} {
		a := as(t, g, batchToken, c.path, c.body)
		p := a.problem(t)
		if a.status != c.status || !strings.Contains(a.body, c.in) || a.header.Get("Sealane-Processed") != "no" {
			t.Errorf("%s: %d %s", name, a.status, a.body)
		}
		if c.in == "decrypt" {
			undecryptable[strings.Replace(a.body, p.ID, "", 1)] = true
		}
	}
	if len(undecryptable) != 1 {
		t.Errorf("several answers: %v", undecryptable)
	}
	if log := g.logged(); !strings.Contains(log, `"fault":"open.`) {
		t.Errorf("the log has no fault:\n%s", log)
	}
}

// The limits of partners hold for messages of a local API too.
func TestLocalLimits(t *testing.T) {
	g := startLocal(t, "partner_limits: {rate: 1/m, burst: 1}\n")
	for i, status := range []int{200, 429} {
		a := as(t, g, batchToken, "/seal/risk/SANDBOX", "{}")
		if a.status != status || (a.header.Get("Retry-After") != "") != (status == 429) {
			t.Errorf("request %d: %d %v %s", i, a.status, a.header, a.body)
		}
	}
	if a := as(t, g, batchToken, "/seal/acme/SANDBOX", "{}"); a.status != 200 {
		t.Errorf("another partner: %d %s", a.status, a.body)
	}
}

// A lane folder serves as well, for its own partner only.
func TestLocalLaneFolder(t *testing.T) {
	t.Setenv("BATCH", batchToken)
	config := "routes:\n- name: local\n  local: riskos\n  listen: 127.0.0.1:0\n  clients: {token: \"env:BATCH\"}\n" +
		"  keys: lane\n"
	g := start(t, config, withLane("profile: riskos\nside: server\npartner: acme\nenvironment: SANDBOX\n"+
		"ours: ../provider.key\ntheirs: ../customer.cer\n"))
	token, err := testlane.New(t, sealanetest.CustomerConfig()).Seal(t.Context(), []byte(`{"n":1}`))
	if err != nil {
		t.Fatal(err)
	}
	for path, status := range map[string]int{
		"/open/acme/SANDBOX": 200, "/open/acme/PROD": 404, "/open/other/SANDBOX": 404,
	} {
		if a := as(t, g, batchToken, path, string(token)); a.status != status {
			t.Errorf("%s: %d %s", path, a.status, a.body)
		}
	}
	for name, text := range map[string]string{
		"no token":   strings.Replace(config, "  clients: {token: \"env:BATCH\"}\n", "", 1),
		"upstream":   config + "  upstream: http://127.0.0.1:1\n",
		"beyond":     strings.Replace(config, "127.0.0.1:0", ":8083", 1),
		"two kinds":  config + "  egress: riskos\n",
		"key files":  strings.Replace(config, "keys: lane", "keys: {ours: a.key, theirs: b.cer}", 1),
		"verbs":      config + "  tokens: {name: a, token: \"env:BATCH\", verbs: sign}\n",
		"same token": config + "  tokens: {name: a, token: \"env:BATCH\"}\n",
		"same name":  config + "  tokens: [{name: a, token: \"env:A\"}, {name: a, token: \"env:B\"}]\n",
	} {
		dir := keyFolder(t)
		write(t, filepath.Join(dir, "sealane.yaml"), text)
		if _, err := gateway.New(t.Context(), filepath.Join(dir, "sealane.yaml"), gateway.Options{}); err == nil {
			t.Errorf("%s: it starts", name)
		}
	}
}

// withLane writes a folder lane with a lane.yaml.
func withLane(text string) func(*running, *gateway.Options) {
	return func(r *running, _ *gateway.Options) {
		if err := os.Mkdir(filepath.Join(r.dir, "lane"), 0o700); err != nil {
			r.t.Fatal(err)
		}
		write(r.t, filepath.Join(r.dir, "lane", "lane.yaml"), text)
	}
}
