package profile

import (
	"fmt"
	"mime"
	"slices"
	"strings"

	"github.com/sealane/sealane/internal/alg"
)

// index returns the path of an item of a list.
func index(list string, i int) string { return fmt.Sprintf("%s[%d]", list, i) }

func (c check) direction(at string, d *Direction) {
	if d.Sign != nil && d.Encrypt == nil {
		c.Add(at+".sign", "is not supported without encrypt")
	}
	c.mediaType(at+".body.content_type", d.Body.ContentType)
	for _, accepted := range d.Body.Accept {
		if accepted != Any {
			c.mediaType(at+".body.accept", accepted)
		}
	}
	if !d.Sealed() {
		if d.Body.Field != "" {
			c.Add(at+".body.field", "is for sealed messages, and this direction has no encrypt")
		}
		if d.UpstreamErrors != "" {
			c.Add(at+".upstream_errors", "is for sealed messages, and this direction has no encrypt")
		}
		return
	}
	c.body(at+".body", &d.Body)
	if d.Sign != nil {
		c.protection(at+".sign", d.Sign, alg.Signatures.Names(), alg.Signatures.Names())
		if d.Sign.Enc.Seal != "" || len(d.Sign.Enc.Open) > 0 || len(d.Sign.Enc.LaneMayAdd) > 0 {
			c.Add(at+".sign.enc", "is not for a JWS: it has no content encryption")
		}
	}
	c.protection(at+".encrypt", d.Encrypt, sealingAlgorithms(), alg.KeyEncryptions.Names())
	c.algorithms(at+".encrypt.enc", &d.Encrypt.Enc, alg.Contents.Names(), alg.Contents.Names())
}

// mediaType checks a media type with both of its parts (RFC 9110, section 8.3.1).
func (c check) mediaType(at, value string) {
	if name, _, err := mime.ParseMediaType(value); err != nil || !strings.Contains(name, "/") {
		c.Add(at, "is %.40q: give a media type, such as application/json", value)
	}
}

func (c check) body(at string, b *Body) {
	if b.Field == "" {
		if len(b.Accompanying) > 0 {
			c.Add(at+".accompanying", "needs field: without it the body is the token alone")
		}
		if b.Others != "" {
			c.Add(at+".others", "needs field: without it the body is the token alone")
		}
		return
	}
	c.member(at+".field", b.Field)
	for _, name := range b.Accompanying {
		c.member(at+".accompanying", name)
		if name == b.Field {
			c.Add(at+".accompanying", "has %q, which is the field of the token", name)
		}
	}
	c.oneOf(at+".others", b.Others, "refuse", "ignore")
}

// sealingAlgorithms lists the key encryptions that messages are sealed with.
func sealingAlgorithms() []string {
	var names []string
	for _, k := range alg.KeyEncryptions {
		if !k.OpenOnly {
			names = append(names, k.Name)
		}
	}
	return names
}

func (c check) protection(at string, l *Protection, seal, open []string) {
	c.algorithms(at+".alg", &l.Alg, seal, open)
	c.param(at+".kid", l.Kid, []string{KeyID}, []string{Absent, Any, Known})
	c.param(at+".typ", l.Typ, nil, nil)
	c.param(at+".cty", l.Cty, nil, nil)
}

// algorithms checks the names of algorithms. A profile opens what it seals: both sides have it.
func (c check) algorithms(at string, a *Algorithms, seal, open []string) {
	if a.Seal == "" {
		c.Add(at+".seal", "is missing: give %s", strings.Join(seal, " or "))
	} else {
		c.oneOf(at+".seal", a.Seal, seal...)
	}
	if len(a.Open) == 0 {
		c.Add(at+".open", "lists none: give %s", strings.Join(open, " or "))
	} else if slices.Contains(seal, a.Seal) && !slices.Contains(a.Open, a.Seal) {
		c.Add(at+".open", "lacks %s, which messages are sealed with", a.Seal)
	}
	c.eachOf(at+".open", a.Open, open)
	c.eachOf(at+".lane_may_add", a.LaneMayAdd, open)
}

// param checks a header parameter. seal and open are the only values, or nil if any text is one;
// then the words that stand for key IDs are none.
func (c check) param(at string, m HeaderParam, seal, open []string) {
	switch {
	case m.Seal == "":
	case seal != nil:
		c.oneOf(at+".seal", m.Seal, seal...)
	case slices.Contains(words, m.Seal):
		c.Add(at+".seal", "is %q, and would be sent as that text: leave seal out to send none", m.Seal)
	}
	if len(m.Open) == 0 {
		c.Add(at+".open", "lists none: give at least one value, %q or %q", Absent, Any)
	}
	for _, word := range m.Open {
		switch {
		case open != nil:
			c.oneOf(at+".open", word, open...)
		case word == Known || word == KeyID || word == "":
			c.Add(at+".open", "has %q: give values, %q or %q", word, Absent, Any)
		}
	}
}
