package operation

import (
	"cmp"
	"context"
	"encoding/hex"
	"errors"
	"math/big"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/sealane/sealane/internal/lanes"
	"github.com/sealane/sealane/internal/pasted"
	"github.com/sealane/sealane/internal/registry"
)

// Search asks for everything in the registry that a text may mean.
type Search struct {
	// Text is an identity, key ID (alias), serial number, checksum, common name, mail address, a
	// partner's or person's name, an API key or its first characters. Of names and addresses a part
	// is enough, in any case.
	Text  string `json:"text"`
	Limit int    `json:"limit"` // results at most; 0 is 50
}

// Found is the result of a search, the exact matches first.
type Found struct {
	Hits []Hit `json:"hits"`
	More bool  `json:"more"` // there are more: say more of the text
	Damage
}

// Hit is one thing that was found.
type Hit struct {
	Kind        string    `json:"kind"` // certificate, key pair, partner, contact, account, API key or person
	ID          string    `json:"id"`
	Partner     string    `json:"partner,omitempty"`
	Environment string    `json:"environment,omitempty"`
	Name        string    `json:"name,omitempty"`  // common name, full name or label
	State       string    `json:"state,omitempty"` // such as active, archived or revoked
	Ends        time.Time `json:"not_after,omitzero"`
	By          string    `json:"by"` // what the text is of it, such as "serial number"
}

// Bounds of a search.
const (
	defaultHits = 50
	maxHits     = 500
	maxSearch   = 1000 // characters
)

// Find searches for a text.
var Find = trying(reading("Find", func(ctx context.Context, v *registry.Viewer, in Search) (Found, error) {
	f := finder{text: strings.TrimSpace(pasted.Clean([]byte(in.Text))), limit: cmp.Or(in.Limit, defaultHits)}
	if f.limit < 1 || f.limit > maxHits {
		return Found{}, registry.Refuse("%d results are asked for: 1 to %d are possible", f.limit, maxHits)
	}
	if n := len([]rune(f.text)); n < 2 || n > maxSearch {
		return Found{}, registry.Refuse("the text is too short or too long: give it 2 to %d characters", maxSearch)
	}
	err := v.View(ctx, func(tx registry.Reader) error {
		f.tx, f.viewer = tx, v
		return f.find()
	})
	slices.Sort(f.Damaged)
	f.Damaged = slices.Compact(f.Damaged)
	return Found{f.hits, f.more, f.Damage}, err
}))

// finder is one search.
type finder struct {
	tx     registry.Reader
	viewer *registry.Viewer
	text   string
	limit  int
	hits   []Hit
	more   bool
	Damage
}

// secret is a whole API key or token. It is searched by its hash only.
var secret = regexp.MustCompile(`^sealane_(api|person)_[a-z2-7]{20,}$`)

func (f *finder) find() error {
	if m := secret.FindStringSubmatch(f.text); m != nil {
		return f.bySecret(m[1])
	}
	for _, search := range []func() error{
		f.byImported, f.byIdentity, f.byChecksum, f.bySerial, f.partners, f.environments, f.people, f.apiKeys,
		f.certificatesLike("", registry.CertificateQuery{Containing: f.text}),
	} {
		if err := search(); err != nil {
			return err
		}
	}
	return nil
}

// add adds a hit, unless the same is there by a better reason.
func (f *finder) add(h Hit) {
	same := func(o Hit) bool {
		return o.Kind == h.Kind && o.ID == h.ID && o.Partner == h.Partner && o.Environment == h.Environment
	}
	switch {
	case slices.ContainsFunc(f.hits, same):
	case len(f.hits) == f.limit:
		f.more = true
	default:
		f.hits = append(f.hits, h)
	}
}

// known reports whether there is a row that can be read, without an error where there is none.
func (f *finder) known(err error) (bool, error) {
	if err == nil {
		return true, nil
	}
	if err = f.lackOne(err); errors.Is(err, registry.ErrNotFound) {
		err = nil
	}
	return false, err
}

