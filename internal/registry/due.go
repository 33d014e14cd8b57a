package registry

import "time"

// YearsOfUse is for how many years a key is used at most: the vendor's specification asks for a new
// one every two years, whatever its certificate says.
const YearsOfUse = 2

// EndOfUse returns when the use of a key must have ended: at the earlier of its certificate's
// NotAfter and of [YearsOfUse] calendar years after since. That is when the key was first used or,
// where this is not known, created. The zero since is not known at all. Two years from 29 February
// end on 28 February.
func EndOfUse(notAfter, since time.Time) time.Time {
	if since.IsZero() {
		return notAfter
	}
	since = since.UTC()
	end := since.AddDate(YearsOfUse, 0, 0)
	if end.Day() != since.Day() { // the month has no such day
		end = end.AddDate(0, 0, -end.Day())
	}
	if notAfter.Before(end) {
		return notAfter
	}
	return end
}

// Due returns when the successor of a key is due: the environment's lead before [EndOfUse]. It is
// the one schedule of all that asks for a successor; of a certificate's key, [Certificate.Due].
func Due(notAfter, since time.Time, r Rotation) time.Time {
	return EndOfUse(notAfter, since).UTC().AddDate(0, 0, -r.LeadDays())
}

// EndOfUse returns when the use of the certificate's key must have ended. The key was there at the
// latest when the certificate became valid, or when the row was stored. A key that was imported, and
// one of a partner, may be older than the row.
func (c Certificate) EndOfUse() time.Time { return EndOfUse(c.NotAfter, c.keySince()) }

// Due returns when the successor of the certificate's key is due.
func (c Certificate) Due(r Rotation) time.Time { return Due(c.NotAfter, c.keySince(), r) }

func (c Certificate) keySince() time.Time {
	if c.NotBefore.IsZero() || !c.Created.IsZero() && c.Created.Before(c.NotBefore) {
		return c.Created
	}
	return c.NotBefore
}
