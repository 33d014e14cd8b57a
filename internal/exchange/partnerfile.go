package exchange

import (
	"bytes"
	"context"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"time"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/cert"
	"github.com/sealane/sealane/internal/alg"
	"github.com/sealane/sealane/internal/jose"
	"github.com/sealane/sealane/internal/registry"
	"github.com/sealane/sealane/profile"
)

// PartnerFile is what one Sealane tells another of itself: its certificate, and whom to
// write to. It is a JWS by the key of that certificate, so that nothing in it can be changed
// on the way. Its typ keeps it from being taken for a message of a lane.
//
// A key that is for encryption alone signs nothing. Then the file is plain JSON, and says that it
// is unsigned. In both cases only the checksum and the approval say whose key it is.
type PartnerFile struct {
	Format       string             `json:"format"` // see partnerFormat
	Name         string             `json:"name"`
	Profile      string             `json:"profile"`
	Side         sealane.Side       `json:"side"` // the sender's
	Environment  string             `json:"environment"`
	KeyID        string             `json:"key_id,omitempty"`
	Certificates [][]byte           `json:"certificates"` // DER, the leaf first
	Contacts     []registry.Contact `json:"contacts,omitempty"`
	MailFrom     string             `json:"mail_from,omitempty"`
	Created      time.Time          `json:"created"`
	Unsigned     string             `json:"unsigned,omitempty"` // why it is not signed
}

const (
	partnerFormat  = "sealane-partner-1"
	partnerType    = "sealane-partner+jws" // typ in the header
	encryptOnly    = "the key is for encryption only"
	maxPartnerFile = 256 << 10
)

// PartnerFileOptions says what a partner file holds.
type PartnerFileOptions struct {
	Target   Target
	Name     string // ours, as the partner reads it
	Contacts []registry.Contact
}

// Export passes the partner file of a key pair of ours, for a partner, to deliver, which writes
// it, and records that it was offered. If deliver fails, nothing is recorded.
func (e Exchange) Export(ctx context.Context, o PartnerFileOptions, deliver func([]byte) error) error {
	record := registry.Entry{
		Action: registry.ActionPartnerExport, Subject: "key/" + o.Target.KeyPair, Partner: o.Target.Partner,
	}
	return e.session.Change(ctx, record, func(tx registry.Tx, entry *registry.Entry) error {
		k, c, err := ourPair(tx, o.Target.KeyPair)
		if err != nil {
			return err
		}
		env, err := forPartner(tx, k, o.Target.Partner)
		if err != nil {
			return err
		}
		p, err := tx.Partner(o.Target.Partner)
		if err != nil {
			return err
		}
		if !k.State.InUse() {
			return registry.Refuse("key pair %s is %s; there is nothing to send", k.ID, k.State)
		}
		if err := e.mayLeave(tx, k, o.Target.Partner); err != nil {
			return err
		}
		prof, err := registry.LoadProfile(tx, k.Profile)
		if err != nil {
			return err
		}
		file, err := e.partnerFile(k, c, prof, PartnerFile{
			Format: partnerFormat, Name: o.Name,
			Profile: k.Profile, Side: p.Side, Environment: k.Environment, KeyID: k.KeyID,
			Certificates: append([][]byte{c.DER}, c.Chain...), Contacts: o.Contacts, MailFrom: env.MailFrom,
			Created: e.session.Time(),
		})
		if err != nil {
			return err
		}
		if err := e.recordOffer(tx, entry, k, o.Target.Partner); err != nil {
			return err
		}
		return deliver(file)
	})
}

// partnerFile returns the file: signed, if the key may sign and no lane could take the file for a
// message.
func (e Exchange) partnerFile(
	k registry.KeyPair, c registry.Certificate, prof *profile.Profile, f PartnerFile,
) ([]byte, error) {
	chain, err := c.Parse()
	if err != nil {
		return nil, err
	}
	signed := maySign(chain[0])
	if !signed {
		f.Unsigned = encryptOnly
	}
	typ := partnerType
	for _, d := range []*profile.Direction{&prof.Request, &prof.Response} {
		if d.Sign != nil && d.Sign.Typ.Accepts(&typ) {
			signed, f.Unsigned = false, "messages of the profile may have its typ"
		}
	}
	payload, err := json.Marshal(f)
	if err != nil || !signed {
		return payload, err
	}
	return e.session.Sign(k, partnerType, payload)
}

// maySign reports whether a certificate allows its key to sign. One without a key usage allows
// all (RFC 5280 section 4.2.1.3).
func maySign(c *x509.Certificate) bool {
	return c.KeyUsage == 0 || c.KeyUsage&x509.KeyUsageDigitalSignature != 0
}

