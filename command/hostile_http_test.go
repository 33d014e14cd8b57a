package command

import (
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/internal/hostile"
	"github.com/sealane/sealane/internal/testkey"
	"github.com/sealane/sealane/sealhttp"
)

const (
	sealedHead = "Host: provider.example\r\nConnection: close\r\n" +
		"Content-Type: application/json\r\nX-Payload-Encrypted: true\r\n"
	postLine = "POST /api/evaluation HTTP/1.1\r\n"
	start    = postLine + sealedHead
	allBody  = "Content-Length: $l\r\n\r\n$b"
)

// changed returns the head with a part replaced.
func changed(old, new string) string { return strings.Replace(sealedHead, old, new, 1) }

// oddRequests are odd, and right: they open. $l is the body's length, $b the
// body, $c the body in chunks.
var oddRequests = map[string]string{
	"query": "POST /api/evaluation?x=1&y HTTP/1.1\r\n" + sealedHead + allBody,
	"absolute form": "POST http://provider.example/api/evaluation HTTP/1.1\r\n" + sealedHead +
		allBody,
	"absolute form of another host": "POST https://elsewhere.invalid/api/evaluation HTTP/1.1\r\n" + sealedHead +
		allBody,
	"HTTP/1.0":                       "POST /api/evaluation HTTP/1.0\r\n" + sealedHead + allBody,
	"path parameter in the variable": "POST /api/evaluation/3.0;x=1 HTTP/1.1\r\n" + sealedHead + allBody,
	"method override":                start + "X-HTTP-Method-Override: GET\r\n" + allBody,
	"original URL":                   start + "X-Original-URL: /api/docv/upload\r\n" + allBody,
	"the same length twice":          start + "Content-Length: $l\r\n" + allBody,
	"chunks":                         start + "Transfer-Encoding: chunked\r\n\r\n$c",
	"chunks, in capitals":            start + "TRANSFER-ENCODING: Chunked\r\n\r\n$c",
	"chunks and a length":            start + "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n$c",
	"a length of nothing and chunks": start + "Transfer-Encoding: chunked\r\nContent-Length: 0\r\n\r\n$c",
	"lines that end in a line feed":  strings.ReplaceAll(postLine+sealedHead+allBody, "\r\n", "\n"),
	"trigger in capitals": postLine +
		changed("X-Payload-Encrypted: true", "X-PAYLOAD-ENCRYPTED:\tTRUE ") + allBody,
	"trigger on a line of its own": postLine + changed(": true", ":\r\n true") + allBody,
	"trigger false in a trailer": start + "Transfer-Encoding: chunked\r\n" +
		"Trailer: X-Payload-Encrypted\r\n\r\n$tX-Payload-Encrypted: false\r\n\r\n",
	"something behind the body":     start + allBody + "POST /api/docv/upload HTTP/1.1\r\n\r\n",
	"announced, and not waited for": start + "Expect: 100-continue\r\n" + allBody,
	"charset of the body in capitals": postLine +
		changed("application/json", "Application/JSON; Charset=\"UTF-8\"") + allBody,
}

