package gateway_test

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
)

// smuggling is a request that programs delimit in different ways: a proxy in front takes all of it for one, and
// another program would find a second one in it.
type smuggling struct {
	name string
	// text is the request. {POST} and {HEAD} are its beginning, {body} is a body that the route serves,
	// {chunked} the same in a chunk, {hidden} a second request, {all} the length of what follows the header.
	text   string
	closes bool // the connection must end after the answer
}

const contentLength, chunked = "Content-Length: {all}\r\n", "Transfer-Encoding: chunked\r\n"

var smugglings = []smuggling{
	{"a length, then chunks", "{POST}" + contentLength + chunked + "\r\n0\r\n\r\n{hidden}", true},
	{"chunks, then a length", "{POST}" + chunked + contentLength + "\r\n0\r\n\r\n{hidden}", true},
	{"a length around whole chunks", "{POST}" + contentLength + chunked + "\r\n{chunked}0\r\n\r\n{hidden}", true},
	{"chunks around a length", "{POST}Content-Length: 4\r\n" + chunked + "\r\n{hiddenchunk}0\r\n\r\n", true},
	{"a length of 0 and chunks", "{POST}Content-Length: 0\r\n" + chunked + "\r\n{chunked}0\r\n\r\n{hidden}", true},
	{"chunks alone", "{POST}" + chunked + "\r\n{chunked}0\r\n\r\n{hidden}", true},
	{"chunks in capitals", "{POST}TRANSFER-ENCODING: CHUNKED\r\n" + contentLength + "\r\n0\r\n\r\n{hidden}", true},
	{"an unknown coding", "{POST}" + contentLength + "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n{hidden}", true},
	{"two codings", "{POST}" + contentLength + "Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n{hidden}", true},
	{"two codings, chunked last",
		"{POST}" + contentLength + "Transfer-Encoding: identity, chunked\r\n\r\n0\r\n\r\n{hidden}", true},
	{"two lines of codings",
		"{POST}" + contentLength + chunked + "Transfer-Encoding: identity\r\n\r\n0\r\n\r\n{hidden}", true},
	{"a coding in quotes", "{POST}" + contentLength + "Transfer-Encoding: \"chunked\"\r\n\r\n0\r\n\r\n{hidden}", true},
	{"a vertical tab", "{POST}" + contentLength + "Transfer-Encoding:\vchunked\r\n\r\n0\r\n\r\n{hidden}", true},
	{"a space before the colon",
		"{POST}" + contentLength + "Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n{hidden}", true},
	{"a folded value", "{POST}" + contentLength + "Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n{hidden}", true},
	{"a folded name", "{POST}" + contentLength + "X: y\r\n Transfer-Encoding: chunked\r\n\r\n{hidden}", false},
	{"a bare LF", "{POST}" + contentLength + "X: y\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n{hidden}", true},
	{"a bare CR", "{POST}" + contentLength + "X: y\rTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n{hidden}", true},
	{"a NUL", "{POST}" + contentLength + "Transfer-Encoding\x00: chunked\r\n\r\n0\r\n\r\n{hidden}", true},
	{"an underscore in a coding",
		"{POST}" + contentLength + "Transfer_Encoding: chunked\r\n\r\n0\r\n\r\n{hidden}", true},
	{"an underscore in a length", "{POST}Content_Length: {all}\r\n\r\n{hidden}", true},
	{"a dot in a length", "{POST}content.length: 0\r\n" + contentLength + "\r\n{hidden}", true},
	{"two lengths", "{POST}Content-Length: 0\r\n" + contentLength + "\r\n{hidden}", true},
	{"two lengths, the other first", "{POST}" + contentLength + "Content-Length: 0\r\n\r\n{hidden}", true},
	{"the same length twice", "{POST}" + contentLength + contentLength + "\r\n{hidden}", false},
	{"a list of lengths", "{POST}Content-Length: 0, {all}\r\n\r\n{hidden}", true},
	{"a length with a sign", "{POST}Content-Length: +{all}\r\n\r\n{hidden}", true},
	{"a negative length", "{POST}Content-Length: -1\r\n" + contentLength + "\r\n{hidden}", true},
	{"a hexadecimal length", "{POST}Content-Length: 0x{all}\r\n\r\n{hidden}", true},
	{"a length that overflows", "{POST}Content-Length: 18446744073709551616\r\n\r\n{hidden}", true},
	{"an empty length", "{POST}Content-Length:\r\n" + contentLength + "\r\n{hidden}", true},
	{"a space before the colon of a length", "{POST}Content-Length : 0\r\n" + contentLength + "\r\n{hidden}", true},
	{"HTTP/1.0 with chunks", "{POST10}Connection: keep-alive\r\nContent-Length: 5\r\n" + chunked +
		"\r\n0\r\n\r\n{hidden}", true},
	{"HTTP/1.0 with chunks around a length", "{POST10}Connection: keep-alive\r\nContent-Length: 4\r\n" + chunked +
		"\r\n{hiddenchunk}0\r\n\r\n", true},
	{"HTTP/1.0 without a length", "{POST10}Connection: keep-alive\r\n\r\n{hidden}", true},
	{"a GET with a body", "{GET}" + contentLength + "\r\n{hidden}", false},
	{"a length that Connection lists", "{POST}Connection: Content-Length\r\n" + contentLength + "\r\n{hidden}", false},
	{"an expectation", "{POST}Expect: 100-continue\r\n" + contentLength + "\r\n{hidden}", false},
	{"an upgrade",
		"{POST}Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n" +
			contentLength + chunked + "\r\n0\r\n\r\n{hidden}", true},
	{"two hosts", "{POST}Host: evil.example\r\n" + contentLength + "\r\n{hidden}", true},
	{"a hexadecimal chunk", "{POST}" + chunked + "\r\n0x4\r\nabcd\r\n0\r\n\r\n{hidden}", true},
	{"a chunk with a sign", "{POST}" + chunked + "\r\n-1\r\n\r\n{hidden}", true},
	{"a chunk that overflows", "{POST}" + chunked + "\r\n10000000000000000\r\n{hidden}", true},
	{"a chunk longer than its size", "{POST}" + chunked + "\r\n2\r\nabXX0\r\n\r\n{hidden}", true},
	{"a bare LF in an extension", "{POST}" + chunked + "\r\n2;a\nxx\r\n0\r\n\r\n{hidden}", true},
	{"a bare CR in an extension", "{POST}" + chunked + "\r\n2;a\rb\r\nab\r\n0\r\n\r\n{hidden}", true},
	{"a bare LF after a chunk", "{POST}" + chunked + "\r\n2\nab\n0\n\n{hidden}", true},
	{"a length in the trailer",
		"{POST}" + chunked + "\r\n{chunked}0\r\nContent-Length: 0\r\nHost: x\r\n\r\n{hidden}", true},
	{"a cut trailer", "{POST}" + chunked + "\r\n{chunked}0\r\n{hidden}", true},
}

