package profile

import (
	"errors"
	"iter"
	"mime"
	"net/url"
	"slices"
	"strings"
)

// Compilable is what a lane is made from: a [*Profile], or a [*Compiled] where many
// lanes share one.
type Compilable interface {
	Compile() (*Compiled, error)
}

// Compiled is a valid profile that never changes. It is safe for concurrent use.
type Compiled struct{ p *Profile }

// Compile validates a copy of p. Later changes of p do not reach it.
func (p *Profile) Compile() (*Compiled, error) {
	if p == nil {
		return nil, errors.New("the profile is nil")
	}
	if err := p.Validate(); err != nil {
		return nil, err
	}
	return &Compiled{p.Clone()}, nil
}

// Compile returns c.
func (c *Compiled) Compile() (*Compiled, error) {
	if c == nil {
		return nil, errors.New("the profile is nil")
	}
	return c, nil
}

// Profile returns a copy of the data.
func (c *Compiled) Profile() *Profile { return c.p.Clone() }

// Name returns the profile's name.
func (c *Compiled) Name() string { return c.p.Name }

// Parties returns the names of the two sides.
func (c *Compiled) Parties() Parties { return c.p.Parties }

// Environments lists the environments; the first is the default.
func (c *Compiled) Environments() []string { return slices.Clone(c.p.Environments) }

// Match is a request's endpoint with the variables of its path.
type Match struct {
	endpoint  *Endpoint
	variables map[string]string
}

// Find returns the endpoint of a request, as [Profile.Find] does.
func (c *Compiled) Find(method string, u *url.URL) (Match, bool) {
	e, variables, ok := c.p.Find(method, u)
	return Match{e, variables}, ok
}

// Path returns the path as the profile writes it, with its variables in braces, or [Any].
func (m Match) Path() string { return m.endpoint.Path }

// Identifier returns the name of the response member that is outside the token too, or "".
func (m Match) Identifier() string { return m.endpoint.Identifier }

// Echo yields the request members that the response repeats if it has them.
func (m Match) Echo() iter.Seq[string] { return slices.Values(m.endpoint.Echo) }

// Bind yields the path variables that the response repeats if it has them.
func (m Match) Bind() iter.Seq[string] { return slices.Values(m.endpoint.Bind) }

// AllowsQuery reports whether a sealed request may have the query: the profile lists its
// parameters, or lists none. A query is not signed.
func (m Match) AllowsQuery(raw string) bool {
	allowed := m.endpoint.Query
	if raw == "" || len(allowed) == 0 {
		return true
	}
	query, err := url.ParseQuery(raw)
	if err != nil {
		return false
	}
	for name := range query {
		if !slices.Contains(allowed, name) {
			return false
		}
	}
	return true
}

// Binds reports whether the response repeats any value of its request.
func (m Match) Binds() bool {
	return m.endpoint.Identifier != "" || len(m.endpoint.Echo) > 0 || len(m.endpoint.Bind) > 0
}

// Bodyless reports whether a response whose status has no body is accepted, although it is
// not sealed.
func (m Match) Bodyless() bool { return m.endpoint.Bodyless }

// Variable returns the unescaped value of a path variable.
func (m Match) Variable(name string) (string, bool) {
	value, ok := m.variables[name]
	return value, ok
}

// Seals reports whether a pattern of method and path can name a request that the
// profile seals.
func (c *Compiled) Seals(method, pattern string) bool { return c.p.Seals(method, pattern) }

// Trigger returns the header that announces a sealed request and its value. It reports
// false if every message of the profile is sealed.
func (c *Compiled) Trigger() (header, value string, ok bool) {
	if c.p.Trigger == nil {
		return "", "", false
	}
	return c.p.Trigger.Header, c.p.Trigger.Value, true
}

// TriggerOff reports whether a value of the trigger header means the same as its absence.
func (c *Compiled) TriggerOff(value string) bool {
	return c.p.Trigger != nil &&
		slices.ContainsFunc(c.p.Trigger.Off, func(off string) bool { return strings.EqualFold(off, value) })
}

// ErrorRow returns the status and the text that answer an outcome.
func (c *Compiled) ErrorRow(on Outcome) (status int, text string, ok bool) {
	row, ok := c.p.Errors.Row(on)
	return row.Status, row.Text, ok
}

// RenderError writes the body of an error, as [Errors.Render] does.
func (c *Compiled) RenderError(id, text string) []byte { return c.p.Errors.Render(id, text) }

// OneOutcome reports whether the table of errors has a status and a text for one outcome only.
func (c *Compiled) OneOutcome(status int, text string) bool {
	found := map[Outcome]bool{}
	for _, row := range c.p.Errors.Table {
		if row.Status == status && (row.Text == text || slices.Contains(row.Also, text)) {
			found[row.On] = true
		}
	}
	return len(found) == 1
}

// RecognizeError reads an error, as [Errors.Recognize] does.
func (c *Compiled) RecognizeError(status int, body []byte) (on Outcome, id, text string, ok bool) {
	return c.p.Errors.Recognize(status, body)
}

// Request returns the direction from client to server.
func (c *Compiled) Request() CompiledDirection { return CompiledDirection{&c.p.Request} }

// Response returns the direction from server to client.
func (c *Compiled) Response() CompiledDirection { return CompiledDirection{&c.p.Response} }

// CompiledDirection is one direction of a [Compiled] profile. It never changes.
type CompiledDirection struct{ d *Direction }

// Direction returns a copy of the data.
func (c CompiledDirection) Direction() Direction { return c.d.Clone() }

// Sealed reports whether the messages are encrypted.
func (c CompiledDirection) Sealed() bool { return c.d.Encrypt != nil }

// Signed reports whether the messages are signed.
func (c CompiledDirection) Signed() bool { return c.d.Sign != nil }

// SealsErrors reports whether responses outside 2xx to sealed requests are sealed too.
func (c CompiledDirection) SealsErrors() bool { return c.d.UpstreamErrors == "sealed" }

// ContentType returns the media type of the body.
func (c CompiledDirection) ContentType() string { return c.d.Body.ContentType }

// Accepts reports whether a body may have the media type, given without parameters.
func (c CompiledDirection) Accepts(mediaType string) bool {
	for _, want := range append([]string{c.d.Body.ContentType}, c.d.Body.Accept...) {
		if name, _, _ := mime.ParseMediaType(want); name == mediaType { // the profile was validated
			return true
		}
	}
	return c.AcceptsAny()
}

// AcceptsAny reports whether every media type is accepted.
func (c CompiledDirection) AcceptsAny() bool { return slices.Contains(c.d.Body.Accept, Any) }

// Field returns the name of the JSON member that holds the token, or "" if the body is the
// token.
func (c CompiledDirection) Field() string { return c.d.Body.Field }

// Accompanies reports whether a JSON member is allowed next to the token.
func (c CompiledDirection) Accompanies(name string) bool {
	return slices.Contains(c.d.Body.Accompanying, name)
}

// RefusesOthers reports whether all further members are refused, rather than ignored.
func (c CompiledDirection) RefusesOthers() bool { return c.d.Body.Others == "refuse" }
