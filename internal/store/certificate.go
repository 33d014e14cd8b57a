package store

import (
	"crypto/fips140"
	"crypto/sha1"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/sealane/sealane/internal/registry"
)

var certificateTable = &table[registry.Certificate]{
	name: "certificate",
	row:  func(c *registry.Certificate) string { return fmt.Sprintf("certificate %q", c.ID) },
	key: []column[registry.Certificate]{
		text("id", func(c *registry.Certificate) *string { return &c.ID }),
	},
	columns: slices.Concat([]column[registry.Certificate]{
		text("owner", func(c *registry.Certificate) *registry.Owner { return &c.Owner }),
		textOrNull("partner", func(c *registry.Certificate) *string { return &c.Partner }),
		text("profile", func(c *registry.Certificate) *string { return &c.Profile }),
		text("environment", func(c *registry.Certificate) *string { return &c.Environment }),
		text("key_pair", func(c *registry.Certificate) *string { return &c.KeyPair }),
		text("key_id", func(c *registry.Certificate) *string { return &c.KeyID }),
		text("state", func(c *registry.Certificate) *registry.State { return &c.State }),
		instant("not_after", func(c *registry.Certificate) *time.Time { return &c.NotAfter }),
		digest("sha256", func(c *registry.Certificate) *[]byte { return &c.SHA256 }),
		digest("spki_sha256", func(c *registry.Certificate) *[]byte { return &c.SPKISHA256 }),
		blob("spki", func(c *registry.Certificate) *[]byte { return &c.SPKI }),
		digestOrNull("file_sha256", func(c *registry.Certificate) *[]byte { return &c.Provenance.FileSHA256 }),
		number("added", func(c *registry.Certificate) *int64 { return &c.Added }),
		names(registry.Certificate.SearchTexts),
		sha1Column,
	}, whileListed(), concernColumns),
	long: []column[registry.Certificate]{
		blob("der", func(c *registry.Certificate) *[]byte { return &c.DER }),
		blobOrNull("file", func(c *registry.Certificate) *[]byte { return &c.Provenance.File }).onlyWhole(),
	},
	version: func(c *registry.Certificate) *int64 { return &c.Version },
	body:    true,
}

// sha1Column is only written: it is the checksum that some programs show of a certificate.
var sha1Column = column[registry.Certificate]{
	name: "sha1", bytes: true, null: true, value: func(c *registry.Certificate) any { return sha1Of(c.DER) },
}

// sha1Of returns the SHA-1 of a certificate, or nil where FIPS 140-3 is enforced.
func sha1Of(der []byte) any {
	if fips140.Enforced() {
		return nil
	}
	sum := sha1.Sum(der)
	return sum[:]
}

func (t *tx) Certificate(id string) (registry.Certificate, error) {
	return find(t, certificateTable, registry.Certificate{ID: id})
}

// PutCertificate keeps NotAfter to the microsecond; certificates have seconds.
func (t *tx) PutCertificate(c *registry.Certificate) error {
	if c.Version == 0 {
		head, err := t.AuditHead()
		if err != nil {
			return err
		}
		c.Added = head.Seq
	}
	return put(t, certificateTable, c)
}

func (t *tx) Certificates(q registry.CertificateQuery) ([]registry.Certificate, error) {
	if q.Brief {
		page, args := certificatePage(q)
		return listUpTo(t, limit(q.Page), "certificates", briefCertificates(), page, args...)
	}
	found, args := certificates(q)
	return list(t, "certificates", certificateTable.listed(), found, args...)
}

// CertificatesEnd passes over places that can't be read. The next page begins with those: SQLite puts
// texts behind all numbers, and bytes behind all texts.
func (t *tx) CertificatesEnd(q registry.CertificateQuery) (registry.Arrival, error) {
	columns, ends := "id, 0 AS added", "id DESC"
	if q.Arrived != nil {
		columns, ends = "id, added", "added DESC, id DESC"
	}
	found, args := certificatePage(q)
	of := "SELECT id, added FROM (SELECT " + columns + " FROM certificate" + found + ") AS page ORDER BY " + ends
	last, damaged, err := t.firstArrival(of, args)
	if err != nil || last.ID != "" || damaged == nil {
		return last, err
	}
	args[len(args)-1] = int64(math.MaxInt64) // instead of the page's limit
	last, damaged, err = t.firstArrival("SELECT "+columns+" FROM certificate"+found, args)
	switch {
	case err != nil:
		return registry.Arrival{}, err
	case last.ID != "":
		return registry.Arrival{}, fmt.Errorf("certificates: %d in a row can't be read, such as: %w; "+
			"restore the registry from a backup", len(damaged), damaged[0])
	}
	return registry.Arrival{}, damaged
}

