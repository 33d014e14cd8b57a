package sealhttp_test

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/sealhttp"
)

// TestAcceptEncodingOfTheCaller: the answer is sealed, in a coding that the base transport
// requested and decodes.
func TestAcceptEncodingOfTheCaller(t *testing.T) {
	got := make(chan []string, 1)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got <- r.Header.Values("Accept-Encoding")
		io.WriteString(w, answerBody(t, ``, `{"a":1}`))
	}))
	defer s.Close()
	r := request(t, "POST", s.URL+"/api/evaluation", `{}`)
	r.Header.Set("Accept-Encoding", "br")
	if _, body, err := do(t, customer(t), r); err != nil || body != `{"a":1}` {
		t.Errorf("%q, %v", body, err)
	}
	for _, coding := range <-got {
		if strings.Contains(coding, "br") {
			t.Errorf("the partner is asked for %s", coding)
		}
	}
	if r.Header.Get("Accept-Encoding") != "br" {
		t.Error("the caller's request was changed")
	}
}

// TestAcceptOfTheCaller: the header is sent unchanged; if there is none, the transport
// requests what it reads.
func TestAcceptOfTheCaller(t *testing.T) {
	got := make(chan []string, 1)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got <- r.Header.Values("Accept")
		io.WriteString(w, answerBody(t, ``, `{}`))
	}))
	defer s.Close()
	for _, want := range []string{"application/json", "application/json;v=2"} {
		r := request(t, "POST", s.URL+"/api/evaluation", `{}`)
		if want != "application/json" {
			r.Header.Set("Accept", want)
		}
		if _, _, err := do(t, customer(t), r); err != nil {
			t.Error(err)
		}
		if seen := <-got; !slices.Equal(seen, []string{want}) {
			t.Errorf("Accept is sent as %q, want %s", seen, want)
		}
	}
}

// cached is a base transport whose responses share their headers.
type cached struct{ header http.Header }

func (c cached) RoundTrip(r *http.Request) (*http.Response, error) {
	answer, err := http.DefaultTransport.RoundTrip(r)
	if err == nil {
		answer.Header = c.header
	}
	return answer, err
}

// TestOpenedAnswer: its headers describe the payload, and its Request is the caller's, not
// the sealed one. The response of the base transport is not changed.
func TestOpenedAnswer(t *testing.T) {
	s := answering(t, 200, answerBody(t, ``, `{"a":1}`))
	header := http.Header{"Content-Type": {"text/plain"}, "Content-Encoding": {"identity"}, "Content-Length": {"9"},
		"X-Trace": {"1", "2"}}
	before := header.Clone()
	r := request(t, "POST", s.URL+"/api/evaluation", `{"id":1}`)
	r.Header.Set("X-Own", "1")
	answer, err := (&sealhttp.Transport{Lane: sealhttp.OneLane(customer(t)), Base: cached{header}}).RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	want := http.Header{"Content-Type": {"application/json"}, "Content-Length": {"7"}, "X-Trace": {"1", "2"}}
	if !maps.EqualFunc(answer.Header, want, slices.Equal) {
		t.Errorf("headers are %v", answer.Header)
	}
	if !maps.EqualFunc(header, before, slices.Equal) {
		t.Errorf("the base transport's headers became %v", header)
	}
	got := answer.Request
	own := http.Header{"X-Own": {"1"}}
	if got.URL != r.URL || got.ContentLength != 8 || !maps.EqualFunc(got.Header, own, slices.Equal) {
		t.Errorf("Request is %v of %d bytes with %v", got.URL, got.ContentLength, got.Header)
	}
}

// TestBodyOfNoLength: a client's request with a body and length 0 has a body of unknown
// length (net/http), and is sealed completely.
func TestBodyOfNoLength(t *testing.T) {
	var seen string
	s := provider(t, func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		seen = string(b)
	})
	r := request(t, "POST", s.URL+"/api/evaluation", "")
	r.Body, r.ContentLength = io.NopCloser(strings.NewReader(`{"a":1}`)), 0
	if _, _, err := do(t, customer(t), r); err != nil || seen != `{"a":1}` {
		t.Errorf("%q, %v", seen, err)
	}
}

// TestLengthOfTheOpenedAnswer: an answer in chunks, with trailers, has a known length when
// it is opened, and nothing unsigned follows it.
func TestLengthOfTheOpenedAnswer(t *testing.T) {
	for _, c := range []struct {
		status     int
		body, want string
	}{
		{200, answerBody(t, ``, `{"a":1}`), `{"a":1}`},
		{422, `{"error":"unsupported_schema"}`, `{"error":"unsupported_schema"}`},
	} {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Trailer", "X-Decision")
			w.WriteHeader(c.status)
			io.WriteString(w, c.body)
			http.NewResponseController(w).Flush()
			w.Header().Set("X-Decision", "ACCEPT")
		}))
		defer s.Close()
		answer, body, err := do(t, customer(t), request(t, "POST", s.URL+"/api/evaluation", `{}`))
		if err != nil || body != c.want {
			t.Fatalf("%q, %v", body, err)
		}
		if answer.Trailer != nil || answer.TransferEncoding != nil {
			t.Errorf("trailers %v, Transfer-Encoding %q", answer.Trailer, answer.TransferEncoding)
		}
		length := answer.Header.Get("Content-Length")
		if answer.ContentLength != int64(len(c.want)) || length != strconv.Itoa(len(c.want)) {
			t.Errorf("length %d, Content-Length %q", answer.ContentLength, length)
		}
	}
}

