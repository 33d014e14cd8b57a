package smtptest

import (
	"bufio"
	"io"
	"net"
	"strings"
	"sync"
	"testing"

	"github.com/sealane/sealane/internal/mailserver"
)

// What a raw server does in the place of an answer, or after one.
const (
	// Cut ends the connection.
	Cut = "\x00cut"
	// Hang does not answer until the client ends the connection.
	Hang = "\x00hang"
	// Endless sends a line without an end.
	Endless = "\x00endless"
)

// Answers are those of a raw server: by the command, or "greeting", or "." for the end of a mail. The default is
// what a server says that takes the mail. Several lines are separated by "\n", and [Cut] may be behind an answer.
type Answers map[string]string

var usual = Answers{
	"greeting": "220 raw.example", "EHLO": "250-raw.example\n250 DSN", "HELO": "250 raw.example",
	"MAIL": "250 2.1.0 OK", "RCPT": "250 2.1.5 OK", "DATA": "354 go on", ".": "250 2.0.0 queued as R1",
	"QUIT": "221 bye", "RSET": "250 OK", "AUTH": "235 2.7.0 OK",
}

// Raw runs a server that answers as it is told, without TLS, until the test ends.
func Raw(t testing.TB, answers Answers) *Server {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &Server{Address: l.Addr().String(), Taken: &mailserver.Taken{}}
	var running sync.WaitGroup
	var mu sync.Mutex
	open := map[net.Conn]bool{}
	running.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			mu.Lock()
			open[c] = true
			mu.Unlock()
			running.Go(func() {
				s.converse(c, answers)
				c.Close()
			})
		}
	})
	t.Cleanup(func() {
		l.Close()
		mu.Lock()
		for c := range open {
			c.Close()
		}
		mu.Unlock()
		running.Wait()
	})
	return s
}

// converse answers the commands of a connection.
func (s *Server) converse(c net.Conn, answers Answers) {
	s.Greeted()
	r := bufio.NewReader(c)
	if !answer(c, r, answers, "greeting") {
		return
	}
	for m := (Mail{}); ; {
		text, err := r.ReadString('\n')
		if err != nil {
			return
		}
		command, rest, _ := strings.Cut(strings.TrimSpace(text), " ")
		switch command {
		case "MAIL":
			m = Mail{From: rest}
		case "RCPT":
			m.To = rest
		}
		if !answer(c, r, answers, command) {
			return
		}
		if said, ok := answers["DATA"]; command == "DATA" && (!ok || strings.HasPrefix(said, "354")) {
			if m.Data, err = body(r); err != nil {
				return
			}
			s.Take(m)
			if !answer(c, r, answers, ".") {
				return
			}
		}
	}
}

// body reads a mail to its end, as it was sent.
func body(r *bufio.Reader) (data []byte, err error) {
	for {
		text, err := r.ReadString('\n')
		if err != nil || text == ".\r\n" {
			return data, err
		}
		data = append(data, text...)
	}
}

// answer writes an answer, and reports whether the connection goes on.
func answer(c net.Conn, r *bufio.Reader, answers Answers, to string) bool {
	said, ok := answers[to]
	if !ok {
		if said = usual[to]; said == "" {
			said = "502 not known"
		}
	}
	said, cut := strings.CutSuffix(said, Cut)
	switch said {
	case Hang:
		_, _ = r.WriteTo(io.Discard)
		return false
	case Endless:
		for {
			if _, err := c.Write([]byte("250-" + strings.Repeat("x", 4096))); err != nil {
				return false
			}
		}
	case "":
		return !cut
	}
	_, err := c.Write([]byte(strings.ReplaceAll(said, "\n", "\r\n") + "\r\n"))
	return err == nil && !cut
}