// neverSeen are requests that net/http answers before any handler runs, and what
// it answers.
var neverSeen = map[string]struct {
	status  int
	request string
}{
	"two lengths":                  {400, start + "Content-Length: $l\r\nContent-Length: 3\r\n\r\n$b"},
	"the same length twice in one": {400, start + "Content-Length: $l, $l\r\n\r\n$b"},
	"length with a sign":           {400, start + "Content-Length: +$l\r\n\r\n$b"},
	"length below zero":            {400, start + "Content-Length: -1\r\n\r\n$b"},
	"blank before the colon":       {400, start + "Content-Length : $l\r\n\r\n$b"},
	"trigger, blank before colon":  {400, postLine + changed(": true", " : true") + allBody},
	"NUL in a header":              {400, start + "X-Note: a\x00b\r\n" + allBody},
	"no host":                      {400, postLine + changed("Host", "X-Host") + allBody},
	"two hosts":                    {400, start + "Host: elsewhere.invalid\r\n" + allBody},
	"no slash in front":            {400, "POST api/evaluation HTTP/1.1\r\n" + sealedHead + allBody},
	"blank in the path":            {400, "POST /api/ evaluation HTTP/1.1\r\n" + sealedHead + allBody},
	"half an escape in the path":   {400, "POST /api/evaluation%2 HTTP/1.1\r\n" + sealedHead + allBody},
	"chunked twice": {501, start +
		"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n$c"},
	"chunked and identity": {501, start +
		"Transfer-Encoding: chunked, identity\r\nContent-Length: $l\r\n\r\n$c"},
	"identity":                      {501, start + "Transfer-Encoding: identity\r\n" + allBody},
	"chunked with a vertical tab":   {400, start + "Transfer-Encoding: \x0bchunked\r\n" + allBody},
	"something else is expected":    {417, start + "Expect: 200-ok\r\n" + allBody},
	"HTTP/2 in the clothes of 1.1":  {505, "POST /api/evaluation HTTP/2.0\r\n" + sealedHead + allBody},
	"a version that nobody knows":   {400, "POST /api/evaluation HTTP/1.1.1\r\n" + sealedHead + allBody},
	"method with a character amiss": {400, "PO(ST /api/evaluation HTTP/1.1\r\n" + sealedHead + allBody},
	"a line without a name":         {400, start + ": x\r\n" + allBody},
}

// TestOddRequests pins what is not ours to decide, or odd and yet right: should
// net/http read it otherwise some day, it shows here. docs/hostile.md lists both.
func TestOddRequests(t *testing.T) {
	corpus, err := hostile.Read("../testdata/hostile")
	if err != nil {
		t.Fatal(err)
	}
	g := newCorpusTest(t, corpus)
	lane := g.lane(t, hostile.Case{Profile: "riskos"})
	config := sealane.Config{Profile: lane.Profile(), Side: sealane.ClientSide}
	config.Ours = testkey.Ours(t, hostile.TheirKeyID, g.signer)
	config.Theirs = testkey.Theirs(t, hostile.OurKeyID, g.recipient)
	client, err := sealane.New(config)
	if err != nil {
		t.Fatal(err)
	}
	const payload = `{"id":"odd-1"}`
	token, err := client.Seal(t.Context(), []byte(payload))
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan string, 2)
	server := httptest.NewServer(&sealhttp.Handler{
		Lane: sealhttp.OneLane(lane),
		Next: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			body, err := io.ReadAll(r.Body)
			served <- fmt.Sprint(r.Method, " ", string(body), " ", err)
			fmt.Fprint(w, `{"id":"odd-1","eval_id":"e"}`)
		}),
		Log: slog.New(slog.DiscardHandler),
	})
	defer server.Close()
	ask := func(request string) string {
		body := `{"encrypted_request":"` + string(token) + `"}`
		chunks := fmt.Sprintf("10\r\n%s\r\n%x;why=not\r\n%s\r\n0\r\n", body[:16], len(body)-16, body[16:])
		fill := strings.NewReplacer("$l", fmt.Sprint(len(body)), "$b", body, "$c", chunks+"\r\n", "$t", chunks)
		return overTCP(t, server.Listener.Addr().String(), []byte(fill.Replace(request)), false)
	}
	for name, request := range oddRequests {
		answer := strings.TrimPrefix(ask(request), "HTTP/1.1 100 Continue\r\n\r\n")
		_, status, _ := strings.Cut(answer, " ")
		if !strings.HasPrefix(status, "200 ") || !strings.Contains(answer, `"encrypted_response":"`) ||
			strings.Contains(answer, "odd-1\",") {
			t.Errorf("%s: %s", name, answer)
			continue
		}
		if got := <-served; got != "POST "+payload+" <nil>" {
			t.Errorf("%s: the service got %s", name, got)
		}
	}
	for name, c := range neverSeen {
		answer := ask(c.request)
		_, status, _ := strings.Cut(answer, " ")
		if !strings.HasPrefix(status, fmt.Sprint(c.status, " ")) || strings.Contains(answer, "eval_id") {
			t.Errorf("%s: %s, want %d of net/http", name, answer, c.status)
		}
	}
	if len(served) != 0 {
		t.Errorf("the service got %s", <-served)
	}
}
