package gateway_test

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// TestSmugglingHTTP2: HTTP/2 can carry in a field what would end a line or a body in HTTP/1.1, in which the
// application is called.
func TestSmugglingHTTP2(t *testing.T) {
	const hidden = "GET /x?hidden HTTP/1.1\r\nHost: h\r\n\r\n"
	ca := newAuthority(t)
	certificate, key := ca.issue("gateway", x509.ExtKeyUsageServerAuth)
	var app seen
	g := start(t, ingress(serve(t, app.answer(200, `{"eval_id":"e-1"}`)), `plain: ["GET /x", "POST /y"]`,
		"tls: {certificate: server.crt, key: server.key}"), withFiles("server.crt", certificate, "server.key", key))
	sealed := sealedEvaluation(t)
	forms := [][]string{ // names and values of fields; those of :method and so on replace the usual ones
		{"x-good", "yes"},
		{"transfer-encoding", "chunked"}, {"Transfer-Encoding", "chunked"}, {"transfer_encoding", "chunked"},
		{"content-length", "0"}, {"content-length", "5"}, {"content-length", "99999"}, {"content-length", "+5"},
		{"content-length", "0", "content-length", "5"}, {"content_length", "0"}, {"te", "trailers, chunked"},
		{"connection", "content-length"}, {"connection", "x"}, {"upgrade", "h2c"}, {"keep-alive", "1"},
		{"x", "y\r\nTransfer-Encoding: chunked"}, {"x", "y\r\n\r\n" + hidden}, {"x", "y\nz: a"}, {"x", "a\x00b"},
		{"x\r\ntransfer-encoding", "chunked"}, {"x: y\r\ntransfer-encoding: chunked\r\nz", "a"}, {"x y", "z"},
		{"", "z"}, {":x", "y"},
		{":path", "/y HTTP/1.1\r\nHost: h\r\n\r\nGET /x?hidden"}, {":path", "/y?a b"}, {":path", "/y?\r\n" + hidden},
		{":path", "*"}, {":path", "http://evil.example/x?hidden"}, {":path", ""}, {":path", "x?hidden"},
		{":method", "GET /x?hidden HTTP/1.1\r\nHost: h\r\n\r\nPOST"}, {":method", "POST /x?hidden"},
		{":authority", "h\r\n\r\n" + hidden}, {":authority", "h/x?hidden"}, {":authority", "a@h"},
		{":scheme", "http://h/x?hidden#"}, {":scheme", "https\r\n\r\n" + hidden},
	}
	for _, sealing := range []bool{false, true} {
		for i, form := range forms {
			body := "0\r\n\r\n" + hidden
			usual := map[string]string{":method": "POST", ":scheme": "https", ":authority": "h", ":path": "/y"}
			more := []string{"x-form", fmt.Sprint(i, sealing), "content-type", "application/json"}
			if sealing {
				usual[":path"], body = "/api/evaluation", sealed
				more = append(more, "x-payload-encrypted", "true")
			}
			for j := 0; j < len(form); j += 2 {
				if _, ok := usual[form[j]]; ok {
					usual[form[j]] = form[j+1]
				} else {
					more = append(more, form[j], form[j+1])
				}
			}
			var fields []string
			for _, name := range []string{":method", ":scheme", ":authority", ":path"} {
				fields = append(fields, name, usual[name])
			}
			status := requestHTTP2(t, g.addresses["in"].String(), append(fields, more...), body)
			if good := form[0] == "x-good"; good != (status == "200") && (good || sealing) {
				t.Errorf("%q, sealed %t: %q", form, sealing, status)
			}
		}
	}
	g.logged() // no request is under way now
	arrived := map[string]int{}
	for _, r := range app.requests {
		form := r.Header.Get("X-Form")
		arrived[form]++
		if form == "" || arrived[form] > 1 || strings.Contains(fmt.Sprint(r.RequestURI, r.Header), "hidden") {
			t.Errorf("%q: %q arrived", form, r.RequestURI)
		}
	}
}

// requestHTTP2 sends a request with these fields, names and values, on a connection of its own, and returns its
// status, or "" where the stream or the connection was ended.
func requestHTTP2(t *testing.T, address string, fields []string, body string) (status string) {
	t.Helper()
	c, err := tls.Dial("tcp", address, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"h2"}})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(10 * time.Second)) // a test that hangs should fail
	c.Write([]byte(http2.ClientPreface))
	f := http2.NewFramer(c, c)
	var block bytes.Buffer
	encoder := hpack.NewEncoder(&block)
	for i := 0; i < len(fields); i += 2 {
		encoder.WriteField(hpack.HeaderField{Name: fields[i], Value: fields[i+1]})
	}
	f.WriteSettings()
	f.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: block.Bytes(), EndHeaders: true})
	f.WriteData(1, true, []byte(body)) // an error is a connection that was ended already
	f.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	for {
		frame, err := f.ReadFrame()
		if err != nil {
			return status
		}
		switch frame := frame.(type) {
		case *http2.MetaHeadersFrame:
			status = frame.PseudoValue("status")
			if frame.StreamEnded() {
				return status
			}
		case *http2.DataFrame:
			if frame.StreamEnded() {
				return status
			}
		case *http2.RSTStreamFrame, *http2.GoAwayFrame:
			return status
		}
	}
}
