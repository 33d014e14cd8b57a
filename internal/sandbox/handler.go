package sandbox

import (
	"io"
	"net/http"
)

// HandlerTransport answers requests with a handler, without a network.
type HandlerTransport struct{ Handler http.Handler }

// RoundTrip has the handler answer the request.
func (t HandlerTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	response := newCapture()
	t.Handler.ServeHTTP(response, r)
	if r.Body != nil {
		r.Body.Close()
	}
	return &http.Response{
		Status: http.StatusText(response.status), StatusCode: response.status,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: response.header, ContentLength: int64(response.body.Len()),
		Body: io.NopCloser(&response.body), Request: r,
	}, nil
}
