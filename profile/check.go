package profile

import (
	"net/http"
	"net/textproto"
	"regexp"
	"slices"
	"strings"

	"github.com/sealane/sealane/internal/strictyaml"
)

var (
	keyUsages = []string{"digitalSignature", "keyEncipherment"} // of new certificates
	wordForm  = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`)
	// headerForm is a token of RFC 9110, section 5.6.2.
	headerForm   = regexp.MustCompile("^[!#$%&'*+.^_`|~0-9A-Za-z-]+$")
	variableForm = regexp.MustCompile(`^[A-Za-z0-9_-]+$`)
)

// words stand for header parameters. Elsewhere they would be taken literally.
var words = []string{Absent, Any, Known, KeyID}

// check collects everything that is wrong with a profile. Its paths are those of a file.
type check struct{ *strictyaml.Check }

func (p *Profile) check(lines map[string]int) check {
	c := check{strictyaml.NewCheck(lines)}
	if !wordForm.MatchString(p.Name) {
		c.Add("name", "is %.40q: give 1 to 64 letters, digits, dots and dashes", p.Name)
	}
	c.required("title", p.Title)
	c.required("parties.client", p.Parties.Client)
	c.required("parties.server", p.Parties.Server)
	c.environments(p.Environments)
	c.endpoints(p)
	c.trigger(p.Trigger)
	c.direction("request", &p.Request)
	c.direction("response", &p.Response)
	if !p.Request.Sealed() {
		c.Add("request.encrypt", "is missing: requests must be encrypted")
	}
	if p.Request.UpstreamErrors != "" {
		c.Add("request.upstream_errors", "is not for requests: only the response has it")
	}
	if p.Response.Sealed() {
		c.oneOf("response.upstream_errors", p.Response.UpstreamErrors, "plain", "sealed")
	}
	c.errorTable(&p.Errors)
	c.outcomes(p)
	c.keys(p)
	return c
}

func (c check) required(path, value string) {
	if strings.TrimSpace(value) == "" {
		c.Add(path, "is missing")
	}
}

func (c check) oneOf(path, value string, allowed ...string) {
	if !slices.Contains(allowed, value) {
		c.Add(path, "is %.40q: give %s", value, strings.Join(allowed, " or "))
	}
}

func (c check) eachOf(path string, values, allowed []string) {
	for _, v := range values {
		c.oneOf(path, v, allowed...)
	}
}

// member checks the name of a JSON member. It refuses one that looks like a path of members.
func (c check) member(path, name string) {
	if name == "" || strings.ContainsAny(name, "./[]$ ") || strings.ContainsFunc(name, isControl) {
		c.Add(path, "is %.40q: give the name of one member of the outermost object; "+
			"a path of members is not supported", name)
	}
}

func (c check) environments(names []string) {
	if len(names) == 0 {
		c.Add("environments", "lists none: give at least one")
	}
	for i, name := range names {
		if !wordForm.MatchString(name) {
			c.Add("environments", "has %.40q: give 1 to 64 letters, digits, dots and dashes", name)
		}
		if slices.Contains(names[:i], name) {
			c.Add("environments", "has %q twice", name)
		}
	}
}

// hopHeaders are headers that HTTP itself uses, or that mean something else.
var hopHeaders = []string{
	"Accept", "Authorization", "Connection", "Content-Encoding", "Content-Length", "Content-Type", "Cookie", "Date",
	"Expect", "Host", "Keep-Alive", "Proxy-Authorization", "Te", "Trailer", "Transfer-Encoding", "Upgrade",
	"User-Agent",
}

func (c check) trigger(t *Trigger) {
	if t == nil {
		return
	}
	name := textproto.CanonicalMIMEHeaderKey(t.Header)
	switch {
	case !headerForm.MatchString(t.Header):
		c.Add("trigger.header", "is %.40q: give the name of a header", t.Header)
	case slices.Contains(hopHeaders, name):
		c.Add("trigger.header", "is %s, which means something else: give a header of the partner's own", name)
	}
	c.headerValue("trigger.value", t.Value)
	for _, off := range t.Off {
		c.headerValue("trigger.off", off)
		if strings.EqualFold(off, t.Value) {
			c.Add("trigger.off", "has %.40q, which is the value that announces a sealed request", off)
		}
	}
}

// headerValue checks a value that is sent and compared as it is written.
func (c check) headerValue(path, value string) {
	switch {
	case value == "" || value != strings.TrimSpace(value) || strings.ContainsFunc(value, isControl):
		c.Add(path, "is %.40q: give a header value without blanks around it", value)
	case slices.Contains(words, value):
		c.Add(path, "is %q, and would be sent as that text: the words %s are for kid, typ and cty only",
			value, strings.Join(words, ", "))
	}
}

func isControl(r rune) bool { return r < ' ' || r == 0x7f }

// withBody are the methods whose requests have a body, which a sealed request needs (RFC 9110,
// section 9.3, and RFC 5789).
var withBody = []string{http.MethodPost, http.MethodPut, http.MethodPatch}

