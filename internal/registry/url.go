package registry

import (
	"context"
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/internal/lanes"
)

// SetURL sets where a partner takes the requests of an environment. In production it needs a second person:
// somebody who can change the URL receives the requests, and could forge answers that are not signed.
func (s *Session) SetURL(ctx context.Context, lane lanes.Name, to string) error {
	return s.changeEnvironment(ctx, ActionURLSet, lane, func(env *Environment) error {
		env.URL = to
		return checkURL(to)
	})
}

// RemoveURL removes the URL of an environment, so that no more requests go there. One person may do it, as
// with every act that stops something.
func (s *Session) RemoveURL(ctx context.Context, lane lanes.Name) error {
	return s.changeEnvironment(ctx, ActionURLSet, lane, func(env *Environment) error {
		if env.URL == "" {
			return Refuse("environment %s of %s has no URL", lane.Environment, lane.Partner)
		}
		env.URL = ""
		return nil
	})
}

// keepsURL refuses another change of an environment that changes its URL.
func keepsURL(action Action, before, after Environment) error {
	if action == ActionURLSet || before.URL == after.URL {
		return nil
	}
	return Refuse("environment %s of %s: its URL is set by an act of its own", after.Name, after.Partner)
}

// redirects judges a new URL.
func (s *Session) redirects(entry *Entry) *second {
	before, _ := entry.Before.(Environment)
	after, is := entry.After.(Environment)
	if !is || before.URL == after.URL || after.URL == "" || after.ApprovalsNeeded() < 2 {
		return nil
	}
	return &second{why: "requests go to another URL", what: after.URL}
}

// checkURL refuses a URL that no partner has in production, or that programs read in different ways.
func checkURL(text string) error {
	u, err := url.Parse(text)
	refuse := func(why string) error { return Refuse("URL %.200q: %s", text, why) }
	if err != nil {
		return refuse("it can't be read")
	}
	_, notIP := netip.ParseAddr(u.Hostname())
	switch {
	case u.Scheme != "https":
		return refuse("use https")
	case u.User != nil || u.RawQuery != "" || u.ForceQuery || u.Fragment != "" || u.Opaque != "":
		return refuse("it must have no user, no query and no fragment")
	case u.Hostname() == "" || notIP == nil || !strings.Contains(u.Hostname(), ".") || allDigits(u.Hostname()):
		return refuse("use the name of a host, and no address")
	case u.String() != text || strings.ContainsAny(u.EscapedPath(), `%;\`) || strings.Contains(u.Path, "//") ||
		slices.ContainsFunc(strings.Split(u.Path, "/"), func(s string) bool { return s == "." || s == ".." }):
		return refuse("use a plain path: no escapes, doubled slashes or dots")
	}
	return nil
}

// allDigits reports whether the last label of a host is a number, as in addresses that programs read, such as
// 127.1 and 0x7f.1.
func allDigits(host string) bool {
	last := host[strings.LastIndexByte(strings.TrimSuffix(host, "."), '.')+1:]
	return strings.Trim(strings.ToLower(strings.TrimPrefix(last, "0x")), "0123456789abcdef.") == "" &&
		strings.ContainsAny(last, "0123456789")
}

// checkSideForURL refuses a URL of a partner that calls us.
func checkSideForURL(p Partner, env Environment) error {
	if p.Side != sealane.ClientSide && env.URL != "" {
		return fmt.Errorf("environment %s of %s: %w", env.Name, env.Partner,
			Refuse("the partner calls us, so that there is no URL to call"))
	}
	return nil
}
