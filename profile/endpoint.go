package profile

import (
	"net/url"
	"strings"
	"unicode"
)

// Endpoint is a method and path whose messages are sealed.
type Endpoint struct {
	Method     string   `yaml:"method"`
	Path       string   `yaml:"path"`       // segments in braces are variables; "any" is every path
	Identifier string   `yaml:"identifier"` // response member that is outside the token too
	Echo       []string `yaml:"echo"`       // request members that the response repeats if it has them
	Bind       []string `yaml:"bind"`       // path variables that the response repeats if it has them
	Query      []string `yaml:"query"`      // query parameters that a sealed request may have; empty: any
	// A status without a body (204, 205, 304) is a response, although it is not signed.
	Bodyless bool `yaml:"bodyless"`
}

// Find returns the endpoint of a request and the variables of its path. Paths
// are compared as they are on the wire, segment by segment: a doubled slash, a
// dot segment or an escaped letter in a fixed segment matches nothing.
func (p *Profile) Find(method string, u *url.URL) (*Endpoint, map[string]string, bool) {
	path := u.EscapedPath()
	for i := range p.Endpoints {
		e := &p.Endpoints[i]
		if e.Method != method {
			continue
		}
		if vars, ok := matchPath(e.Path, path); ok {
			return e, vars, true
		}
	}
	return nil, nil, false
}

// Seals reports whether a pattern of method and path can name a request that
// the profile seals.
func (p *Profile) Seals(method, pattern string) bool {
	segments := strings.Split(pattern, "/")
	for _, e := range p.Endpoints {
		if e.Method != method {
			continue
		}
		sealed := strings.Split(e.Path, "/")
		if e.Path == Any || len(sealed) == len(segments) && overlap(sealed, segments) {
			return true
		}
	}
	return false
}

// overlap reports whether a path can match both patterns, which have equal length.
func overlap(a, b []string) bool {
	for i := range a {
		_, varA := variable(a[i])
		_, varB := variable(b[i])
		if !varA && !varB && a[i] != b[i] {
			return false
		}
	}
	return true
}

// MatchEndpoint reports whether "METHOD /path/{variable}" names the request.
func MatchEndpoint(pattern, method string, u *url.URL) bool {
	m, path, ok := strings.Cut(pattern, " ")
	if !ok || m != method {
		return false
	}
	_, ok = matchPath(path, u.EscapedPath())
	return ok
}

func matchPath(pattern, path string) (map[string]string, bool) {
	if pattern == Any {
		return nil, true
	}
	want := strings.Split(pattern, "/")
	if strings.Count(path, "/") != len(want)-1 {
		return nil, false
	}
	got := strings.Split(path, "/")
	var vars map[string]string
	for i, w := range want {
		name, isVar := variable(w)
		if !isVar {
			if got[i] != w {
				return nil, false
			}
			continue
		}
		value, err := url.PathUnescape(got[i])
		if err != nil || value == "" || value == "." || value == ".." ||
			strings.ContainsFunc(value, func(r rune) bool { return r == '/' || r == '\\' || unicode.IsControl(r) }) {
			return nil, false // unescaped, it would be another path
		}
		if vars == nil {
			vars = map[string]string{}
		}
		vars[name] = value
	}
	return vars, true
}

func variable(segment string) (string, bool) {
	if len(segment) > 2 && segment[0] == '{' && segment[len(segment)-1] == '}' {
		return segment[1 : len(segment)-1], true
	}
	return "", false
}