// TestSmuggling (pitfall 14): behind a proxy that reuses its connection, a request never has another one in it. What
// programs could delimit in two ways ends the connection, so that it answers no request of somebody else.
func TestSmuggling(t *testing.T) {
	var upstream seen
	application := serve(t, upstream.answer(200, `{"eval_id":"e-1"}`))
	partner := serve(t, func(w http.ResponseWriter, r *http.Request) {
		upstream.add(r)
		if r.Method == "POST" && r.URL.Path != "/y" {
			io.WriteString(w, sealedAnswer(t, `{"eval_id":"e-1"}`))
		}
	})
	const plain = `plain: ["GET /x", "POST /y", "GET /y"]`
	in, out := start(t, ingress(application, plain)), start(t, egress(partner, plain))
	for _, way := range []struct {
		name, route, path, header, body string
		g                               *running
	}{
		{"ingress, plain", "in", "/y", "", "{}", in},
		{"ingress, sealed", "in", "/api/evaluation", "X-Payload-Encrypted: true\r\n", sealedEvaluation(t), in},
		{"egress, plain", "out", "/y", "", "{}", out},
		{"egress, sealed", "out", "/api/evaluation", "", evaluation, out},
	} {
		for _, s := range smugglings {
			next := "GET /x?next HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nX-Form: " +
				s.name + " " + way.name + "\r\n\r\n"
			request := s.request(way.name, way.path, way.header, way.body)
			answers, rest := responses(raw(t, way.g.addresses[way.route], request+next))
			switch {
			case s.closes && (len(answers) != 1 || !answers[0].Close || rest != ""):
				t.Errorf("%s, %s: the connection stays open: %v %q", way.name, s.name, answers, rest)
			case len(answers) == 0 || len(answers) > 2 || rest != "":
				t.Errorf("%s, %s: %d answers, and %q", way.name, s.name, len(answers), rest)
			}
		}
	}
	for _, g := range []*running{in, out} {
		g.logged() // no request is under way now
	}
	arrived := map[string]int{}
	for _, r := range upstream.requests {
		form := r.Header.Get("X-Form")
		arrived[form+r.URL.RawQuery]++
		if strings.Contains(r.RequestURI, "hidden") || form == "" || arrived[form+r.URL.RawQuery] > 1 {
			t.Errorf("%s: %q arrived", form, r.RequestURI)
		}
	}
	if len(smugglings) < 30 {
		t.Errorf("only %d forms", len(smugglings))
	}
}

// request returns the bytes of the form on a route.
func (s smuggling) request(way, path, header, body string) string {
	const hidden = "GET /x?hidden HTTP/1.1\r\nHost: localhost\r\n\r\n"
	head := path + " HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nX-Form: " + s.name + " " + way +
		"\r\n" + header
	text := strings.NewReplacer(
		"{POST}", "POST "+head, "{GET}", "GET "+head,
		"{POST10}", "POST "+strings.Replace(head, "/1.1", "/1.0", 1),
		"{body}", body, "{chunked}", chunk(body), "{hiddenchunk}", chunk(hidden), "{hidden}", hidden,
	).Replace(s.text)
	_, content, _ := strings.Cut(text, "\r\n\r\n")
	return strings.ReplaceAll(text, "{all}", fmt.Sprint(len(content)))
}

func chunk(text string) string { return fmt.Sprintf("%x\r\n%s\r\n", len(text), text) }

// responses reads all final responses of a connection, and returns what is left.
func responses(text string) (all []*http.Response, rest string) {
	in := bufio.NewReader(strings.NewReader(text))
	for {
		r, err := http.ReadResponse(in, nil)
		if err != nil {
			left, _ := io.ReadAll(in)
			return all, string(left)
		}
		if _, err := io.Copy(io.Discard, r.Body); err != nil {
			return all, err.Error()
		}
		if r.StatusCode >= 200 {
			all = append(all, r)
		}
	}
}
