package store

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/sealane/sealane/internal/registry"
)

// A list is read without the files.
const (
	selectCertificate  = selectCertificates + ", x.file" + fromCertificate
	selectCertificates = `SELECT c.id, c.owner, COALESCE(c.partner, ''), c.profile, c.environment, c.key_pair, c.key_id, c.state,
	c.not_after, c.sha256, c.spki_sha256, c.spki, c.version, x.der, x.body`
	fromCertificate = " FROM certificate c JOIN certificate_text x ON x.id = c.id"
)

func readCertificate(row scan) (registry.Certificate, error) {
	var file []byte
	c, err := readListed(func(to ...any) error { return row(append(to, bytesInto{&file})...) })
	c.Exchange.File = file
	return c, err
}

func readListed(row scan) (registry.Certificate, error) {
	var c, k registry.Certificate
	var after int64
	var rest string
	err := row(&c.ID, &c.Owner, &c.Partner, &c.Profile, &c.Environment, &c.KeyPair, &c.KeyID, &c.State, &after,
		bytesInto{&c.SHA256}, bytesInto{&c.SPKISHA256}, bytesInto{&c.SPKI}, &c.Version, bytesInto{&c.DER}, &rest)
	if err == nil {
		err = json.Unmarshal([]byte(rest), &k)
	}
	k.ID, k.Owner, k.Partner, k.Profile, k.Environment, k.KeyPair = c.ID, c.Owner, c.Partner, c.Profile, c.Environment, c.KeyPair
	k.KeyID, k.State, k.NotAfter = c.KeyID, c.State, time.UnixMicro(after).UTC()
	k.SHA256, k.SPKISHA256, k.SPKI, k.DER, k.Version = c.SHA256, c.SPKISHA256, c.SPKI, c.DER, c.Version
	return k, ofRow(c.ID, err)
}

func (t *tx) Certificate(id string) (registry.Certificate, error) {
	return one(t, fmt.Sprintf("certificate %q", id), readCertificate, selectCertificate+" WHERE c.id = ?", id)
}

// PutCertificate keeps NotAfter to the microsecond; certificates have seconds.
func (t *tx) PutCertificate(c *registry.Certificate) error {
	what := fmt.Sprintf("certificate %q", c.ID)
	rest := *c
	rest.ID, rest.Owner, rest.Partner, rest.Profile, rest.Environment, rest.KeyPair, rest.KeyID, rest.State = "", "", "", "", "", "", "", ""
	rest.NotAfter, rest.SHA256, rest.SPKISHA256, rest.SPKI, rest.DER, rest.Exchange.File = time.Time{}, nil, nil, nil, nil, nil
	text, err := body(what, rest)
	if err != nil {
		return err
	}
	args := []any{string(c.Owner), null(c.Partner), c.Profile, c.Environment, c.KeyPair, c.KeyID, string(c.State),
		c.NotAfter.UnixMicro(), blob(c.SHA256), blob(c.SPKISHA256), blob(c.SPKI), c.ID}
	if c.Version == 0 {
		n, err := t.exec(what, `INSERT INTO certificate
			(owner, partner, profile, environment, key_pair, key_id, state, not_after, sha256, spki_sha256, spki, id, version)
			VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 1) ON CONFLICT DO NOTHING`, args...)
		if err := inserted(what, n, err); err != nil {
			return err
		}
		n, err = t.exec(what, "INSERT INTO certificate_text (der, file, body, id) VALUES (?, ?, ?, ?)", blob(c.DER), nullBytes(c.Exchange.File), text, c.ID)
		err = inserted(what, n, err)
		return counted(&c.Version, err)
	}
	n, err := t.exec(what, `UPDATE certificate SET owner = ?, partner = ?, profile = ?, environment = ?, key_pair = ?, key_id = ?, state = ?,
		not_after = ?, sha256 = ?, spki_sha256 = ?, spki = ?, version = version + 1 WHERE id = ? AND version = ?`, append(args, c.Version)...)
	if err := updated(what, n, err); err != nil {
		return err
	}
	n, err = t.exec(what, "UPDATE certificate_text SET der = ?, file = COALESCE(?, file), body = ? WHERE id = ?", blob(c.DER), nullBytes(c.Exchange.File), text, c.ID)
	err = updated(what, n, err)
	return counted(&c.Version, err)
}

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
	return list(t, "certificates", readListed, selectCertificates+fromCertificate+" WHERE c.id IN ("+written+") ORDER BY c.id", args...)
}
