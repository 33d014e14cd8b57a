// Package exchange walks certificates from one partner to the other: ours are
// offered and confirmed; theirs are received, compared with a checksum that came
// by another way, approved, and put to use. Each step says what comes next and
// who is waited for.
package exchange

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"fmt"
	"hash/crc32"
	"maps"
	"slices"
	"strings"
	"text/template"
	"time"

	"github.com/sealane/sealane/cert"
	"github.com/sealane/sealane/internal/registry"
	"github.com/sealane/sealane/profile"
)

// Exchange works at somebody's desk.
type Exchange struct {
	*registry.Desk
	screened map[[sha256.Size]byte]error // what was found of public keys beforehand, by SPKI
}

// At gives the exchange as the person at that desk may do it.
func At(d *registry.Desk) Exchange { return Exchange{Desk: d} }

// Parcel is a certificate of ours as it goes to a partner: in the formats that
// partners take, with a covering letter, and apart from them a second letter with
// the checksums.
type Parcel struct {
	Profile     *profile.Profile
	Environment string
	KeyID       string // empty where the partner assigns it
	MailFrom    string // the address from which mails about it will come; may be empty
	Certificate *x509.Certificate
}

// Base names the files.
func (p Parcel) Base() string { return BaseName(p.Certificate.Subject.CommonName, p.Environment) }

// BaseName names the files of a certificate: the common name, cut to harmless
// characters, and the environment.
func BaseName(commonName, environment string) string {
	name := strings.Map(func(r rune) rune {
		switch {
		case 'a' <= r && r <= 'z', 'A' <= r && r <= 'Z', '0' <= r && r <= '9', r == '-':
			return r
		}
		return '-'
	}, commonName)
	if len(name) > 40 {
		name = name[:40]
	}
	if name = strings.Trim(name, "-"); name == "" {
		name = fmt.Sprintf("certificate-%08x", crc32.ChecksumIEEE([]byte(commonName)))
	}
	return name + "-" + strings.ToLower(environment)
}

// Files gives the certificate's files by their names.
func (p Parcel) Files() (map[string][]byte, error) {
	forms, err := cert.WriteForms(p.Certificate)
	if err != nil {
		return nil, err
	}
	files := map[string][]byte{}
	for extension, data := range forms {
		files[p.Base()+extension] = data
	}
	return files, nil
}

// Letters gives the covering letter, and the letter with the checksums for a
// second message. Each begins with its subject.
func (p Parcel) Letters() (covering, checksums []byte, err error) {
	files, err := p.Files()
	if err != nil {
		return nil, nil, err
	}
	subject := p.Certificate.Subject
	facts := letterFacts{
		Profile: p.Profile.Title, Environment: p.Environment, KeyID: p.KeyID, MailFrom: p.MailFrom, OnePairPer: p.Profile.Keys.OnePairPer,
		AskKeyID: p.KeyID == "" && p.Profile.Certificate.KeyIDFormat == cert.KeyIDSixPart,
		Serial:   fmt.Sprintf("%x", p.Certificate.SerialNumber), SerialDecimal: p.Certificate.SerialNumber.String(),
		CommonName: subject.CommonName, Organization: strings.Join(subject.Organization, ", "), Unit: strings.Join(subject.OrganizationalUnit, ", "),
		Email: strings.Join(p.Certificate.EmailAddresses, ", "), Certificate: p.Certificate, Table: cert.Fingerprints(nil, p.Certificate),
	}
	if pub, ok := p.Certificate.PublicKey.(*rsa.PublicKey); ok {
		facts.Bits = pub.N.BitLen()
	}
	for name, data := range files {
		facts.Files = append(facts.Files, letterFile{name, cert.Fingerprints(data, p.Certificate).Rows[0].SHA256.Hex})
	}
	slices.SortFunc(facts.Files, func(a, b letterFile) int { return strings.Compare(a.Name, b.Name) })
	var first, second bytes.Buffer
	if err := coveringLetter.Execute(&first, facts); err != nil {
		return nil, nil, err
	}
	err = checksumLetter.Execute(&second, facts)
	return first.Bytes(), second.Bytes(), err
}

// letterFacts are what the letters' templates see.
type letterFacts struct {
	Profile, Environment, KeyID, MailFrom, OnePairPer, Serial, SerialDecimal string
	CommonName, Organization, Unit, Email                                    string
	AskKeyID                                                                 bool // the partner assigns it
	Certificate                                                              *x509.Certificate
	Bits                                                                     int
	Files                                                                    []letterFile
	Table                                                                    cert.FingerprintTable
}

