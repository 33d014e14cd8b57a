package exchange

import (
	"context"
	"errors"
	"fmt"

	"github.com/sealane/sealane/cert"
	"github.com/sealane/sealane/internal/registry"
)

// Confirm compares a received certificate with the checksum of the partner's
// second message, and says what matched.
func (e Exchange) MatchChecksum(ctx context.Context, id, checksum string) (matched string, err error) {
	var wrong *registry.Certificate
	if !cert.IsChecksum(checksum) {
		return "", fmt.Errorf("certificate %s: this is no checksum; copy the 64 hexadecimal digits of the SHA-256 from the second message, one checksum at a time", id)
	}
	err = e.session.Change(ctx, registry.Entry{Action: registry.ActionExchangeConfirm, Subject: "certificate/" + id}, func(tx registry.Tx, entry *registry.Entry) error {
		c, err := theirs(tx, id)
		if err != nil {
			return err
		}
		if err := registry.NotBlocked(tx, c.SPKISHA256); err != nil {
			return fmt.Errorf("certificate %s: %w", id, err)
		}
		chain, err := c.Parse()
		if err != nil {
			return err
		}
		which, ok := cert.Match(checksum, c.Provenance.File, chain[0])
		if !ok {
			wrong = &c
			return fmt.Errorf("the checksum does not match certificate %s, neither its file, DER nor PEM: do not go on; call the partner at a number that you knew before", id)
		}
		if !which.CoversCertificate() {
			return fmt.Errorf("this is the %s; ask for the SHA-256 of the certificate or of its file", which)
		}
		entry.Partner, entry.Environment, entry.Before = c.Partner, c.Environment, c
		c.Provenance.MatchedBy, c.Provenance.Checksum, c.Provenance.MatchedAs = e.session.Person().ID, cut(checksum, 200), which.String()
		matched = which.String()
		if err := e.session.MoveCertificate(tx, &c, registry.Matched); err != nil {
			return err
		}
		entry.After = c
		return nil
	})
	if wrong != nil {
		err = errors.Join(err, e.mismatch(ctx, *wrong, map[string]string{"checksum": cut(checksum, 200)}))
	}
	return matched, err
}

// mismatch records what did not match. After another checksum that is wrong, a
// certificate that had matched has to be confirmed again.
func (e Exchange) mismatch(ctx context.Context, c registry.Certificate, what map[string]string) error {
	record := registry.Entry{Action: registry.ActionExchangeMismatch, Subject: "certificate/" + c.ID, Partner: c.Partner, Environment: c.Environment, After: what}
	return e.session.Change(ctx, record, func(tx registry.Tx, _ *registry.Entry) error {
		now, err := tx.Certificate(c.ID)
		if err != nil || now.State != registry.Matched || what["checksum"] == "" {
			return err
		}
		now.Provenance.MatchedBy, now.Provenance.Checksum, now.Provenance.MatchedAs = "", "", ""
		return e.session.MoveCertificate(tx, &now, registry.Received)
	})
}
