package registry

import (
	"encoding/hex"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/sealane/sealane/profile"
)

// InventoryRow is one key or certificate, as PCI DSS 4.2.1.1 asks for it: what it
// is for, how strong it is, who issued it, until when it is valid, and who keeps it.
type InventoryRow struct {
	ID          string    `json:"id"`          // of the certificate, or of our key pair
	Kind        string    `json:"kind"`        // "certificate", or "key pair" with its certificate
	Certificate string    `json:"certificate"` // its identity
	Owner       Owner     `json:"owner"`
	Partner     string    `json:"partner"`
	Profile     string    `json:"profile"`
	Environment string    `json:"environment"`
	Purpose     string    `json:"purpose"`
	Strength    string    `json:"strength"`
	KeyID       string    `json:"key_id"`
	CommonName  string    `json:"common_name"`
	Issuer      string    `json:"issuer"`
	Serial      string    `json:"serial"`
	NotBefore   time.Time `json:"not_before"`
	NotAfter    time.Time `json:"not_after"`
	State       State     `json:"state"`
	Custodian   string    `json:"custodian"`
	SHA256      string    `json:"sha256"`
	Waived      string    `json:"waived"`
	Damaged     string    `json:"damaged,omitempty"` // why the row can't be read; only ID and Kind are set then
}

// InventoryColumns are the names of Cells.
var InventoryColumns = []string{
	"id", "kind", "certificate", "owner", "partner", "profile", "environment", "purpose", "strength", "key_id",
	"common_name", "issuer", "serial", "not_before", "not_after", "state", "custodian", "sha256", "waived", "damaged",
}

// Cells returns the row as texts, in the order of InventoryColumns.
func (r InventoryRow) Cells() []string {
	return []string{
		r.ID, r.Kind, r.Certificate, string(r.Owner), r.Partner, r.Profile, r.Environment, r.Purpose, r.Strength,
		r.KeyID,
		r.CommonName, r.Issuer, r.Serial, r.NotBefore.Format(time.RFC3339), r.NotAfter.Format(time.RFC3339),
		string(r.State), r.Custodian, r.SHA256, r.Waived, r.Damaged,
	}
}

func inventoryRow(tx Reader, c Certificate, purposes *sync.Map) (InventoryRow, error) {
	row := InventoryRow{
		ID: c.ID, Kind: "certificate", Certificate: c.ID,
		Owner: c.Owner, Partner: c.Partner, Profile: c.Profile, Environment: c.Environment,
		Strength: "RSA " + strconv.Itoa(c.Bits), KeyID: c.KeyID, CommonName: c.CommonName, Issuer: c.Issuer,
		Serial:    c.Serial,
		NotBefore: c.NotBefore, NotAfter: c.NotAfter, State: c.State, Custodian: c.Provenance.ReceivedBy,
		SHA256: hex.EncodeToString(c.SHA256),
	}
	known, there := purposes.Load(c.Profile)
	if !there {
		prof, err := LoadProfile(tx, c.Profile)
		if err != nil {
			return row, err
		}
		known = purpose(prof)
		purposes.Store(c.Profile, known)
	}
	row.Purpose = known.(string)
	if c.Owner == Ours {
		k, err := tx.KeyPair(c.KeyPair)
		if err != nil {
			return row, err
		}
		row.ID, row.Kind, row.Custodian, row.KeyID, row.State = k.ID, "key pair", k.Custodian, k.KeyID, k.State
	}
	var waived []string
	for _, w := range c.Provenance.Waivers {
		waived = append(waived, w.Rule+": "+w.Reason)
	}
	row.Waived = strings.Join(waived, "; ")
	return row, nil
}

// purpose returns what a profile uses keys for.
func purpose(p *profile.Profile) string {
	what := "decryption of messages"
	for _, leg := range []*profile.Direction{&p.Request, &p.Response} {
		if leg.Sign != nil {
			what = "signature and decryption of messages"
		}
	}
	return p.Title + ": " + what
}