type letterFile struct{ Name, SHA256 string }

var coveringLetter = template.Must(template.New("covering").Parse(`Subject: {{.Profile}}: our certificate for {{.Environment}}

Please find attached our certificate for {{.Profile}}, environment {{.Environment}}.
The same certificate is attached in four formats; any one of them will do:
{{range .Files}}  {{.Name}}
{{end}}
  Common name    {{.CommonName}}
{{- with .Organization}}
  Organization   {{.}}{{end}}
{{- with .Unit}}
  Unit           {{.}}{{end}}
{{- with .Email}}
  Contact        {{.}}{{end}}
  Serial number  {{.Serial}} (decimal {{.SerialDecimal}})
{{- with .KeyID}}
  Key ID (alias) {{.}}{{end}}
  Key            RSA, {{.Bits}} bits, one pair per {{.OnePairPer}}, used for nothing else
  Valid          {{.Certificate.NotBefore.UTC.Format "2006-01-02 15:04 MST"}} to {{.Certificate.NotAfter.UTC.Format "2006-01-02 15:04 MST"}}

What to do:
  1. Wait for our second message, which holds the SHA-256 checksum, and compare it
     with the certificate that you received. If they differ, do not install it:
     call us at a number that you knew before.
  2. Install the certificate in {{.Environment}} only.
{{- if .AskKeyID}}
  3. Tell us the key ID (alias) that your messages will carry for this key.{{end}}
  {{if .AskKeyID}}4{{else}}3{{end}}. Tell us when it is installed.
{{- with .MailFrom}}

Our mails about this certificate, such as the notice before it expires, will come
from {{.}}. Please let your filters pass them.{{end}}
`))

var checksumLetter = template.Must(template.New("checksum").Parse(`Subject: {{.Profile}}: checksum of our certificate for {{.Environment}}

This is the second message. It holds the SHA-256 checksums of the certificate that
we sent you for {{.Profile}}, environment {{.Environment}}
(common name {{.CommonName}}, serial number {{.Serial}}).

The certificate itself, in any format (openssl x509 -fingerprint -sha256, keytool -printcert):
{{range .Table.Rows}}{{if eq .Of "the DER certificate"}}  {{.SHA256.Colons}}
  {{.SHA256.Hex}}
{{end}}{{end}}
The files as we sent them (sha256sum):
{{range .Files}}  {{.SHA256}}  {{.Name}}
{{end}}
If one of them matches, the certificate is ours. If none does, do not install it:
call us at a number that you knew before.
`))

// Offer gives the parcel of a key pair of ours for a partner, and records that it
// goes out.
func (x Exchange) Offer(ctx context.Context, pair, partner, reason string) (Parcel, error) {
	var parcel Parcel
	err := x.Change(ctx, registry.Entry{Action: "exchange.offer", Subject: "key/" + pair, Partner: partner, Reason: reason}, func(tx registry.Tx, e *registry.Entry) error {
		k, c, err := ourPair(tx, pair)
		if err != nil {
			return err
		}
		if !k.State.InUse() {
			return fmt.Errorf("key pair %s is %s; there is nothing to offer", pair, k.State)
		}
		env, err := registry.FindEnvironment(tx, partner, k.Environment)
		if err != nil {
			return err
		}
		p, err := tx.Partner(partner)
		if err != nil {
			return err
		}
		if k.Partner != "" && k.Partner != partner || p.Profile != k.Profile {
			return fmt.Errorf("key pair %s is %s, and not for %s, who speaks %s", pair, describePair(k), partner, p.Profile)
		}
		dialect, err := registry.LoadProfile(tx, k.Profile)
		if err != nil {
			return err
		}
		chain, err := c.Parse()
		if err != nil {
			return err
		}
		parcel = Parcel{Profile: dialect, Environment: k.Environment, KeyID: k.KeyID, MailFrom: env.MailFrom, Certificate: chain[0]}
		return x.offered(tx, e, k, &c, partner, func(o *registry.Offer) { o.At = x.Time() })
	})
	return parcel, err
}

// offered notes how far a certificate of ours is with a partner.
func (x Exchange) offered(tx registry.Tx, e *registry.Entry, k registry.KeyPair, c *registry.Certificate, partner string, note func(*registry.Offer)) error {
	e.Partner, e.Environment, e.Before = partner, k.Environment, *c
	e.After = *c
	if partner == "" { // imported: who has it is not known here
		return nil
	}
	offers := maps.Clone(c.Exchange.Offers)
	if offers == nil {
		offers = map[string]registry.Offer{}
	}
	one := offers[partner]
	note(&one)
	offers[partner] = one
	c.Exchange.Offers = offers
	e.After = *c
	return tx.PutCertificate(c)
}

