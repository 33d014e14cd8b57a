package exchange

import (
	"context"
	"errors"
	"fmt"

	"github.com/sealane/sealane/cert"
	"github.com/sealane/sealane/internal/registry"
)

// Comparison is a received certificate, and the checksum of the partner's second message.
type Comparison struct {
	Certificate string // its identity
	Checksum    string // in any notation
}

// MatchChecksum compares a received certificate with a checksum, and returns what matched.
// A checksum that does not match is recorded.
func (e Exchange) MatchChecksum(ctx context.Context, of Comparison) (matched string, err error) {
	if !cert.IsChecksum(of.Checksum) {
		return "", fmt.Errorf("certificate %s: this is no checksum; copy the 64 hexadecimal digits of the SHA-256 "+
			"from the second message, one checksum at a time", of.Certificate)
	}
	checksum := cut(of.Checksum, 200)
	var wrong *registry.Certificate
	step := func(tx registry.Tx, c *registry.Certificate) error {
		if err := registry.NotBlocked(tx, c.SPKISHA256); err != nil {
			return fmt.Errorf("certificate %s: %w", c.ID, err)
		}
		chain, err := c.Parse()
		if err != nil {
			return err
		}
		match, ok := cert.Match(of.Checksum, c.Provenance.File, chain[0])
		if !ok {
			wrong = c
			return fmt.Errorf("the checksum does not match certificate %s, neither its file, DER nor PEM: do not go "+
				"on; "+
				"call the partner at a number that you knew before", c.ID)
		}
		if !match.CoversCertificate() {
			return fmt.Errorf("this is the %s; ask for the SHA-256 of the certificate or of its file", match)
		}
		matched = match.String()
		p := &c.Provenance
		p.MatchedBy, p.Checksum, p.MatchedAs = e.session.Person().ID, checksum, matched
		return e.session.MoveCertificate(tx, c, registry.Matched)
	}
	err = e.changeTheirs(ctx, registry.ActionExchangeConfirm, of.Certificate, step)
	if wrong != nil {
		err = errors.Join(err, e.recordMismatch(ctx, *wrong, map[string]string{"checksum": checksum}))
	}
	return matched, err
}

// recordMismatch records what did not match. After a checksum that is wrong, a certificate
// that had matched has to be compared again.
func (e Exchange) recordMismatch(ctx context.Context, c registry.Certificate, what map[string]string) error {
	record := registry.Entry{
		Action: registry.ActionExchangeMismatch, Subject: "certificate/" + c.ID,
		Partner: c.Partner, Environment: c.Environment, After: what,
	}
	return e.session.Change(ctx, record, func(tx registry.Tx, _ *registry.Entry) error {
		now, err := tx.Certificate(c.ID)
		if err != nil || now.State != registry.Matched || what["checksum"] == "" {
			return err
		}
		p := &now.Provenance
		p.MatchedBy, p.Checksum, p.MatchedAs = "", "", ""
		return e.session.MoveCertificate(tx, &now, registry.Received)
	})
}