func (c check) endpoints(p *Profile) {
	if len(p.Endpoints) == 0 {
		c.Add("endpoints", "lists none: give at least one")
	}
	for i, e := range p.Endpoints {
		at := index("endpoints", i)
		if !slices.Contains(withBody, e.Method) {
			c.Add(at+".method", "is %.40q: give %s; a request of another method has no body to seal",
				e.Method, strings.Join(withBody, ", "))
		}
		c.path(at+".path", e.Path)
		for j, earlier := range p.Endpoints[:i] {
			if earlier.Method == e.Method && covers(earlier.Path, e.Path) {
				c.Add(at+".path", "is never found: endpoint %d, %.100q, has the same requests and comes first",
					j+1, earlier.Path)
			}
		}
		for _, b := range e.Bind {
			if !strings.Contains(e.Path, "{"+b+"}") {
				c.Add(at+".bind", "has %.40q, which is not a variable of the path", b)
			}
		}
		for _, name := range e.Echo {
			c.member(at+".echo", name)
		}
		if e.Identifier != "" && !slices.Contains(p.Response.Body.Accompanying, e.Identifier) {
			c.Add(at+".identifier", "is %.40q, which is not among response.body.accompanying", e.Identifier)
		}
	}
}

// path checks a pattern: segments are compared literally, except variables in braces.
func (c check) path(at, pattern string) {
	if pattern == Any {
		return
	}
	rest, slash := strings.CutPrefix(pattern, "/")
	if !slash {
		c.Add(at, "is %.100q: begin with a slash, or give %q for every path", pattern, Any)
		return
	}
	var variables []string
	for segment := range strings.SplitSeq(rest, "/") {
		name, is := variable(segment)
		switch {
		case is && slices.Contains(variables, name):
			c.Add(at, "has the variable %.40q twice", name)
		case is && !variableForm.MatchString(name):
			c.Add(at, "has the variable %.40q: give letters, digits, _ and -", name)
		case is:
			variables = append(variables, name)
		case strings.HasPrefix(segment, ":") || strings.ContainsAny(segment, "{}*<>"):
			c.Add(at, "has %.40q, which would be compared as that text: a variable is a whole segment in braces, "+
				"such as {id}", segment)
		case segment == "" && rest != "" || segment == "." || segment == "..":
			c.Add(at, "has the segment %.40q, which no request has", segment)
		case strings.ContainsAny(segment, "?#\\ ") || strings.ContainsFunc(segment, isControl):
			c.Add(at, "has %.40q: give the path only, as it is written in a URL", segment)
		}
	}
}

// covers reports whether every path of the second pattern is one of the first.
func covers(first, second string) bool {
	if first == Any || first == second {
		return true
	}
	a, b := strings.Split(first, "/"), strings.Split(second, "/")
	if second == Any || len(a) != len(b) {
		return false
	}
	for i := range a {
		if _, is := variable(a[i]); !is && a[i] != b[i] {
			return false
		}
	}
	return true
}

// outcomes checks that there is a row for every outcome that can occur.
func (c check) outcomes(p *Profile) {
	due := []Outcome{NotSupported, PlainRefused, TooLarge, Format, NotJWE, Decryption, Unavailable}
	if p.Request.Sign != nil {
		due = append(due, NotJWS, Signature)
	}
	if p.Response.Sealed() {
		due = append(due, SealingFailed)
	}
	for _, on := range due {
		if _, ok := p.Errors.Row(on); !ok {
			c.Add("errors.table", "has no row for %q: %s", string(on), on.Error())
		}
	}
}

func (c check) keys(p *Profile) {
	c.oneOf("keys.one_pair_per", p.Keys.OnePairPer, "account", "environment")
	if p.Keys.Slots < 0 || p.Keys.Slots > 2 {
		c.Add("keys.slots", "is %d: a partner holds 1 or 2 certificates at a time", p.Keys.Slots)
	}
	if len(p.Keys.Usage) == 0 {
		c.Add("keys.usage", "lists none: give %s", strings.Join(keyUsages, " or "))
	}
	c.eachOf("keys.usage", p.Keys.Usage, keyUsages)
	if err := p.Certificate.Validate(); err != nil {
		for line := range strings.Lines(err.Error()) {
			word, text, _ := strings.Cut(strings.TrimSpace(line), ": ")
			c.Add("certificate."+word, "%s", text)
		}
		return
	}
	if !slices.Contains(p.Certificate.Bits, p.Keys.Bits) {
		c.Add("keys.bits", "is %d, which is not among certificate.bits", p.Keys.Bits)
	}
	c.ownCertificates(p)
}

// ownCertificates checks that the policy accepts the certificates that are made for new keys.
func (c check) ownCertificates(p *Profile) {
	policy := p.Certificate.KeyUsage
	for _, usage := range policy.Required {
		if slices.Contains(keyUsages, usage) && !slices.Contains(p.Keys.Usage, usage) {
			c.Add("keys.usage", "lacks %s, which certificate.key_usage.required asks for", usage)
		}
	}
	for _, usage := range p.Keys.Usage {
		known := slices.Concat(policy.Required, policy.Allowed)
		if slices.Contains(keyUsages, usage) && len(known) > 0 && !slices.Contains(known, usage) {
			c.Add("keys.usage", "has %s, which certificate.key_usage does not allow", usage)
		}
	}
	if (p.Request.Sign != nil || p.Response.Sign != nil) && !slices.Contains(p.Keys.Usage, "digitalSignature") {
		c.Add("keys.usage", "lacks digitalSignature, although messages are signed")
	}
	if !slices.Contains(p.Keys.Usage, "keyEncipherment") {
		c.Add("keys.usage", "lacks keyEncipherment, although messages are encrypted")
	}
}
