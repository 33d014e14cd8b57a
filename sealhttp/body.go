package sealhttp

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"slices"
	"strings"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/fault"
	"github.com/sealane/sealane/internal/strictjson"
	"github.com/sealane/sealane/profile"
)

// spare is the capacity in a body for the text around the token: braces, names, identifiers.
const spare = 8 << 10

// member is one of the siblings of the token in a body.
type member = strictjson.Member

// openBody takes the token out of a body and opens it. The token's siblings are those
// that the profile lists.
func openBody(ctx context.Context, lane *sealane.Lane, body []byte) (m sealane.Message, siblings []member, err error) {
	form := lane.Inbound()
	if token, siblings, ok := cutToken(body, form); ok {
		m, err := lane.OpenMessage(ctx, token)
		if err == nil || !bytes.ContainsFunc(token, foreign) {
			return m, siblings, err
		}
		// The text that was cut out is not a token: it may have been more than one member.
	}
	token, siblings, err := takeToken(body, form)
	if err != nil {
		return nil, nil, inLane(lane, err)
	}
	m, err = lane.OpenMessage(ctx, token)
	return m, siblings, err
}

// sealing says how a payload is sealed. If there is a member name with a value id (JSON), it is
// placed before the token.
type sealing struct {
	lane  *sealane.Lane
	keys  sealane.SealKeys
	after profile.Outcome // see Event.Resend
	name  string
	id    []byte
}

// body seals a payload and returns the body around the token, in one buffer.
func (s sealing) body(ctx context.Context, payload []byte) ([]byte, error) {
	front, back := envelope(s.lane.Outbound(), s.name, s.id)
	b := make([]byte, 0, s.bodyLen(len(payload)))
	b, err := s.lane.AppendSealWith(ctx, append(b, front...), payload, s.keys)
	if err != nil {
		return nil, err
	}
	return append(b, back...), nil
}

// bodyLen returns the capacity that body needs for a payload of n bytes.
func (s sealing) bodyLen(n int) int {
	front, back := envelope(s.lane.Outbound(), s.name, s.id)
	return len(front) + s.lane.SealedLen(n) + len(back)
}

// foreign reports whether a character cannot be part of a compact serialization.
func foreign(r rune) bool {
	return !('A' <= r && r <= 'Z' || 'a' <= r && r <= 'z' || '0' <= r && r <= '9' || r == '-' || r == '_' || r == '.')
}

// cutToken is takeToken for a body that ends with the token, as nearly all do. It parses
// the body without the token, so that megabytes of base64url are not read as JSON. The
// returned token may be more than one member: then it has characters that a token cannot
// have, and Open refuses it.
func cutToken(body []byte, form profile.CompiledDirection) (token []byte, siblings []member, ok bool) {
	if form.Field() == "" {
		return nil, nil, false
	}
	const far = 1 << 10 // the token begins before this
	body = bytes.TrimRight(body, " \t\r\n")
	marker := `"` + form.Field() + `":"`
	i := bytes.Index(body[:min(len(body), far)], []byte(marker))
	start, end := i+len(marker), len(body)-len(`"}`)
	// a name does not begin with an escaped quote
	if i < 1 || body[i-1] == '\\' || start > end || string(body[end:]) != `"}` {
		return nil, nil, false
	}
	const mark = "~"
	marked, siblings, err := takeToken(slices.Concat(body[:start], []byte(mark), body[end:]), form)
	return body[start:end], siblings, err == nil && string(marked) == mark
}

// takeToken returns the token of a body and its siblings. The token may alias the
// body. Errors wrap sealane.ErrFormat and have no lane.
func takeToken(body []byte, form profile.CompiledDirection) (token []byte, siblings []member, err error) {
	if form.Field() == "" {
		token, err = bareToken(body)
		return token, nil, err
	}
	start := bytes.TrimLeft(body, " \t\r\n")
	switch {
	case len(start) == 0:
		return nil, nil, formatError(fault.BodyEmpty, "")
	case bytes.HasPrefix(start, []byte("ey")):
		return nil, nil, formatError(fault.BodyBareToken, "")
	}
	members, err := strictjson.Object(body)
	if err != nil {
		return nil, nil, formatError(bodyFault(err), err.Error())
	}
	found := false
	for _, m := range members {
		switch {
		case m.Name == form.Field():
			text, ok := strictjson.Text(m.Value)
			if !ok {
				return nil, nil, formatError(fault.BodyType, fmt.Sprintf("member %q is not a string", form.Field()))
			}
			token, found = text, true
		case form.Accompanies(m.Name):
			siblings = append(siblings, m)
		case form.RefusesOthers():
			return nil, nil, formatError(fault.BodyUnexpected,
				fmt.Sprintf("member %.64q is not allowed next to %q", m.Name, form.Field()))
		}
	}
	if !found {
		return nil, nil, formatError(fault.BodyMissing, fmt.Sprintf("no member %q", form.Field()))
	}
	return token, siblings, nil
}

