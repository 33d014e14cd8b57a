package exchange

import (
	"context"
	"crypto/rsa"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/cert"
	"github.com/sealane/sealane/internal/readlimit"
	"github.com/sealane/sealane/internal/registry"
)

// RowResult is what became of one row of a table.
type RowResult struct {
	Line        int      `json:"line"` // of the file
	Partner     string   `json:"partner"`
	Environment string   `json:"environment"`
	Done        []string `json:"done"`
	Error       string   `json:"error,omitempty"` // empty: the row is in
}

// maxRows bounds a table, and batch how many rows are read ahead, so that the keys
// among them can be compared with all others at once.
const (
	maxRows = 1_000_000
	batch   = 8192
)

// ImportCSV imports partners, environments, contacts and certificates from a table
// whose first line names its columns, and tells each what became of a row. What is
// there already stays as it is; each step of a row is a change of its own, and the
// first that fails ends the row.
func (e Exchange) ImportCSV(ctx context.Context, path string, each func(RowResult)) error {
	f, err := openRegular(path)
	if err != nil {
		return err
	}
	defer f.Close()
	t, err := openTable(f)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	folder := filepath.Dir(path)
	for {
		rows, err := t.next(batch)
		if err != nil || len(rows) == 0 {
			return err
		}
		if t.rows > maxRows {
			return fmt.Errorf("%s has more than %d rows: divide it", path, maxRows)
		}
		if e.screened, err = e.screen(ctx, rows, folder); err != nil {
			return err
		}
		for _, r := range rows {
			result := RowResult{Line: r.line, Done: []string{}}
			err := r.err
			if err == nil {
				err = e.importRow(ctx, r.cells, folder, &result)
			}
			if err != nil {
				result.Error = err.Error()
			}
			each(result)
			if ctx.Err() != nil {
				return ctx.Err()
			}
		}
	}
}

// screen compares the keys of many rows with all others at once. What can't be read
// is not in the answer: its row says why.
func (e Exchange) screen(ctx context.Context, rows []tableRow, folder string) (map[[sha256.Size]byte][]string, error) {
	var keys []*rsa.PublicKey
	for _, r := range rows {
		if r.cells["certificate"] == "" {
			continue
		}
		data, err := readNextTo(folder, r.cells["certificate"])
		if err != nil {
			continue
		}
		if f, err := read(data); err == nil && f.file.PublicKey != nil {
			keys = append(keys, f.file.PublicKey)
		}
	}
	shared, err := e.session.Registry.SharedPrimes(ctx, keys)
	if err != nil {
		return nil, err
	}
	screened := map[[sha256.Size]byte][]string{}
	for i, key := range keys {
		sum, err := registry.SPKISum(key)
		if err != nil {
			return nil, err
		}
		screened[[sha256.Size]byte(sum)] = shared[i]
	}
	return screened, nil
}

func (e Exchange) importRow(ctx context.Context, row map[string]string, folder string, result *RowResult) error {
	result.Partner, result.Environment = row["partner"], row["environment"]
	p := registry.Partner{ID: row["partner"], Name: row["name"], Profile: row["profile"]}
	if p.Name == "" {
		p.Name = p.ID
	}
	if err := p.Side.UnmarshalText([]byte(row["side"])); err != nil {
		return err
	}
	if err := e.newPartner(ctx, p, result); err != nil {
		return err
	}
	env := registry.Environment{Partner: p.ID, Name: row["environment"], Sealing: sealane.Sealing(row["sealing"]), SenderAuth: sealane.SenderAuth(row["caller"]), Account: row["account"]}
	if err := e.newEnvironment(ctx, env, result); err != nil {
		return err
	}
	if err := e.importContact(ctx, row, result); err != nil {
		return err
	}
	if row["certificate"] == "" {
		return nil
	}
	return e.importCertificate(ctx, row, folder, result)
}

func (e Exchange) newPartner(ctx context.Context, p registry.Partner, result *RowResult) error {
	var there registry.Partner
	err := e.session.View(ctx, func(tx registry.Tx) (err error) {
		there, err = tx.Partner(p.ID)
		return err
	})
	switch {
	case errors.Is(err, registry.ErrNotFound):
		if err := e.session.AddPartner(ctx, p); err != nil {
			return err
		}
		result.Done = append(result.Done, "partner")
		return nil
	case err == nil && (there.Profile != p.Profile || there.Side != p.Side):
		return fmt.Errorf("partner %s is there with profile %s, and we are its %s; the row says %s and %s", p.ID, there.Profile, there.Side, p.Profile, p.Side)
	case err == nil && there.Name != p.Name && p.Name != p.ID:
		return fmt.Errorf("partner %s is there as %q; the row says %q", p.ID, there.Name, p.Name)
	}
	return err
}

