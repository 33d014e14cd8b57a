package registry

import "github.com/sealane/sealane/internal/lanes"

// SeenInUse reports whether the successor of a renewal was used since it is active, so that the partner has it: it
// was seen to encrypt to it (ours), or to sign by it (theirs). Where partners do not sign, what we have
// encrypted to it counts. That nobody uses the old key says little where there are no messages.
func SeenInUse(tx Reader, n Renewal) (bool, error) {
	direction := lanes.In
	if n.Owner == Theirs {
		prof, err := LoadProfile(tx, n.Profile)
		if err != nil {
			return false, err
		}
		if prof.Request.Sign == nil && prof.Response.Sign == nil {
			direction = lanes.Out
		}
	}
	uses, err := tx.KeyUsage(n.Successor, n.Partner)
	for _, u := range uses {
		if u.Direction == direction && !n.ActivatedAt.IsZero() && u.Last.After(n.ActivatedAt) {
			return true, nil
		}
	}
	return false, err
}

// Older returns a certificate of the partner's that still counts from before the one that a renewal replaces.
// It is empty if there is none. The renewal that led from it was superseded, and nobody has retired it.
func Older(tx Reader, n Renewal) (id string, err error) {
	if n.Owner != Theirs {
		return "", nil
	}
	all, _, err := Readable(tx.Certificates(CertificateQuery{
		Owner: Theirs, Partner: n.Partner, Environment: n.Environment, States: []State{Retiring},
	}))
	for _, c := range all {
		if c.ID != n.Replaces {
			id = c.ID
		}
	}
	return id, err
}