func (f *finder) bySecret(kind string) error {
	if kind == "api" {
		return f.byAPIKey()
	}
	hash := lanes.TokenHash(f.text)
	p, err := f.tx.PersonBySHA256(hash[:])
	if is, err := f.known(err); !is {
		return err
	}
	f.add(personHit(p, "the token itself"))
	return nil
}

func (f *finder) byAPIKey() error {
	k, err := f.viewer.APIKeyOf(f.tx, f.text)
	if is, err := f.known(err); !is {
		return err
	}
	f.add(apiKeyHit(k, "the key itself"))
	return nil
}

// byImported searches for an API key of any form, if the root key was loaded.
func (f *finder) byImported() error {
	err := f.byAPIKey()
	if _, refused := errors.AsType[*RefusedError](err); refused {
		return nil
	}
	return err
}

func (f *finder) byIdentity() error {
	id := strings.ToLower(f.text)
	const by = "identity"
	k, err := f.tx.KeyPair(id)
	if is, err := f.known(err); err != nil {
		return err
	} else if is {
		if err := f.certificatesLike(by, registry.CertificateQuery{KeyPair: k.ID})(); err != nil {
			return err
		}
	}
	c, err := f.tx.Certificate(id)
	if is, err := f.known(err); err != nil {
		return err
	} else if is {
		f.add(certificateHit(c, by))
	}
	a, err := f.tx.APIKey(id)
	if is, err := f.known(err); err != nil {
		return err
	} else if is {
		f.add(apiKeyHit(a, by))
	}
	p, err := f.tx.Partner(id)
	if is, err := f.known(err); err != nil {
		return err
	} else if is {
		f.add(partnerHit(p, by))
	}
	e, err := f.tx.Person(id)
	if is, err := f.known(err); is {
		f.add(personHit(e, by))
		return nil
	} else {
		return err
	}
}

