package registry

import (
	"slices"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/profile"
)

// ByAppointment reports whether both sides must change at the same time: the partner holds one
// certificate of its own, we are the client, and its answers do not say that it could not open a message,
// so that nothing is sent again.
func (r Renewal) ByAppointment(tx Reader) (bool, error) {
	if r.Owner != Theirs {
		return false, nil
	}
	env, err := tx.Environment(r.Partner, r.Environment)
	if err != nil {
		return false, err
	}
	p, err := tx.Partner(r.Partner)
	if err != nil {
		return false, err
	}
	prof, err := LoadProfile(tx, r.Profile)
	if err != nil {
		return false, err
	}
	again := saysWhy(prof) && env.NoResend == ""
	return p.Side == sealane.ClientSide && env.SlotsOf(prof) == 1 && !again, nil
}

// saysWhy reports whether a profile has an answer by which the sender knows that a message could not be
// decrypted or verified, and was not processed.
func saysWhy(prof *profile.Profile) bool {
	rows := prof.Errors.Table
	return slices.ContainsFunc(rows, func(e profile.ErrorRow) bool {
		if e.On != profile.Decryption && e.On != profile.Signature {
			return false
		}
		return !slices.ContainsFunc(rows, func(o profile.ErrorRow) bool {
			return o.On != e.On && o.Status == e.Status && (o.Text == e.Text || slices.Contains(o.Also, e.Text))
		})
	})
}