func (e Exchange) newEnvironment(ctx context.Context, env registry.Environment, result *RowResult) error {
	var there registry.Environment
	err := e.session.View(ctx, func(tx registry.Tx) (err error) {
		there, err = tx.Environment(env.Partner, env.Name)
		return err
	})
	if err == nil && (there.Sealing != env.Sealing || env.SenderAuth != "" && there.SenderAuth != env.SenderAuth || env.Account != "" && there.Account != env.Account) {
		return fmt.Errorf("environment %s of %s is there, with sealing %s, caller %q and account %q; the row says %s, %q and %q: mend the row, or change what is there (sealane partner env)",
			env.Name, env.Partner, there.Sealing, there.SenderAuth, there.Account, env.Sealing, env.SenderAuth, env.Account)
	}
	if !errors.Is(err, registry.ErrNotFound) {
		return err
	}
	if err := e.session.AddEnvironment(ctx, env); err != nil {
		return err
	}
	result.Done = append(result.Done, "environment")
	return nil
}

func (e Exchange) importContact(ctx context.Context, row map[string]string, result *RowResult) error {
	contact := registry.Contact{Role: registry.ContactRole(row["contact_role"]), Name: row["contact_name"], Email: row["contact_email"]}
	switch {
	case contact == registry.Contact{}:
		return nil
	case contact.Email == "":
		return errors.New("the contact has no contact_email")
	case contact.Role == "":
		contact.Role = registry.Primary
	}
	there := false
	err := e.session.View(ctx, func(tx registry.Tx) error {
		env, err := tx.Environment(row["partner"], row["environment"])
		there = slices.Contains(env.Contacts, contact)
		return err
	})
	if err != nil || there {
		return err
	}
	if err := e.session.SetContact(ctx, row["partner"], row["environment"], contact); err != nil {
		return err
	}
	result.Done = append(result.Done, "contact")
	return nil
}

func (e Exchange) importCertificate(ctx context.Context, row map[string]string, folder string, result *RowResult) error {
	data, err := readNextTo(folder, row["certificate"])
	if err != nil {
		return err
	}
	c, there, err := e.waiting(ctx, row["partner"], row["environment"], data)
	if err != nil {
		return err
	}
	if !there {
		c, _, err = e.Receive(ctx, Incoming{Partner: row["partner"], Environment: row["environment"], Data: data, KeyID: row["key_id"]})
		if err != nil {
			return err
		}
		result.Done = append(result.Done, "certificate "+c.ID+" received")
	}
	if c.KeyID == "" && row["key_id"] != "" {
		if err := e.Alias(ctx, c.ID, row["key_id"], ""); err != nil {
			return err
		}
		result.Done = append(result.Done, "key ID")
	} else if row["key_id"] != "" && row["key_id"] != c.KeyID {
		return fmt.Errorf("certificate %s has the key ID %q; the row says %q (sealane exchange alias --replace)", c.ID, c.KeyID, row["key_id"])
	}
	if row["sha256"] == "" || c.State != registry.Received {
		return checksumHolds(c, row["sha256"], data)
	}
	if _, err := e.MatchChecksum(ctx, c.ID, row["sha256"]); err != nil {
		return err
	}
	result.Done = append(result.Done, "confirmed")
	return nil
}

// checksumHolds looks at a row's checksum once its certificate was confirmed by another.
func checksumHolds(c registry.Certificate, checksum string, file []byte) error {
	if checksum == "" {
		return nil
	}
	chain, err := c.Parse()
	if err != nil {
		return err
	}
	if which, _ := cert.Match(checksum, file, chain[0]); !which.CoversCertificate() {
		return fmt.Errorf("certificate %s is %s, and the row's sha256 is not its checksum", c.ID, c.State)
	}
	return nil
}

// readBeside reads a file beside a table, or below it.
func readNextTo(folder, name string) ([]byte, error) {
	if !filepath.IsLocal(name) {
		return nil, fmt.Errorf("certificate %q: name a file beside the table, or below it", name)
	}
	f, err := openRegular(filepath.Join(folder, name))
	if err != nil {
		return nil, err
	}
	data, err := readlimit.All(f, maxMail)
	return data, errors.Join(err, f.Close())
}

// openRegular opens a file, and nothing that would wait for its writer.
func openRegular(path string) (*os.File, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is not a regular file", path)
	}
	return os.Open(path)
}

// waiting finds the certificate in a file among those that came in before, so that
// a row can be mended and imported again.
func (e Exchange) waiting(ctx context.Context, partner, environment string, data []byte) (c registry.Certificate, there bool, err error) {
	f, err := read(data)
	if err != nil || len(f.file.Certificates) == 0 {
		return c, false, nil // Receive says what is wrong with it
	}
	sum := sha256.Sum256(f.file.Certificates[0].Raw)
	err = e.session.View(ctx, func(tx registry.Tx) error {
		known, err := tx.Certificates(registry.CertificateQuery{Owner: registry.Theirs, Partner: partner, Environment: environment, SHA256: sum[:],
			States: registry.StatesAlive})
		if len(known) > 0 {
			c, there = known[0], true
		}
		return err
	})
	return c, there, err
}
