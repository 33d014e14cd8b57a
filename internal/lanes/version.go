package lanes

import (
	"crypto/sha256"
	"slices"
)

// Version identifies a state of the registry: it is the number and the hash of the last record of
// its audit log. Two states with the same version have the same rows, unless somebody changed them
// in the database itself.
type Version struct {
	Seq  int64 // 0: there is no record yet
	Hash [sha256.Size]byte
}

// Scope says which lanes are read.
type Scope struct {
	// Since is the version that the caller has: only what was changed after it is read. Without
	// it, all is read.
	Since *Version
	// Whole makes the store read all in spite of Since, and tell what was changed.
	Whole bool
	// Environments are the names of those that are read. Without any, all are.
	Environments []string
}

// Extent says what was read.
type Extent struct {
	Version Version // that was read
	// Whole means that all rows were read. Otherwise those were that Changed tells.
	Whole bool
	// Changed is what has changed since the version that the caller has.
	Changed Changes
}

// Changes are the lanes that records of the audit log concern.
type Changes struct {
	// All means that it is not known which: everything may have changed.
	All bool
	// Why is the reason for All, for a log.
	Why string
	// Restored means that the version that the caller has is not in the log: the database is
	// that of an earlier time, or another one.
	Restored bool

	Partners []string // identities, in order
	Shared   bool     // key pairs that all partners of a profile share
	Profiles bool     // the rules of a profile
}

// Add adds changes.
func (c *Changes) Add(more Changes) {
	if more.All && !c.All {
		c.All, c.Why, c.Restored = true, more.Why, more.Restored
	}
	c.Shared, c.Profiles = c.Shared || more.Shared, c.Profiles || more.Profiles
	for _, p := range more.Partners {
		if i, found := slices.BinarySearch(c.Partners, p); !found {
			c.Partners = slices.Insert(c.Partners, i, p)
		}
	}
}

// MaxPartners is how many partners Changes name; when more were changed, everything is read.
const MaxPartners = 5000

// has reports whether the lanes with a partner may have changed.
func (c *Changes) has(partner string) bool {
	_, found := slices.BinarySearch(c.Partners, partner)
	return c.All || found
}
