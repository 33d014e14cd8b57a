package gateway_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/sealane/sealane/sealanetest"
)

// TestExpectation (pitfall 12): on an egress too, a refusal comes before any 100, and so before the body. A body that
// is awaited is asked for by the gateway: no Expect goes to the partner, which could answer it in its own way.
func TestExpectation(t *testing.T) {
	var partner seen
	url := serve(t, func(w http.ResponseWriter, r *http.Request) {
		partner.add(r)
		if r.URL.Path == "/x" {
			io.WriteString(w, "{}")
			return
		}
		io.WriteString(w, sealedAnswer(t, `{"eval_id":"e-1"}`))
	})
	g := start(t, egress(url, "max_payload: 1KiB", `plain: ["POST /x"]`, "clients: {token: env:TOKEN_OF_TEST}",
		"limits: {rate: 1/m, burst: 4}"), withEnv("TOKEN_OF_TEST", "0123456789abcdef"))
	vcas := start(t, "routes:\n- {name: out, egress: rdx, environment: STAG, listen: \"127.0.0.1:0\", upstream: \""+
		url+"\", keys: {theirs: {file: issuer.cer, key_id: "+sealanetest.IssuerKeyID+"}}, max_payload: 1KiB}\n")
	const token = "Sealane-Token: 0123456789abcdef\r\n"
	head := func(path, more string, length int) string {
		return fmt.Sprintf("POST %s HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"+
			"Expect: 100-continue\r\n%sContent-Length: %d\r\n\r\n", path, more, length)
	}
	ask := func(g *running, request string) (c net.Conn, in *bufio.Reader, line string) {
		t.Helper()
		c, err := net.Dial("tcp", g.addresses["out"].String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		if _, err := io.WriteString(c, request); err != nil {
			t.Fatal(err)
		}
		in = bufio.NewReader(c)
		line, err = in.ReadString('\n')
		if err != nil {
			t.Fatal(err)
		}
		return c, in, line
	}
	refused := map[string]struct {
		g             *running
		request, want string
	}{
		"no token":          {g, head("/api/evaluation", "", 100), "HTTP/1.1 401 "},
		"a page":            {g, head("/api/evaluation", token+"Origin: http://a.example\r\n", 100), "HTTP/1.1 403 "},
		"another endpoint":  {g, head("/y", token, 100), "HTTP/1.1 403 "},
		"another host":      {vcas, strings.Replace(head("/y", "", 100), "localhost", "evil", 1), "HTTP/1.1 421 "},
		"an odd path":       {vcas, head("//y", "", 100), "HTTP/1.1 400 "},
		"another condition": {vcas, strings.Replace(head("/y", "", 100), "100-c", "c", 1), "HTTP/1.1 417 "},
		"too large, vcas":   {vcas, head("/y", "", 500000), "HTTP/1.1 413 "},
		"too large, riskos": {g, head("/api/evaluation", token, 500000), "HTTP/1.1 413 "},
	}
	for name, c := range refused {
		if _, _, line := ask(c.g, c.request); !strings.HasPrefix(line, c.want) {
			t.Errorf("%s: %q, want %q", name, line, c.want)
		}
	}
	if n := partner.count(); n != 0 {
		t.Errorf("%d requests arrived", n)
	}
	for path, c := range map[string]struct {
		g    *running
		body string
	}{"/api/evaluation": {g, evaluation}, "/x": {g, "plain"}, "/v1/risk": {vcas, `{"n":1}`}} {
		conn, in, line := ask(c.g, head(path, token, len(c.body)))
		if line != "HTTP/1.1 100 Continue\r\n" {
			t.Errorf("%s: %q", path, line)
		}
		in.ReadString('\n')
		io.WriteString(conn, c.body)
		response, err := http.ReadResponse(in, nil)
		if err != nil {
			t.Fatal(path, err)
		}
		if a := readAnswer(t, response); a.status != 200 {
			t.Errorf("%s: %d %s", path, a.status, a.body)
		}
		if r, _ := partner.last(t); len(r.Header.Values("Expect")) > 0 {
			t.Errorf("%s: the partner was asked: %v", path, r.Header)
		}
	}
	if _, _, line := ask(g, head("/api/evaluation", token, 100)); !strings.HasPrefix(line, "HTTP/1.1 429 ") {
		t.Errorf("over its rate: %q", line)
	}
}