// TestCodedRequest: a body that the caller compressed is refused before it is sent, not by
// the partner.
func TestCodedRequest(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		t.Error("something was sent")
	}))
	defer s.Close()
	r := request(t, "POST", s.URL+"/api/evaluation", "compressed")
	r.Header.Set("Content-Encoding", "gzip")
	_, _, err := do(t, customer(t), r)
	if !errors.Is(err, sealane.ErrFormat) || sealane.FaultOf(err) != "http.content-encoding" {
		t.Errorf("error is %v", err)
	}
	var partner *sealhttp.PartnerError
	if errors.As(err, &partner) || errors.Is(err, sealane.ErrMayBeProcessed) {
		t.Errorf("it was sent: %v", err)
	}
}

// TestLostInTheMiddle: if the connection fails while the body is being sent, it is not
// known how much the partner received.
func TestLostInTheMiddle(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	done := make(chan bool)
	go func() {
		defer close(done)
		c, err := l.Accept()
		if err != nil {
			t.Error(err)
			return
		}
		if _, err := bufio.NewReaderSize(c, 16<<10).Peek(10 << 10); err != nil {
			t.Error(err)
		}
		c.(*net.TCPConn).SetLinger(0)
		c.Close()
	}()
	large := strings.Repeat("x", 16<<20)
	_, _, err = do(t, customer(t), request(t, "POST", "http://"+l.Addr().String()+"/api/evaluation", large))
	<-done
	var answer *sealhttp.AnswerError
	if !errors.As(err, &answer) || answer.Status != 0 || !errors.Is(err, sealane.ErrMayBeProcessed) {
		t.Errorf("error is %v", err)
	}
}

// taking is a base transport that keeps the request and does not answer.
type taking struct{ request *http.Request }

func (b *taking) RoundTrip(r *http.Request) (*http.Response, error) {
	b.request = r
	return nil, errBroken
}

// TestSealedRequest: a base transport other than net/http's gets a request that describes
// only the sealed body (RFC 9110 sections 7.6.1, 8, 13 and 14), and can send it again.
func TestSealedRequest(t *testing.T) {
	r := request(t, "POST", "http://partner.test/api/evaluation?q=1", `{}`)
	r.Header = http.Header{"Content-Length": {"2"}, "Content-Type": {"text/plain"},
		"X-Payload-Encrypted": {"false"}, "X-Own": {"1"}}
	for _, name := range strings.Fields(`Keep-Alive Proxy-Connection Proxy-Authenticate Proxy-Authorization Te Trailer
		Transfer-Encoding Upgrade HTTP2-Settings Expect Content-Range Accept-Ranges ETag Last-Modified Content-MD5
		Content-Digest Repr-Digest Digest Want-Content-Digest Want-Repr-Digest Want-Digest If-Match If-None-Match
		If-Modified-Since If-Unmodified-Since If-Range Range Accept-Encoding X-Hop X-Other`) {
		r.Header.Set(name, "x")
	}
	r.Header.Set("Content-Encoding", "identity")
	r.Header["Connection"] = []string{"close , x-hop", " X-Other"}
	r.TransferEncoding, r.Trailer = []string{"chunked"}, http.Header{"X-Sum": nil}
	before := r.Header.Clone()
	base := &taking{}
	_, err := (&sealhttp.Transport{Lane: sealhttp.OneLane(customer(t)), Base: base}).RoundTrip(r)
	if !errors.Is(err, errBroken) || errors.Is(err, sealane.ErrMayBeProcessed) {
		t.Errorf("nothing was read of the body, but the error is %v", err)
	}
	got := base.request
	want := http.Header{"Content-Type": {"application/json"}, "Accept": {"application/json"},
		"X-Payload-Encrypted": {"true"}, "X-Own": {"1"}}
	if !maps.EqualFunc(got.Header, want, slices.Equal) || got.TransferEncoding != nil || got.Trailer != nil {
		t.Errorf("headers %v, Transfer-Encoding %q, trailers %v", got.Header, got.TransferEncoding, got.Trailer)
	}
	if got.URL.String() != r.URL.String() {
		t.Errorf("sent to %s", got.URL)
	}
	first, err := io.ReadAll(got.Body)
	sealed := bytes.HasPrefix(first, []byte(`{"encrypted_request":"ey`))
	if err != nil || int64(len(first)) != got.ContentLength || !sealed {
		t.Errorf("%d bytes, the request says %d, %v: %.40s", len(first), got.ContentLength, err, first)
	}
	again, err := got.GetBody()
	if err != nil {
		t.Fatal(err)
	}
	if second, err := io.ReadAll(again); err != nil || string(second) != string(first) {
		t.Errorf("GetBody: %d bytes, %v", len(second), err)
	}
	if !maps.EqualFunc(r.Header, before, slices.Equal) {
		t.Errorf("the caller's headers became %v", r.Header)
	}
}

// TestAnswerThatBreaksOff: the partner's format is not at fault.
func TestAnswerThatBreaksOff(t *testing.T) {
	for _, status := range []int{200, 400, 500} {
		base := &replying{status, io.MultiReader(strings.NewReader(`{"encrypted_response":"ey`), broken{}), false}
		r := request(t, "POST", "http://partner.test/api/evaluation", `{}`)
		_, err := (&sealhttp.Transport{Lane: sealhttp.OneLane(customer(t)), Base: base}).RoundTrip(r)
		var answer *sealhttp.AnswerError
		if !errors.As(err, &answer) || answer.Status != status {
			t.Fatalf("%d: %v", status, err)
		}
		if !errors.Is(err, errBroken) || errors.Is(err, sealane.ErrFormat) {
			t.Errorf("%d: %v", status, err)
		}
	}
}
