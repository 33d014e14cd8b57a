package store

import (
	"fmt"
	"time"

	"github.com/sealane/sealane/internal/registry"
)

var certificateTable = &table[registry.Certificate]{
	name: "certificate",
	row:  func(c *registry.Certificate) string { return fmt.Sprintf("certificate %q", c.ID) },
	key: []column[registry.Certificate]{
		text("id", func(c *registry.Certificate) *string { return &c.ID }),
	},
	columns: []column[registry.Certificate]{
		text("owner", func(c *registry.Certificate) *registry.Owner { return &c.Owner }),
		textOrNull("partner", func(c *registry.Certificate) *string { return &c.Partner }),
		text("profile", func(c *registry.Certificate) *string { return &c.Profile }),
		text("environment", func(c *registry.Certificate) *string { return &c.Environment }),
		text("key_pair", func(c *registry.Certificate) *string { return &c.KeyPair }),
		text("key_id", func(c *registry.Certificate) *string { return &c.KeyID }),
		text("state", func(c *registry.Certificate) *registry.State { return &c.State }),
		instant("not_after", func(c *registry.Certificate) *time.Time { return &c.NotAfter }),
		blob("sha256", func(c *registry.Certificate) *[]byte { return &c.SHA256 }),
		blob("spki_sha256", func(c *registry.Certificate) *[]byte { return &c.SPKISHA256 }),
		blob("spki", func(c *registry.Certificate) *[]byte { return &c.SPKI }),
	},
	long: []column[registry.Certificate]{
		blob("der", func(c *registry.Certificate) *[]byte { return &c.DER }),
		blobOrNull("file", func(c *registry.Certificate) *[]byte { return &c.Provenance.File }).onlyWhole(),
	},
	version: func(c *registry.Certificate) *int64 { return &c.Version },
	body:    true,
}

func (t *tx) Certificate(id string) (registry.Certificate, error) {
	return find(t, certificateTable, registry.Certificate{ID: id})
}

// PutCertificate keeps NotAfter to the microsecond; certificates have seconds.
func (t *tx) PutCertificate(c *registry.Certificate) error { return put(t, certificateTable, c) }

// owners are both, for an index that begins with the owner.
var owners = []string{string(registry.Ours), string(registry.Theirs)}

// Certificates reads by the index that leaves the fewest rows.
func (t *tx) Certificates(q registry.CertificateQuery) ([]registry.Certificate, error) {
	s := search{table: "certificate"}
	s.where(len(q.SHA256) > 0, "certificate_sha256", "sha256 = ?", q.SHA256)
	s.where(len(q.SPKISHA256) > 0, "certificate_spki", "spki_sha256 = ?", q.SPKISHA256)
	s.where(q.KeyPair != "", "certificate_key_pair", "key_pair = ?", q.KeyPair)
	s.where(q.KeyID != "", "certificate_key_id", "key_id = ?", q.KeyID)
	s.where(q.Partner != "", "certificate_partner", "partner = ?", q.Partner)
	due := !q.NotAfterBefore.IsZero()
	s.where(due, "certificate_due", "not_after < ?", q.NotAfterBefore.UnixMicro())
	if q.Owner == "" {
		s.whereState(q.States, "certificate_state", owners)
	} else {
		s.whereState(q.States, "certificate_state", nil)
		s.where(true, "certificate_owner", "owner = ?", string(q.Owner))
	}
	s.where(q.Environment != "", "certificate_environment", "environment = ?", q.Environment)
	written, args := s.ids(t.store.dialect, q.Page)
	return list(t, "certificates", certificateTable.listed(), " WHERE id IN ("+written+") ORDER BY id", args...)
}
