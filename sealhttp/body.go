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

// spare is what a body may have beside its token: braces, names, identifiers.
const spare = 8 << 10

// member is one of the members beside the token.
type member = strictjson.Member

// openBody takes the token out of a body and opens it. Errors that wrap
// sealane.ErrFormat say that there is no token in it.
func openBody(ctx context.Context, lane *sealane.Lane, body []byte) (sealane.Message, []member, error) {
	form := lane.In().Body
	if token, beside, ok := cutToken(body, form); ok {
		message, err := lane.Open(ctx, token)
		if err == nil || !bytes.ContainsFunc(token, foreign) {
			return message, beside, err
		}
		// What was cut out is no token: it may have been more than one member.
	}
	token, beside, err := takeToken(body, form)
	if err != nil {
		return nil, nil, err
	}
	message, err := lane.Open(ctx, token)
	return message, beside, err
}

// sealBody seals a payload and gives the body around it, in one buffer. name and
// id (JSON), where given, go in front of the token.
func sealBody(ctx context.Context, lane *sealane.Lane, payload []byte, name string, id []byte) ([]byte, error) {
	front, back := around(lane.Out().Body, name, id)
	b := make([]byte, 0, len(front)+lane.SealedLen(len(payload))+len(back))
	b, err := lane.AppendSeal(ctx, append(b, front...), payload)
	if err != nil {
		return nil, err
	}
	return append(b, back...), nil
}

// foreign reports whether a character is in no compact serialization.
func foreign(r rune) bool {
	return !('A' <= r && r <= 'Z' || 'a' <= r && r <= 'z' || '0' <= r && r <= '9' || r == '-' || r == '_' || r == '.')
}

// cutToken is takeToken for a body that ends with the token, which is how nearly
// everybody writes it. It has the body judged with the token cut out, so that
// megabytes of base64url are not read as JSON. What it gives for a token may be
// more than one; whoever reads it strictly finds the quotes.
func cutToken(body []byte, form profile.Body) (token []byte, beside []member, ok bool) {
	if form.Field == "" {
		return nil, nil, false
	}
	const far = 1 << 10 // where the token begins at the latest
	body = bytes.TrimRight(body, " \t\r\n")
	marker := `"` + form.Field + `":"`
	i := bytes.Index(body[:min(len(body), far)], []byte(marker))
	start, end := i+len(marker), len(body)-len(`"}`)
	if i < 1 || body[i-1] == '\\' || start > end || string(body[end:]) != `"}` { // an escaped quote begins no name
		return nil, nil, false
	}
	const mark = "~"
	marked, beside, err := takeToken(slices.Concat(body[:start], []byte(mark), body[end:]), form)
	return body[start:end], beside, err == nil && string(marked) == mark
}

// takeToken takes the token out of a body, and what stands beside it. The
// token may alias the body. Errors wrap sealane.ErrFormat.
func takeToken(body []byte, form profile.Body) (token []byte, beside []member, err error) {
	start := bytes.TrimLeft(body, " \t\r\n")
	switch {
	case len(start) == 0:
		return nil, nil, formatError(fault.BodyEmpty, "")
	case form.Field == "" && start[0] == '{' && !bytes.Contains(start, []byte(`"ey`)):
		return nil, nil, formatError(fault.BodyNotSealed, "")
	case form.Field == "" && start[0] == '{':
		return nil, nil, formatError(fault.BodyWrapped, "")
	case form.Field == "" && start[0] == '"':
		return nil, nil, formatError(fault.BodyQuoted, "")
	case form.Field == "":
		return bytes.TrimSpace(body), nil, nil
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
		case m.Name == form.Field:
			text, ok := strictjson.String(m.Value)
			if !ok {
				return nil, nil, formatError(fault.BodyType, fmt.Sprintf("member %q is not a string", form.Field))
			}
			token, found = []byte(text), true
		case slices.Contains(form.Accompanying, m.Name):
			beside = append(beside, m)
		case form.Others == "refuse":
			return nil, nil, formatError(fault.BodyUnexpected, fmt.Sprintf("member %.64q stands beside %q", m.Name, form.Field))
		}
	}
	if !found {
		return nil, nil, formatError(fault.BodyMissing, fmt.Sprintf("no member %q", form.Field))
	}
	return token, beside, nil
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

