package gateway

import (
	"crypto/sha256"
	"crypto/subtle"
	"crypto/x509"
	"net/http"
	"regexp"
	"slices"
	"strings"

	"github.com/sealane/sealane"
)

// identify returns the lane of an ingress request's caller, and how the caller is known. The error is
// errUnknownCaller for a caller who is not known, whatever the reason.
func (r *route) identify(q *http.Request) (f found, how string, err error) {
	c := r.c.Caller
	switch {
	case c.Way == callerAPIKey:
		token, ok := bearer(q.Header)
		if !ok {
			return found{}, callerAPIKey, errUnknownCaller
		}
		f, err = r.source.byAPIKey(token)
		return f, "api-key " + f.apiKey, err
	case c.Way == callerMutualTLS:
		name, ok := r.certificateName(q)
		if !ok {
			return found{}, callerMutualTLS, errUnknownCaller
		}
		f, err = r.byName(name)
		return f, callerMutualTLS + " " + name, err
	case c.Way == callerUnauthenticated:
		f, err = r.source.fixed()
		return f, callerUnauthenticated, err
	case !anyContains(c.From, peer(q)):
		return found{}, "proxy", errUnknownCaller
	case c.AccountHeader != "":
		account, ok := only(values(q.Header, c.AccountHeader))
		if !ok {
			return found{}, "account", errUnknownCaller
		}
		f, err = r.source.byAccount(account)
		return f, "account", err
	}
	name, ok := subjectName(q.Header, c)
	if !ok {
		return found{}, "certificate", errUnknownCaller
	}
	f, err = r.byName(name)
	return f, "certificate " + name, err
}

// byName returns the lane of a caller whose certificate has a name that the route lists. Where the route has
// no partner of its own, the name is an account.
func (r *route) byName(name string) (found, error) {
	if r.c.Keys != nil || r.c.Partner != "" && r.c.Environment != "" {
		return r.source.fixed()
	}
	return r.source.byAccount(name)
}

// only returns the value of a header that came once and is not empty.
func only(values []string) (string, bool) {
	if len(values) != 1 || values[0] == "" || len(values[0]) > 1<<10 {
		return "", false
	}
	return values[0], true
}

// bearer returns the token of the header Authorization (RFC 6750 section 2.1).
func bearer(h http.Header) (string, bool) {
	value, ok := only(values(h, "Authorization"))
	scheme, token, _ := strings.Cut(value, " ")
	token = strings.TrimSpace(token)
	return token, ok && strings.EqualFold(scheme, "Bearer") && token != ""
}

// certificateName returns the name of the connection's client certificate that the route lists. The
// certificate was verified when the connection was made.
func (r *route) certificateName(q *http.Request) (string, bool) {
	if q.TLS == nil || len(q.TLS.VerifiedChains) == 0 {
		return "", false
	}
	leaf := q.TLS.PeerCertificates[0]
	if !slices.Contains(leaf.ExtKeyUsage, x509.ExtKeyUsageClientAuth) && len(leaf.ExtKeyUsage) > 0 &&
		!slices.Contains(leaf.ExtKeyUsage, x509.ExtKeyUsageAny) {
		return "", false
	}
	for _, name := range append(slices.Clone(leaf.DNSNames), leaf.Subject.CommonName) {
		if name != "" && slices.Contains(r.c.TLS.ClientNames, name) {
			return name, true
		}
	}
	return "", false
}

// commonName finds the common name in a subject as proxies write it (RFC 4514, or with slashes).
var (
	commonName    = regexp.MustCompile(`(?:^|[,/;+]\s*)CN\s*=\s*([^,/;+=<>]+?)\s*(?:$|[,/;+])`)
	anyCommonName = regexp.MustCompile(`(?i)CN\s*=`)
)

// subjectName returns the listed name in the header in which a proxy names the subject of the caller's
// certificate. A subject with more than one common name, or with characters that must be escaped, has none.
func subjectName(h http.Header, c *Caller) (string, bool) {
	subject, ok := only(values(h, c.CertificateHeader))
	if !ok {
		return "", false
	}
	name := subject
	if strings.Contains(subject, "=") {
		m := commonName.FindStringSubmatch(subject)
		if m == nil || len(anyCommonName.FindAllString(subject, -1)) != 1 || strings.ContainsAny(subject, `\"`) {
			return "", false
		}
		name = m[1]
	}
	return name, slices.Contains(c.Names, name)
}

// hasToken reports whether a request has the listener's token, where the route demands one.
func (r *route) hasToken(q *http.Request) bool { return r.token == nil || shows(q, r.token) }

// shows reports whether a request has the token with a SHA-256.
func shows(q *http.Request, sum []byte) bool {
	value, ok := only(values(q.Header, headerToken))
	is := sha256.Sum256([]byte(value))
	return ok && subtle.ConstantTimeCompare(is[:], sum) == 1
}

// hasCertificate reports whether a request's connection has a client certificate that the route lists, where
// it lists any.
func (r *route) hasCertificate(q *http.Request) bool {
	if r.c.TLS == nil || len(r.c.TLS.ClientNames) == 0 {
		return true
	}
	_, ok := r.certificateName(q)
	return ok
}

// senderAuth returns how the sender of messages without a signature is known on a lane of the route.
func (c *Caller) senderAuth() sealane.SenderAuth {
	switch {
	case c == nil:
		return sealane.SenderTLS
	case c.Way == callerUnauthenticated:
		return sealane.SenderUnauthenticated
	case c.Way == callerAPIKey:
		return sealane.SenderOAuth2
	}
	return sealane.SenderMutualTLS
}