// Alias records the key ID of a key. For a certificate of the partner's we assign
// it; for a key pair of ours the partner has, and their name is kept as it is.
//
// One that is there is not replaced but by naming it.
func (x Exchange) Alias(ctx context.Context, id, keyID, replace, reason string) error {
	return x.Change(ctx, registry.Entry{Action: "exchange.alias", Reason: reason}, func(tx registry.Tx, e *registry.Entry) error {
		c, err := tx.Certificate(id)
		pair := registry.KeyPair{}
		if strings.HasPrefix(id, "k-") {
			pair, c, err = ourPair(tx, id)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", id, err)
		}
		if c.Owner == registry.Ours && pair.ID == "" {
			if pair, c, err = ourPair(tx, c.KeyPair); err != nil {
				return err
			}
		}
		switch {
		case c.KeyID != "" && c.KeyID != keyID && c.KeyID != replace:
			return fmt.Errorf("%s has the key ID %q already, and messages may carry it: to replace it, name it (--replace)", id, c.KeyID)
		case !c.State.Open() && !c.State.InUse():
			return fmt.Errorf("%s is %s: it needs no key ID any more", id, c.State)
		}
		dialect, err := registry.LoadProfile(tx, c.Profile)
		if err != nil {
			return err
		}
		if err := x.CheckKeyID(tx, keyID, &c, dialect, c.Owner == registry.Ours); err != nil {
			return err
		}
		e.Subject, e.Partner, e.Environment, e.Before = "certificate/"+c.ID, c.Partner, c.Environment, c
		c.KeyID = keyID
		e.After = c
		if err := tx.PutCertificate(&c); err != nil || pair.ID == "" {
			return err
		}
		pair.KeyID = keyID
		return tx.PutKeyPair(&pair)
	})
}

// Confirmed records that a partner has installed a certificate of ours, and makes
// its key pair the active one; the one before it still opens. The partner may be
// left out where the pair is for one alone, or came in from elsewhere.
func (x Exchange) Confirmed(ctx context.Context, pair, partner, reason string) error {
	return x.Change(ctx, registry.Entry{Action: "exchange.activate", Subject: "key/" + pair, Reason: reason}, func(tx registry.Tx, e *registry.Entry) error {
		k, c, err := ourPair(tx, pair)
		if err != nil {
			return err
		}
		partner := cmp.Or(partner, k.Partner)
		dialect, err := registry.LoadProfile(tx, k.Profile)
		if err != nil {
			return err
		}
		switch {
		case partner == "" && k.Origin != "imported":
			return fmt.Errorf("key pair %s is %s: say which partner has installed it (--partner)", pair, describePair(k))
		case k.Origin != "imported" && c.Exchange.Offers[partner].At.IsZero():
			return fmt.Errorf("key pair %s was not offered to %s: sealane exchange offer %s --to %s --out FOLDER", pair, partner, pair, partner)
		case keyIDNeeded(dialect) && k.KeyID == "":
			return fmt.Errorf("key pair %s has no key ID, and messages of %s carry one: record what the partner assigns (sealane exchange alias %s KEYID)", pair, k.Profile, pair)
		case x.Time().After(c.NotAfter):
			return fmt.Errorf("the certificate of key pair %s has expired on %s: make a new pair", pair, c.NotAfter.Format(time.DateOnly))
		}
		if err := x.offered(tx, e, k, &c, partner, func(o *registry.Offer) { o.Confirmed = x.Time() }); err != nil || k.State == registry.Active {
			return err
		}
		return x.ActivatePair(tx, &k)
	})
}

func ourPair(tx registry.Tx, id string) (registry.KeyPair, registry.Certificate, error) {
	k, err := tx.KeyPair(id)
	if err != nil {
		return k, registry.Certificate{}, fmt.Errorf("key pair %s: %w", id, err)
	}
	c, err := tx.Certificate(k.Certificate)
	return k, c, err
}

func describePair(k registry.KeyPair) string {
	if k.Partner == "" {
		return fmt.Sprintf("for all of %s in %s", k.Profile, k.Environment)
	}
	return fmt.Sprintf("for %s in %s", k.Partner, k.Environment)
}
