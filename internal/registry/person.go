package registry

import "time"

// Role is what a person may do.
type Role string

// The roles. An administrator adds people and turns the root key; nobody
// approves what they received or matched themselves.
const (
	Administrator Role = "administrator"
	Operator      Role = "operator" // everything but approving and people
	Approver      Role = "approver" // approves, rejects, grants waivers
	Auditor       Role = "auditor"  // reads
)

// Person is somebody with a credential of their own. The token is shown once;
// what is stored is its SHA-256.
type Person struct {
	ID      string    `json:"id"` // short name
	Name    string    `json:"name"`
	Email   string    `json:"email"`
	Roles   []Role    `json:"roles"`
	Prefix  string    `json:"prefix"`
	SHA256  []byte    `json:"-"`
	Created time.Time `json:"created"`
	Revoked time.Time `json:"revoked,omitzero"`
	Version int64     `json:"-"`
}