// ReadPartnerFile parses what Export returned. It verifies a signed file by the certificate in
// it; the Unsigned of any other says why it is not signed.
func ReadPartnerFile(data []byte) (*PartnerFile, []*x509.Certificate, error) {
	data = bytes.TrimSpace(data)
	if len(data) > maxPartnerFile {
		return nil, nil, registry.Refuse("the partner file has %d bytes, more than %d", len(data), maxPartnerFile)
	}
	signed := !bytes.HasPrefix(data, []byte("{"))
	payload := data
	if signed {
		parts := bytes.Split(data, []byte("."))
		if len(parts) != 3 {
			return nil, nil, registry.Refuse("this is no partner file of Sealane: it is one line with two dots in it")
		}
		var err error
		if payload, err = base64.RawURLEncoding.DecodeString(string(parts[1])); err != nil {
			return nil, nil, registry.Refuse("this is no partner file of Sealane: it is not base64url")
		}
	}
	f, chain, err := parsePartnerFile(payload)
	if err != nil {
		return nil, nil, err
	}
	if signed {
		if err := verifyPartnerFile(data, chain[0]); err != nil {
			return nil, nil, err
		}
	}
	if signed != (f.Unsigned == "") || !signed && f.Unsigned == encryptOnly && maySign(chain[0]) {
		return nil, nil, registry.Refuse("the partner file is not signed, and its key may sign: ask for it again")
	}
	return f, chain, nil
}

// parsePartnerFile parses the content of a partner file, and checks its key.
func parsePartnerFile(payload []byte) (*PartnerFile, []*x509.Certificate, error) {
	var f PartnerFile
	d := json.NewDecoder(bytes.NewReader(payload))
	d.DisallowUnknownFields()
	if err := d.Decode(&f); err != nil || d.More() || f.Format != partnerFormat || len(f.Certificates) == 0 {
		return nil, nil, registry.Refuse("this is no partner file that this version of Sealane reads (format %.40q)",
			f.Format)
	}
	var chain []*x509.Certificate
	for _, der := range f.Certificates {
		one, err := x509.ParseCertificate(der)
		if err != nil {
			return nil, nil, fmt.Errorf("the partner file's certificate: %w", err)
		}
		chain = append(chain, one)
	}
	pub, ok := chain[0].PublicKey.(*rsa.PublicKey)
	if !ok {
		return nil, nil, registry.Refuse("the partner file's certificate has no RSA key")
	}
	if err := cert.CheckKey(pub); err != nil {
		return nil, nil, fmt.Errorf("the partner file's key: %w", err)
	}
	return &f, chain, nil
}

// verifyPartnerFile verifies the signature of a partner file by the key of its certificate, which
// parsePartnerFile has checked.
func verifyPartnerFile(data []byte, leaf *x509.Certificate) error {
	s, err := jose.ParseSigned(bytes.Clone(data), []*alg.Signature{alg.RS256})
	if err != nil {
		return fmt.Errorf("the partner file: %w", err)
	}
	if s.Header.Typ == nil || *s.Header.Typ != partnerType {
		return registry.Refuse("this is signed, but it is no partner file: its typ is not %s; ask for it again",
			partnerType)
	}
	pub := leaf.PublicKey.(*rsa.PublicKey)
	if _, _, err := s.Verify([]alg.PublicKey{{PublicKey: pub}}); err != nil {
		return registry.Refuse("the partner file was changed after it was signed, " +
			"or is not by the key of its certificate: ask for it again")
	}
	if !maySign(leaf) {
		return registry.Refuse("the partner file is signed by a key that is for encryption only: ask for it again")
	}
	return nil
}

// likelyPartnerFile reports whether data looks like a compact JWS, which no certificate file
// does, or like an unsigned partner file.
func likelyPartnerFile(data []byte) bool {
	data = bytes.TrimSpace(data)
	if bytes.HasPrefix(data, []byte("{")) {
		return bytes.Contains(data[:min(len(data), 100)], []byte(`"sealane-partner-`))
	}
	return bytes.HasPrefix(data, []byte("eyJ")) && bytes.Count(data, []byte(".")) == 2
}

// claimed returns the payload of what looks like a partner file, without verifying it.
func claimed(data []byte) []byte {
	if bytes.HasPrefix(bytes.TrimSpace(data), []byte("{")) {
		return data
	}
	_, rest, _ := bytes.Cut(data, []byte("."))
	payload, _, _ := bytes.Cut(rest, []byte("."))
	out := make([]byte, base64.RawURLEncoding.DecodedLen(len(payload)))
	n, _ := base64.RawURLEncoding.Decode(out, payload)
	return out[:n]
}
