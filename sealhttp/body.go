package sealhttp

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"slices"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/internal/fault"
	"github.com/sealane/sealane/internal/strictjson"
	"github.com/sealane/sealane/profile"
)

// spare is what a body may have beside its token: braces, names, identifiers.
const spare = 8 << 10

// member is one of the members beside the token.
type member = strictjson.Member

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
		return body, nil, nil
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

// putToken writes the body around a token. name and id, where given, go in
// front of it.
func putToken(token []byte, form profile.Body, name, id string) []byte {
	if form.Field == "" {
		return token
	}
	b := make([]byte, 0, len(token)+len(form.Field)+len(name)+len(id)+64)
	b = append(b, '{')
	if name != "" {
		b = appendString(b, name)
		b = append(b, ':')
		b = appendString(b, id)
		b = append(b, ',')
	}
	b = appendString(b, form.Field)
	b = append(b, `:"`...)
	b = append(b, token...) // base64url and dots: nothing to escape
	return append(b, `"}`...)
}

func appendString(b []byte, s string) []byte {
	quoted, _ := json.Marshal(s) // a string always marshals
	return append(b, quoted...)
}

// readBody reads at most limit bytes. declared is the Content-Length or -1.
func readBody(r io.Reader, declared int64, limit int) ([]byte, error) {
	large := fmt.Sprintf("body has more than %d bytes", limit)
	if declared > int64(limit) {
		return nil, &sealane.Error{Op: "read", Lane: "body", Sentinel: sealane.ErrTooLarge, Fault: fault.BodyTooLarge, Detail: large}
	}
	if r == nil {
		return nil, nil
	}
	var b bytes.Buffer
	if declared > 0 {
		b.Grow(int(declared) + bytes.MinRead) // what is promised within the limit
	}
	n, err := b.ReadFrom(io.LimitReader(r, int64(limit)+1))
	if err != nil {
		return nil, &sealane.Error{Op: "read", Lane: "body", Sentinel: sealane.ErrFormat, Fault: fault.BodyUnreadable, Err: err}
	}
	if n > int64(limit) {
		return nil, &sealane.Error{Op: "read", Lane: "body", Sentinel: sealane.ErrTooLarge, Fault: fault.BodyTooLarge, Detail: large}
	}
	return b.Bytes(), nil
}

// checkContentType refuses a media type other than the profile's; none at all
// is accepted, for the body itself says what it is.
func checkContentType(got, want string) error {
	if got == "" {
		return nil
	}
	gotType, _, err := mime.ParseMediaType(got)
	wantType, _, _ := mime.ParseMediaType(want) // the profile was checked
	if err != nil || gotType != wantType {
		return formatError(fault.ContentType, fmt.Sprintf("Content-Type is %.80q, not %s", got, want))
	}
	return nil
}

func formatError(f fault.Code, detail string) error {
	return &sealane.Error{Op: "read", Lane: "body", Sentinel: sealane.ErrFormat, Fault: f, Detail: detail}
}

// Token takes the token out of a body that came by other means than HTTP.
func Token(body []byte, form profile.Body) ([]byte, error) {
	token, _, err := takeToken(body, form)
	return token, err
}

// Body puts a token into the body that goes with it.
func Body(token []byte, form profile.Body) []byte { return putToken(token, form, "", "") }
