package operation

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"slices"
	"strings"
	"time"

	"github.com/sealane/sealane/internal/audit"
	"github.com/sealane/sealane/internal/exchange"
	"github.com/sealane/sealane/internal/registry"
)

// AuditQuery asks for records of the audit log. Empty fields select all.
type AuditQuery struct {
	Partner     string `json:"partner,omitempty"`
	Environment string `json:"environment,omitempty"`
	Who         string `json:"who,omitempty"`    // the person, or "program:NAME"
	Action      Action `json:"action,omitempty"` // such as exchange.approve
	// Identity is that of a certificate, key pair, API key, partner or person: records about it. Or
	// it is a whole subject, such as profile/NAME.
	Identity string    `json:"identity,omitempty"`
	Since    time.Time `json:"since,omitzero"`
	Until    time.Time `json:"until,omitzero"` // before that

	After  int64 `json:"after,omitempty"`  // records with larger numbers
	Before int64 `json:"before,omitempty"` // records with smaller numbers
	Limit  int   `json:"limit"`            // 1 to 1,000
	Oldest bool  `json:"oldest,omitempty"` // the first that match, and not the last
}

// AuditEntry is a record, with what of the change people look for.
type AuditEntry struct {
	audit.Record
	Change   string `json:"change,omitempty"`    // the change reference of an approval
	CallBack string `json:"call_back,omitempty"` // who was called back, and what they said
}

// MarshalJSON returns the record as an export has it, and the other members with it.
func (e AuditEntry) MarshalJSON() ([]byte, error) {
	type facts struct {
		Record   audit.Record `json:"record"`
		Change   string       `json:"change,omitempty"`
		CallBack string       `json:"call_back,omitempty"`
	}
	return json.Marshal(facts{e.Record, e.Change, e.CallBack})
}

// AuditPage is a part of the audit log, the oldest first.
type AuditPage struct {
	Records []AuditEntry `json:"records"`
	Earlier bool         `json:"earlier"` // there are earlier ones that match
	Later   bool         `json:"later"`   // there are later ones that match
	Damage
}

// maxPage is how many records a page has at most.
const maxPage = 1000

// ListAudit returns records of the audit log.
var ListAudit = reading("ListAudit", listAudit)

func listAudit(ctx context.Context, v *registry.Viewer, in AuditQuery) (out AuditPage, err error) {
	if in.Limit < 1 || in.Limit > maxPage {
		return out, registry.Refuse("%d records are asked for: 1 to %d are possible", in.Limit, maxPage)
	}
	if in.Action != "" && !slices.Contains(registry.Actions(), in.Action) {
		return out, registry.Refuse("action %q is not known", in.Action)
	}
	err = v.View(ctx, func(tx registry.Reader) error {
		q := registry.AuditQuery{
			Partner: in.Partner, Environment: in.Environment, Who: in.Who, Action: in.Action, Since: in.Since,
			Until: in.Until, After: in.After, Before: in.Before, Limit: in.Limit, Oldest: in.Oldest,
		}
		if in.Identity != "" {
			if q.Subjects, err = subjects(tx, in.Identity); err != nil {
				return err
			}
			if q.Records, err = alsoAbout(tx, in.Identity, q.Subjects); err != nil {
				return err
			}
		}
		records, damaged, err := registry.Readable(tx.FindAudit(q))
		out.lack(damaged)
		if err != nil || len(records) == 0 {
			return err
		}
		for _, r := range records {
			out.Records = append(out.Records, auditEntry(r))
		}
		out.Earlier, out.Later, err = beyond(tx, q, records[0].Seq, records[len(records)-1].Seq)
		return err
	})
	return out, err
}

// beyond reports whether records match a query that come before or after those on a page.
func beyond(tx registry.Reader, q registry.AuditQuery, first, last int64) (earlier, later bool, err error) {
	q.Limit, q.After, q.Before, q.Oldest = 1, 0, first, false
	before, damaged, err := registry.Readable(tx.FindAudit(q))
	if err != nil {
		return false, false, err
	}
	earlier = len(before)+len(damaged) > 0
	q.After, q.Before, q.Oldest = last, 0, true
	after, damaged, err := registry.Readable(tx.FindAudit(q))
	return earlier, len(after)+len(damaged) > 0, err
}

// subjects returns the subjects of records about an identity. Those about a key pair of ours may
// name its certificate.
func subjects(tx registry.Reader, id string) ([]string, error) {
	if strings.Contains(id, "/") {
		return []string{id}, nil
	}
	pair := id
	if c, err := tx.Certificate(id); err == nil && c.Owner == registry.Ours {
		pair = c.KeyPair
	}
	if !exchange.IsKeyPair(pair) {
		return []string{
			"certificate/" + id, "apikey/" + id, "partner/" + id, "person/" + id, "profile/" + id,
		}, nil
	}
	k, err := tx.KeyPair(pair)
	if err != nil {
		return nil, err
	}
	return []string{"key/" + k.ID, "certificate/" + k.Certificate}, nil
}