// bareToken returns the token of a body that consists of the token alone.
func bareToken(body []byte) ([]byte, error) {
	token := bytes.TrimSpace(body)
	switch {
	case len(token) == 0:
		return nil, formatError(fault.BodyEmpty, "")
	case token[0] == '{' && !bytes.Contains(token, []byte(`"ey`)):
		return nil, formatError(fault.BodyNotSealed, "")
	case token[0] == '{':
		return nil, formatError(fault.BodyWrapped, "")
	case token[0] == '"':
		return nil, formatError(fault.BodyQuoted, "")
	}
	return token, nil
}

func bodyFault(err error) fault.Code {
	switch {
	case errors.Is(err, strictjson.ErrUTF8):
		return fault.BodyUTF8
	case errors.Is(err, strictjson.ErrNotObject):
		return fault.BodyNotObject
	case errors.Is(err, strictjson.ErrDuplicate):
		return fault.BodyDuplicate
	}
	return fault.BodyNotJSON
}

// envelope returns the text before and after a token in a body.
func envelope(form profile.CompiledDirection, name string, id []byte) (front, back []byte) {
	if form.Field() == "" {
		return nil, nil
	}
	front = append(front, '{')
	if name != "" {
		front = append(appendString(front, name), ':')
		front = append(append(front, id...), ',')
	}
	front = append(appendString(front, form.Field()), `:"`...)
	return front, []byte(`"}`) // base64url and dots need no escaping
}

func appendString(b []byte, s string) []byte {
	quoted, _ := json.Marshal(s) // a string always marshals
	return append(b, quoted...)
}

// readBody reads at most limit bytes into b. declared is the Content-Length, or -1. Memory
// is reserved as bytes arrive. Errors have no lane.
func readBody(b *buffer, r io.Reader, declared int64, limit int) error {
	tooLarge := func() error {
		return failure(nil, sealane.OpReadBody, sealane.ErrTooLarge, fault.BodyTooLarge,
			fmt.Sprintf("body has more than %d bytes", limit))
	}
	if declared > int64(limit) {
		return tooLarge()
	}
	if r == nil {
		return nil
	}
	var first [512]byte // reserve nothing before a byte arrives
	for {
		into := first[:]
		if len(b.data) > 0 {
			if err := b.grow(1, int(declared)+1); err != nil {
				return err
			}
			into = b.data[len(b.data):cap(b.data)]
		}
		n, err := r.Read(into)
		if len(b.data) > 0 {
			b.data = b.data[:len(b.data)+n]
		} else if _, full := b.Write(first[:n]); full != nil {
			return full
		}
		switch {
		case len(b.data) > limit:
			return tooLarge()
		case errors.Is(err, io.EOF) && declared >= 0 && int64(len(b.data)) < declared:
			err = fmt.Errorf("%d bytes of %d: %w", len(b.data), declared, io.ErrUnexpectedEOF)
			fallthrough
		case err != nil && !errors.Is(err, io.EOF):
			e := failure(nil, sealane.OpReadBody, sealane.ErrFormat, fault.BodyUnreadable, "")
			e.Err = err
			return e
		case err != nil:
			return nil
		}
	}
}

// checkContentType refuses a media type that the profile does not accept, more than one of
// them, and any character set other than UTF-8. A body without a type is accepted, because
// its form is checked anyway.
func checkContentType(h http.Header, form profile.CompiledDirection) error {
	values := h.Values("Content-Type")
	if len(values) == 0 || len(values) == 1 && values[0] == "" || form.AcceptsAny() {
		return nil
	}
	if len(values) > 1 {
		return formatError(fault.ContentType, fmt.Sprintf("Content-Type occurs %d times", len(values)))
	}
	got, parameters, err := mime.ParseMediaType(values[0])
	charset := parameters["charset"]
	if charset != "" && !strings.EqualFold(charset, "utf-8") && !strings.EqualFold(charset, "us-ascii") {
		return formatError(fault.ContentType, fmt.Sprintf("Content-Type says charset=%.40q, JSON is UTF-8", charset))
	}
	if err != nil || !form.Accepts(got) {
		return formatError(fault.ContentType,
			fmt.Sprintf("Content-Type is %.80q, not %s", values[0], form.ContentType()))
	}
	return nil
}

// failure makes an error of the lane; lane may be nil where [inLane] names it later.
func failure(lane *sealane.Lane, op string, on profile.Outcome, f fault.Code, detail string) *sealane.Error {
	e := &sealane.Error{Op: op, Outcome: on, Fault: f, Detail: detail}
	if lane != nil {
		e.Lane = lane.Name()
	}
	return e
}

// inLane puts the lane's name into an error that was made without it.
func inLane(lane *sealane.Lane, err error) error {
	var e *sealane.Error
	if errors.As(err, &e) && e.Lane == "" {
		e.Lane = lane.Name()
	}
	return err
}

func formatError(f fault.Code, detail string) error {
	return failure(nil, sealane.OpReadBody, sealane.ErrFormat, f, detail)
}

// UnwrapToken returns the token of a body that was received by other means than HTTP.
// Errors wrap [sealane.ErrFormat].
func UnwrapToken(body []byte, form profile.CompiledDirection) ([]byte, error) {
	token, _, err := takeToken(body, form)
	return token, err
}

// WrapToken returns the body that carries a token.
func WrapToken(token []byte, form profile.CompiledDirection) []byte {
	front, back := envelope(form, "", nil)
	return slices.Concat(front, token, back)
}
