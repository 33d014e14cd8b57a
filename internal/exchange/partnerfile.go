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
)

// PartnerFile is what one Sealane tells another of itself: its certificate, and whom to
// write to. It is a JWS by the key of that certificate, so that nothing in it can be changed
// on the way. Whether the key is the partner's own, only the checksum and the approval say.
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
}

const (
	partnerFormat  = "sealane-partner-1"
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
		payload, err := json.Marshal(PartnerFile{
			Format: partnerFormat, Name: o.Name,
			Profile: k.Profile, Side: p.Side, Environment: k.Environment, KeyID: k.KeyID,
			Certificates: append([][]byte{c.DER}, c.Chain...), Contacts: o.Contacts, MailFrom: env.MailFrom,
			Created: e.session.Time(),
		})
		if err != nil {
			return err
		}
		file, err := e.session.Sign(k, payload)
		if err != nil {
			return err
		}
		if err := e.recordOffer(tx, entry, k, o.Target.Partner); err != nil {
			return err
		}
		return deliver(file)
	})
}

// ReadPartnerFile parses what Export returned, and verifies it by the certificate in it.
func ReadPartnerFile(data []byte) (*PartnerFile, []*x509.Certificate, error) {
	data = bytes.TrimSpace(data)
	if len(data) > maxPartnerFile {
		return nil, nil, registry.Refuse("the partner file has %d bytes, more than %d", len(data), maxPartnerFile)
	}
	parts := bytes.Split(data, []byte("."))
	if len(parts) != 3 {
		return nil, nil, registry.Refuse("this is no partner file of Sealane: it is one line with two dots in it")
	}
	unverified, err := base64.RawURLEncoding.DecodeString(string(parts[1]))
	if err != nil {
		return nil, nil, registry.Refuse("this is no partner file of Sealane: it is not base64url")
	}
	var f PartnerFile
	d := json.NewDecoder(bytes.NewReader(unverified))
	d.DisallowUnknownFields()
	if err := d.Decode(&f); err != nil || f.Format != partnerFormat || len(f.Certificates) == 0 {
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
	s, err := jose.ParseSigned(bytes.Clone(data), []*alg.Signature{alg.RS256})
	if err != nil {
		return nil, nil, fmt.Errorf("the partner file: %w", err)
	}
	if _, _, err := s.Verify([]alg.PublicKey{{PublicKey: pub}}); err != nil {
		return nil, nil, registry.Refuse("the partner file was changed after it was signed, " +
			"or is not by the key of its certificate: ask for it again")
	}
	return &f, chain, nil
}

// likelyPartnerFile reports whether data looks like a compact JWS, which no certificate file
// does.
func likelyPartnerFile(data []byte) bool {
	data = bytes.TrimSpace(data)
	return bytes.HasPrefix(data, []byte("eyJ")) && bytes.Count(data, []byte(".")) == 2
}

// claimed returns the payload of what looks like a partner file, without verifying it.
func claimed(data []byte) []byte {
	_, rest, _ := bytes.Cut(data, []byte("."))
	payload, _, _ := bytes.Cut(rest, []byte("."))
	out := make([]byte, base64.RawURLEncoding.DecodedLen(len(payload)))
	n, _ := base64.RawURLEncoding.Decode(out, payload)
	return out[:n]
}