// ofMany are the acts that change rows, or export keys, which are not the subject of their record.
var ofMany = []Action{
	registry.ActionKeyBlock, registry.ActionKeyUnblock, registry.ActionExchangeAlarm, registry.ActionExchangeMigrate,
	registry.ActionRowsAccept, registry.ActionKeyExport,
}

// maxOfMany bounds how many of the newest records of each of these acts are read, and ofManyAtOnce how
// many at a time: each may have the rows of a thousand keys.
const (
	maxOfMany    = 1000
	ofManyAtOnce = 50
)

// alsoAbout returns the numbers of records that changed a row with an identity, or its key, though
// their subject is another.
func alsoAbout(tx registry.Reader, id string, subjects []string) (numbers []int64, err error) {
	rows := make([]string, 0, len(subjects)+1)
	for _, subject := range subjects {
		rows = append(rows, `"`+subject+`"`)
	}
	c, err := tx.Certificate(id)
	if k, failed := tx.KeyPair(id); failed == nil {
		c.SPKISHA256, err = k.SPKISHA256, nil
	}
	if err == nil {
		rows = append(rows, fmt.Sprintf(`"blocked/%x"`, c.SPKISHA256))
	}
	for _, action := range ofMany {
		q := registry.AuditQuery{Action: action, Limit: ofManyAtOnce}
		for read := 0; read < maxOfMany; read += ofManyAtOnce {
			records, _, err := registry.Readable(tx.FindAudit(q))
			if err != nil {
				return nil, err
			}
			for _, r := range records {
				if slices.ContainsFunc(rows, func(row string) bool { return bytes.Contains(r.After, []byte(row)) }) {
					numbers = append(numbers, r.Seq)
				}
			}
			if len(records) < ofManyAtOnce {
				break
			}
			q.Before = records[0].Seq
		}
	}
	return numbers[:min(len(numbers), maxPage)], nil
}

// auditEntry returns a record with the evidence of an approval, which is in the certificate's row.
func auditEntry(r audit.Record) AuditEntry {
	e := AuditEntry{Record: r}
	if r.Action != string(registry.ActionExchangeApprove) {
		return e
	}
	var after struct {
		Rows map[string]struct {
			Exchange struct {
				Change   string `json:"change"`
				CallBack string `json:"call_back"`
			} `json:"exchange"`
		} `json:"rows"`
	}
	if json.Unmarshal(r.After, &after) != nil {
		return e
	}
	row := after.Rows[r.Subject].Exchange
	e.Change, e.CallBack = row.Change, row.CallBack
	return e
}

// InventoryRow is one key or certificate of the inventory.
type InventoryRow = registry.InventoryRow

// InventoryColumns are the names of the cells of a row.
var InventoryColumns = registry.InventoryColumns

// InventoryQuery selects rows of the inventory. Empty fields select all.
type InventoryQuery struct {
	Partner     string         `json:"partner,omitempty"`
	Environment string         `json:"environment,omitempty"`
	Owner       registry.Owner `json:"owner,omitempty"`
	States      []State        `json:"states,omitempty"`
	// EndsWithin is a number of days: those that end until then, or have ended, and are in use or on
	// their way, unless States says otherwise. 0: whenever they end.
	EndsWithin int `json:"ends_within,omitempty"`
}

// States that a front end tells apart.
const Staged = registry.Staged

// The owners of keys.
const (
	Ours   = registry.Ours
	Theirs = registry.Theirs
)

// Inventory returns the rows while the sequence is ranged over.
var Inventory = reading("Inventory",
	func(ctx context.Context, v *registry.Viewer, in InventoryQuery) (iter.Seq2[InventoryRow, error], error) {
		q := registry.CertificateQuery{
			Partner: in.Partner, Environment: in.Environment, Owner: in.Owner, States: in.States,
		}
		for _, state := range in.States {
			if !slices.Contains(registry.States(), state) {
				return nil, registry.Refuse("state %q is not known; there are %s", state,
					registry.Listed(registry.States()))
			}
		}
		if in.EndsWithin < 0 {
			return nil, registry.Refuse("%d days are in the past", in.EndsWithin)
		}
		if in.EndsWithin > 0 {
			q.NotAfterBefore = v.Time().AddDate(0, 0, in.EndsWithin)
			if len(q.States) == 0 {
				q.States = registry.StatesAlive
			}
		}
		return v.Inventory(ctx, q), nil
	})