// byChecksum searches by SHA-256 and SHA-1, in any notation.
func (f *finder) byChecksum() error {
	sums, _ := pasted.Checksums([]byte(f.text))
	for _, s := range sums {
		var queries map[string]registry.CertificateQuery
		switch len(s.Octets) {
		case 32:
			queries = map[string]registry.CertificateQuery{
				"SHA-256": {SHA256: s.Octets}, "SHA-256 of the file": {FileSHA256: s.Octets},
				"SHA-256 of the public key": {SPKISHA256: s.Octets},
			}
		case 20:
			queries = map[string]registry.CertificateQuery{"SHA-1": {SHA1: s.Octets}}
		}
		for _, by := range []string{"SHA-256", "SHA-256 of the public key", "SHA-256 of the file", "SHA-1"} {
			if q, is := queries[by]; is {
				if err := f.certificatesLike(by, q)(); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// bySerial searches by a serial number, which may be in decimal or in hexadecimal.
func (f *finder) bySerial() error {
	for _, serial := range serials(f.text) {
		if err := f.certificatesLike("serial number", registry.CertificateQuery{Serial: serial})(); err != nil {
			return err
		}
	}
	return nil
}

// maxSerial is how many hexadecimal digits a serial number has at most (RFC 5280), and some more.
const maxSerial = 48

// serials returns the serial numbers that a text may be, in hexadecimal.
func serials(text string) (all []string) {
	digits := strings.Map(func(r rune) rune {
		if strings.ContainsRune(": -\t", r) {
			return -1
		}
		return r
	}, strings.ToLower(text))
	digits = strings.TrimPrefix(digits, "0x")
	if len(digits) > 2*maxSerial {
		return nil
	}
	if n, ok := new(big.Int).SetString(digits, 10); ok && n.Sign() > 0 && digits == strings.TrimSpace(text) {
		all = append(all, n.Text(16))
	}
	_, err := hex.DecodeString(digits + strings.Repeat("0", len(digits)%2))
	if err == nil && len(digits) <= maxSerial {
		if n, ok := new(big.Int).SetString(digits, 16); ok && n.Sign() > 0 {
			all = append(all, n.Text(16))
		}
	}
	return all
}

// certificatesLike searches certificates. Where by is empty, each hit says what the text is of it.
func (f *finder) certificatesLike(by string, q registry.CertificateQuery) func() error {
	return func() error {
		q.Limit = f.limit + 1
		certificates, damaged, err := registry.Readable(f.tx.Certificates(q))
		f.lack(damaged)
		for _, c := range certificates {
			f.add(certificateHit(c, cmp.Or(by, f.partOf(c.CommonName, "common name"), f.partOf(c.KeyID, "key ID"),
				"mail address")))
		}
		return err
	}
}

// partOf returns what a text is called if it contains the one that is searched.
func (f *finder) partOf(text, name string) string {
	if strings.Contains(registry.Fold(text), registry.Fold(f.text)) {
		return name
	}
	return ""
}

func (f *finder) partners() error {
	q := registry.PartnerQuery{Page: registry.Page{Limit: f.limit + 1}, Containing: f.text}
	partners, damaged, err := registry.Readable(f.tx.PartnersLike(q))
	f.lack(damaged)
	for _, p := range partners {
		f.add(partnerHit(p, cmp.Or(f.partOf(p.Name, "name"), "identity")))
	}
	return err
}

// environments searches contacts and accounts.
func (f *finder) environments() error {
	environments, damaged, err := registry.Readable(f.tx.EnvironmentsLike(f.text, f.limit+1))
	f.lack(damaged)
	for _, e := range environments {
		hit := Hit{Partner: e.Partner, Environment: e.Name}
		for _, c := range e.Contacts {
			if by := cmp.Or(f.partOf(c.Email, "mail address"), f.partOf(c.Name, "name")); by != "" {
				hit.Kind, hit.ID, hit.Name, hit.State, hit.By = "contact", c.Email, c.Name, string(c.Role), by
				f.add(hit)
			}
		}
		hit.Name, hit.State = "", ""
		if by := f.partOf(e.Account, "account"); by != "" {
			hit.Kind, hit.ID, hit.By = "account", e.Account, by
			f.add(hit)
		}
		if by := f.partOf(e.MailFrom, "sender of our mails"); by != "" {
			hit.Kind, hit.ID, hit.By = "account", e.MailFrom, by
			f.add(hit)
		}
	}
	return err
}

func (f *finder) people() error {
	people, damaged, err := registry.Readable(f.tx.People())
	f.lack(damaged)
	for _, p := range people {
		if by := cmp.Or(f.partOf(p.ID, "identity"), f.partOf(p.Name, "name"), f.partOf(p.Email, "mail address"),
			f.partOf(p.Prefix, "first characters of the token")); by != "" {
			f.add(personHit(p, by))
		}
	}
	return err
}

func (f *finder) apiKeys() error {
	keys, damaged, err := registry.Readable(f.tx.APIKeysLike(f.text, f.limit+1))
	f.lack(damaged)
	for _, k := range keys {
		f.add(apiKeyHit(k, cmp.Or(f.partOf(k.Label, "label"), "first characters")))
	}
	return err
}

func certificateHit(c registry.Certificate, by string) Hit {
	h := Hit{
		Kind: "certificate", ID: c.ID, Partner: c.Partner, Environment: c.Environment, Name: c.CommonName,
		State: string(c.State), Ends: c.NotAfter, By: by,
	}
	if c.Owner == registry.Ours {
		h.Kind, h.ID = "key pair", c.KeyPair
	}
	return h
}

func partnerHit(p registry.Partner, by string) Hit {
	h := Hit{Kind: "partner", ID: p.ID, Partner: p.ID, Name: p.Name, By: by}
	if !p.Archived.IsZero() {
		h.State = "archived"
	}
	return h
}

func personHit(p registry.Person, by string) Hit {
	h := Hit{Kind: "person", ID: p.ID, Name: p.Name, By: by}
	if !p.Revoked.IsZero() {
		h.State = "revoked"
	}
	return h
}

func apiKeyHit(k registry.APIKey, by string) Hit {
	h := Hit{
		Kind: "API key", ID: k.ID, Partner: k.Partner, Environment: k.Environment, Name: k.Label, By: by,
		State: "valid",
	}
	if !k.Revoked.IsZero() {
		h.State = "revoked"
	}
	return h
}
