package registry

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"strings"
	"time"

	"github.com/sealane/sealane/profile"
)

// InventoryRow is one key or certificate, as PCI DSS 4.2.1.1 asks for it: what it
// is for, how strong it is, who issued it, until when it is valid, and who keeps it.
type InventoryRow struct {
	ID          string    `json:"id"`
	Kind        string    `json:"kind"` // "certificate", or "key pair" and its identity
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
	"id", "kind", "owner", "partner", "profile", "environment", "purpose", "strength", "key_id",
	"common_name", "issuer", "serial", "not_before", "not_after", "state", "custodian", "sha256", "waived",
}

// Cells returns the row as texts, in the order of InventoryColumns.
func (r InventoryRow) Cells() []string {
	return []string{
		r.ID, r.Kind, string(r.Owner), r.Partner, r.Profile, r.Environment, r.Purpose, r.Strength, r.KeyID,
		r.CommonName, r.Issuer, r.Serial, r.NotBefore.Format(time.RFC3339), r.NotAfter.Format(time.RFC3339),
		string(r.State), r.Custodian, r.SHA256, r.Waived,
	}
}

// Inventory returns a row for every certificate of the registry; those of ours have the key pair
// that they belong to. It reads a page at a time while the sequence is ranged over, and holds
// nothing up meanwhile. After an error the sequence ends.
func (r *Registry) Inventory(ctx context.Context) iter.Seq2[InventoryRow, error] {
	return func(yield func(InventoryRow, error) bool) {
		purposes := map[string]string{}
		q := CertificateQuery{Page: Page{Limit: 1000}}
		for {
			rows, err := r.inventoryPage(ctx, q, purposes)
			if err != nil {
				yield(InventoryRow{}, err)
				return
			}
			for _, row := range rows {
				if !yield(row, nil) {
					return
				}
				q.After = max(q.After, row.ID)
			}
			if len(rows) == 0 {
				return
			}
		}
	}
}

// damagedInventory returns the row of what can't be read.
func damagedInventory(row *DamagedRow) InventoryRow {
	return InventoryRow{ID: row.ID, Kind: "certificate", Damaged: row.Error()}
}

// inventoryPage returns the rows of one page. purposes keeps the purposes of profiles.
func (r *Registry) inventoryPage(
	ctx context.Context, q CertificateQuery, purposes map[string]string,
) (rows []InventoryRow, err error) {
	err = r.Store.View(ctx, func(tx Reader) error {
		page, damaged, err := Readable(tx.Certificates(q))
		if err != nil {
			return err
		}
		for _, row := range damaged {
			rows = append(rows, damagedInventory(row))
		}
		for _, c := range page {
			row, err := inventoryRow(tx, c, purposes)
			if one, is := errors.AsType[*DamagedRow](err); is {
				row, err = damagedInventory(one), nil
				row.ID = c.ID
			}
			if err != nil {
				return err
			}
			rows = append(rows, row)
		}
		return nil
	})
	return rows, err
}

func inventoryRow(tx Reader, c Certificate, purposes map[string]string) (InventoryRow, error) {
	row := InventoryRow{
		ID: c.ID, Kind: "certificate",
		Owner: c.Owner, Partner: c.Partner, Profile: c.Profile, Environment: c.Environment,
		Strength: fmt.Sprintf("RSA %d",
			c.Bits), KeyID: c.KeyID, CommonName: c.CommonName, Issuer: c.Issuer, Serial: c.Serial,
		NotBefore: c.NotBefore, NotAfter: c.NotAfter, State: c.State, Custodian: c.Provenance.ReceivedBy,
		SHA256: fmt.Sprintf("%x", c.SHA256),
	}
	if purposes[c.Profile] == "" {
		prof, err := LoadProfile(tx, c.Profile)
		if err != nil {
			return row, err
		}
		purposes[c.Profile] = purpose(prof)
	}
	row.Purpose = purposes[c.Profile]
	if c.Owner == Ours {
		k, err := tx.KeyPair(c.KeyPair)
		if err != nil {
			return row, err
		}
		row.Kind, row.Custodian, row.KeyID, row.State = "key pair "+k.ID, k.Custodian, k.KeyID, k.State
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