// around gives what stands before and after a token in a body.
func around(form profile.Body, name string, id []byte) (front, back []byte) {
	if form.Field == "" {
		return nil, nil
	}
	front = append(front, '{')
	if name != "" {
		front = append(appendString(front, name), ':')
		front = append(append(front, id...), ',')
	}
	front = append(appendString(front, form.Field), `:"`...)
	return front, []byte(`"}`) // base64url and dots: nothing to escape
}

func appendString(b []byte, s string) []byte {
	quoted, _ := json.Marshal(s) // a string always marshals
	return append(b, quoted...)
}

// readBody reads at most limit bytes. declared is the Content-Length or -1.
func readBody(r io.Reader, declared int64, limit int) ([]byte, error) {
	large := fmt.Sprintf("body has more than %d bytes", limit)
	if declared > int64(limit) {
		return nil, &sealane.Error{Op: "read body", Sentinel: sealane.ErrTooLarge, Fault: fault.BodyTooLarge, Detail: large}
	}
	if r == nil {
		return nil, nil
	}
	var b bytes.Buffer
	limited := io.LimitReader(r, int64(limit)+1)
	const proof = 64 << 10 // bytes that come before room is made for what was declared
	n, err := io.CopyN(&b, limited, proof)
	if err == nil {
		if declared > n {
			b.Grow(int(declared-n) + bytes.MinRead)
		}
		var rest int64
		rest, err = b.ReadFrom(limited)
		n += rest
	}
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, &sealane.Error{Op: "read body", Sentinel: sealane.ErrFormat, Fault: fault.BodyUnreadable, Err: err}
	}
	if n > int64(limit) {
		return nil, &sealane.Error{Op: "read body", Sentinel: sealane.ErrTooLarge, Fault: fault.BodyTooLarge, Detail: large}
	}
	return b.Bytes(), nil
}

// checkContentType refuses a media type that the profile does not take, two of
// them, and another character set than JSON's; none at all is taken, for the body
// itself says what it is.
func checkContentType(h http.Header, form profile.Body) error {
	values := h.Values("Content-Type")
	if len(values) == 0 || len(values) == 1 && values[0] == "" || slices.Contains(form.Accept, profile.Any) {
		return nil
	}
	if len(values) > 1 {
		return formatError(fault.ContentType, fmt.Sprintf("Content-Type came %d times", len(values)))
	}
	got, parameters, err := mime.ParseMediaType(values[0])
	if charset := parameters["charset"]; charset != "" && !strings.EqualFold(charset, "utf-8") && !strings.EqualFold(charset, "us-ascii") {
		return formatError(fault.ContentType, fmt.Sprintf("Content-Type says charset=%.40q, JSON is UTF-8", charset))
	}
	for _, want := range append([]string{form.ContentType}, form.Accept...) {
		if wantType, _, _ := mime.ParseMediaType(want); err == nil && got == wantType { // the profile was checked
			return nil
		}
	}
	return formatError(fault.ContentType, fmt.Sprintf("Content-Type is %.80q, not %s", values[0], form.ContentType))
}

// named puts the lane's name into an error that was made without it.
func named(lane *sealane.Lane, err error) error {
	var e *sealane.Error
	if errors.As(err, &e) && e.Lane == "" {
		e.Lane = lane.Name()
	}
	return err
}

func formatError(f fault.Code, detail string) error {
	return &sealane.Error{Op: "read body", Sentinel: sealane.ErrFormat, Fault: f, Detail: detail}
}

// Token takes the token out of a body that came by other means than HTTP.
func Token(body []byte, form profile.Body) ([]byte, error) {
	token, _, err := takeToken(body, form)
	return token, err
}

// Body puts a token into the body that goes with it.
func Body(token []byte, form profile.Body) []byte {
	front, back := around(form, "", nil)
	return slices.Concat(front, token, back)
}