// firstArrival returns the first place that can be read, and the rows before it.
func (t *tx) firstArrival(of string, args []any) (
	first registry.Arrival, damaged registry.DamagedRows, err error,
) {
	read := func(row scan) (registry.Arrival, error) {
		var c registry.Certificate
		err := row(textInto[string]{&c.ID}, numberInto[int64]{&c.Added})
		if err != nil {
			err = &rowError{certificateTable.row(&c), certificateTable.name, c.ID, 0, err}
		}
		return registry.Arrival{Added: c.Added, ID: c.ID}, err
	}
	for place, err := range stream(t, "certificates", of, read, args...) {
		one, is := errors.AsType[*registry.DamagedRow](err)
		if !is {
			return place, damaged, err
		}
		damaged = append(damaged, one)
	}
	return registry.Arrival{}, damaged, nil
}

// certificates returns the condition of a page, which is found without certificate_text.
func certificates(q registry.CertificateQuery) (condition string, args []any) {
	page, args := certificatePage(q)
	order := "id"
	if q.Arrived != nil {
		order = "added, id"
	}
	return " WHERE id IN (SELECT id FROM certificate" + page + ") ORDER BY " + order, args
}

// amongKeys adds the condition that a certificate has one of some identities, or is of one of some key pairs.
func (q *query) amongKeys(ids, pairs []string) {
	var args []any
	for _, id := range slices.Concat(ids, pairs) {
		args = append(args, id)
	}
	var parts []string
	for _, of := range []struct {
		column string
		n      int
	}{{"id", len(ids)}, {"key_pair", len(pairs)}} {
		if of.n > 0 {
			parts = append(parts, "SELECT id FROM certificate WHERE "+of.column+" IN ("+placeholders(of.n)+")")
		}
	}
	q.where(true, "id IN ("+strings.Join(parts, " UNION ")+")", args...)
}

func certificatePage(q registry.CertificateQuery) (condition string, args []any) {
	var found query
	found.where(len(q.SHA256) > 0, "sha256 = ?", q.SHA256)
	found.where(len(q.FileSHA256) > 0, "file_sha256 = ?", q.FileSHA256)
	found.where(len(q.SPKISHA256) > 0, "spki_sha256 = ?", q.SPKISHA256)
	found.where(len(q.SHA1) > 0, "sha1 = ?", q.SHA1)
	found.where(q.Serial != "", "serial_number = ?", q.Serial)
	found.containing(q.Containing)
	found.where(q.KeyPair != "", "key_pair = ?", q.KeyPair)
	if len(q.IDs)+len(q.KeyPairs) > 0 {
		found.amongKeys(q.IDs, q.KeyPairs)
	}
	found.where(q.KeyID != "", "key_id = ?", q.KeyID)
	found.where(q.Partner != "", "partner = ?", q.Partner)
	found.where(!q.NotAfterBefore.IsZero(), "not_after < ?", q.NotAfterBefore.UnixMicro())
	found.where(q.Until != "", "id <= ?", q.Until)
	oneOf(&found, "state", q.States)
	found.where(q.Owner != "", "owner = ?", string(q.Owner))
	found.where(q.Environment != "", "environment = ?", q.Environment)
	if q.Arrived == nil {
		return found.page(q.Page)
	}
	after, until := q.Arrived.After, q.Arrived.Until
	found.where(after.ID != "", "(added, id) > (?, ?)", after.Added, after.ID)
	found.where(until.ID != "", "(added, id) <= (?, ?)", until.Added, until.ID)
	return found.conditionsOnly() + " ORDER BY added, id" + upTo, append(found.args, limit(q.Page))
}
