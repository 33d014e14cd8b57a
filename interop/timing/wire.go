package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/sealhttp"
)

// wire is a sealhttp.Handler in a server on the loopback interface, and one kept-alive
// connection to it.
type wire struct {
	end        end
	server     *http.Server
	connection net.Conn
	answers    *bufio.Reader
	request    []byte // whole, as it goes out
	place      []byte // the token's, in request
}

// newWire discards the handler's log lines: the partner waits while a line is written.
func newWire(e end, tokenLength int) (*wire, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	w := &wire{end: e, server: &http.Server{ReadHeaderTimeout: time.Minute, Handler: &sealhttp.Handler{
		Lane: func(*http.Request) (*sealane.Lane, error) { return e.Lane, nil },
		Log:  slog.New(slog.NewJSONHandler(io.Discard, nil)),
		Next: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			io.Copy(io.Discard, r.Body) // it is in memory
			w.Header().Set("Content-Type", "application/json")
			io.WriteString(w, `{"eval_id":"b5fd5c15-7b35-4b2e-9d2e-6a0f9d3a0c11"}`)
		}),
	}}}
	go w.server.Serve(listener)
	if w.connection, err = net.Dial("tcp", listener.Addr().String()); err != nil {
		w.server.Close()
		return nil, err
	}
	w.answers = bufio.NewReader(w.connection)
	form, marker := e.Inbound(), strings.Repeat("x", tokenLength)
	body := sealhttp.WrapToken([]byte(marker), form)
	trigger, _, _ := e.Profile().Trigger()
	w.request = fmt.Appendf(nil,
		"POST /api/evaluation HTTP/1.1\r\nHost: server\r\n"+
			"Content-Type: %s\r\n%s: true\r\nContent-Length: %d\r\n\r\n%s",
		form.ContentType(), trigger, len(body), body)
	at := strings.Index(string(w.request), marker)
	w.place = w.request[at : at+tokenLength]
	return w, nil
}

func (w *wire) close() error { return errors.Join(w.connection.Close(), w.server.Close()) }

// subjects measure from the first byte of the request to the first of the answer.
func (w *wire) subjects(pools []pool) []subject {
	subjects := make([]subject, len(pools))
	for i, p := range pools {
		subjects[i] = subject{p.name, p.every, func() (time.Duration, error) {
			p.draw(w.place, w.end)
			start := time.Now()
			if _, err := w.connection.Write(w.request); err != nil {
				return 0, err
			}
			_, err := w.answers.Peek(1)
			took := time.Since(start)
			if err != nil {
				return 0, err
			}
			return took, w.check(p.class)
		}}
	}
	return subjects
}

// check reads the answer and compares it with the class.
func (w *wire) check(c class) error {
	answer, err := http.ReadResponse(w.answers, nil)
	if err != nil {
		return err
	}
	body, err := io.ReadAll(answer.Body)
	if err = errors.Join(err, answer.Body.Close()); err != nil {
		return err
	}
	status, text := http.StatusOK, ""
	if c.on != "" {
		status, text, _ = w.end.Profile().ErrorRow(c.on)
	}
	if answer.StatusCode != status || !strings.Contains(string(body), text) {
		return fmt.Errorf("answer is %s, not %d %q", answer.Status, status, text)
	}
	return nil
}
