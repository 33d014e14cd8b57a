package lanes

import (
	"iter"

	"github.com/sealane/sealane/keyring"
)

// CertificateEnd is a certificate whose key is in a lane, and when it ends.
type CertificateEnd struct {
	Name       // Partner is empty for one of ours that partners share
	Ours  bool // otherwise it is the partner's
	State keyring.State
	Validity
}

// CertificateEnds yields the certificates of all lanes, in no order: the partners', and ours. One of ours
// that partners share comes once, in the state that it has for a partner who has confirmed it.
func (s *Snapshot) CertificateEnds() iter.Seq[CertificateEnd] {
	return func(yield func(CertificateEnd) bool) {
		known := func(v Validity) bool { return !v.NotAfter.IsZero() }
		for name, shared := range s.shared {
			for _, k := range shared.keys {
				end := CertificateEnd{Name{"", name.environment}, true, k.row.State, k.row.Certificate}
				if known(end.Validity) && !yield(end) {
					return
				}
			}
		}
		for _, p := range s.partners.all() {
			for _, entry := range p.lanes {
				name := Name{p.ID, entry.environment.Name}
				for _, c := range entry.theirs {
					if known(c.Validity) && !yield(CertificateEnd{name, false, c.State, c.Validity}) {
						return
					}
				}
				if len(entry.ours) == 0 {
					continue
				}
				for _, k := range s.ourKeys(p, entry)[:len(entry.ours)] { // the others are shared
					end := CertificateEnd{name, true, k.state, k.row.Certificate}
					if known(end.Validity) && !yield(end) {
						return
					}
				}
			}
		}
	}
}
