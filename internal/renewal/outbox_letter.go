package renewal

import (
	"encoding/pem"

	"github.com/sealane/sealane/internal/notify"
	"github.com/sealane/sealane/internal/registry"
)

// letter adds what a letter is about, and reports whether it is still to be sent.
func (r rendering) letter(m registry.Mail, f *notify.Facts) (still bool, err error) {
	env, err := r.Environment(m.Partner, m.Environment)
	if err != nil {
		return false, err
	}
	if !isContact(env, m) {
		return false, nil
	}
	f.Environment = m.Environment
	r.addressed(env, m.To, f)
	id := m.About
	if registry.IsRenewal(id) {
		n, err := r.Renewal(id)
		if err != nil || !letterOfNow(n, m) || n.Step.Closed() {
			return false, err
		}
		return true, r.confirms(n, f)
	}
	row, err := r.Certificate(id)
	if err != nil {
		return false, err
	}
	c := r.shown(row)
	switch m.Kind {
	case registry.LetterOffer:
		c.PEM = string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: row.DER}))
	case registry.LetterRejected:
		c.Reason = row.Provenance.Rejected
	}
	f.Certificates = []notify.Certificate{c}
	return true, nil
}

// confirms adds the successor that a letter confirms, and which certificate it replaces.
func (r rendering) confirms(n registry.Renewal, f *notify.Facts) error {
	row, err := r.Certificate(n.Successor)
	if err != nil {
		return err
	}
	before, err := r.Certificate(n.Replaces)
	if err != nil {
		return err
	}
	f.Certificates = []notify.Certificate{r.shown(row)}
	ends := notify.Certificate{NotAfter: before.NotAfter}.EndDay()
	f.Lines = append(f.Lines, "It replaces the certificate with the serial number "+serial(before)+
		", which ends on "+ends+".")
	return nil
}

// letterOfNow reports whether a letter is about what its renewal is at: it was not rolled back, and no
// person has sent the letter.
func letterOfNow(n registry.Renewal, m registry.Mail) bool {
	return n.Mail != nil && m.Key == letterKey(n, m.To) &&
		(n.Mail.Sent.IsZero() || n.Mail.SentBy == registry.RenewalProgram)
}
