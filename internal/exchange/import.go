package exchange

import (
	"cmp"
	"context"
	"crypto/rsa"
	"crypto/sha256"
	"errors"
	"fmt"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/internal/lanes"
	"github.com/sealane/sealane/internal/pasted"
	"github.com/sealane/sealane/internal/readlimit"
	"github.com/sealane/sealane/internal/registry"
)

// RowResult is the result of importing one row of a table.
type RowResult struct {
	Line        int      `json:"line"` // of the file
	Partner     string   `json:"partner"`
	Environment string   `json:"environment"`
	Done        []string `json:"done"`
	Error       string   `json:"error,omitempty"` // empty: the whole row is imported
}

// maxRows bounds a table, and batch how many rows are read ahead, so that the keys
// among them can be compared with all others at once.
const (
	maxRows = 1_000_000
	batch   = 8192
)

// ImportCSV imports partners, environments, contacts and certificates from a table whose
// first line names its columns. It does so while the sequence is ranged over, and yields the
// result of each row. What is there already stays as it is. Each step of a row is a change of
// its own, and the first that fails ends the row. An error of the table ends the sequence.
func (e Exchange) ImportCSV(ctx context.Context, path string) iter.Seq2[RowResult, error] {
	return func(yield func(RowResult, error) bool) {
		if err := e.importCSV(ctx, path, yield); err != nil {
			yield(RowResult{}, err)
		}
	}
}

// importCSV returns an error that is not yielded yet.
func (e Exchange) importCSV(ctx context.Context, path string, yield func(RowResult, error) bool) error {
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
			return registry.Refuse("%s has more than %d rows: divide it", path, maxRows)
		}
		if e.screened, e.compared, err = e.screen(ctx, rows, folder); err != nil {
			return err
		}
		for _, row := range rows {
			if !yield(e.importRow(ctx, row, folder), nil) {
				return nil
			}
			if ctx.Err() != nil {
				return ctx.Err()
			}
		}
	}
}

// screen compares the keys of many rows with all others at once. A certificate that can't be
// read is left out: the import of its row says why.
func (e Exchange) screen(
	ctx context.Context, rows []tableRow, folder string,
) (screened map[[sha256.Size]byte]registry.SharedWith, compared int64, err error) {
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
	comparison, err := e.session.ComparePrimes(ctx, keys, 0)
	if err != nil {
		return nil, 0, err
	}
	screened = map[[sha256.Size]byte]registry.SharedWith{}
	for i, key := range keys {
		sum, err := registry.SPKISum(key)
		if err != nil {
			return nil, 0, err
		}
		screened[[sha256.Size]byte(sum)] = comparison.Shared[i]
	}
	return screened, comparison.Compared, nil
}

func (e Exchange) importRow(ctx context.Context, row tableRow, folder string) RowResult {
	i := &rowImport{
		Exchange: e, folder: folder, cells: row.cells,
		lane:   lanes.Name{Partner: row.cells["partner"], Environment: row.cells["environment"]},
		result: RowResult{Line: row.line, Done: []string{}},
	}
	err := row.err
	if err == nil {
		i.lane.Environment = e.environmentNamed(ctx, i.lane.Environment, row.cells["profile"])
		i.result.Partner, i.result.Environment = i.lane.Partner, i.lane.Environment
		err = i.run(ctx)
	}
	if err != nil {
		i.result.Error = err.Error()
	}
	return i.result
}

// environmentNamed returns the environment of a profile that a cell means, whatever its
// capitals, or the cell.
func (e Exchange) environmentNamed(ctx context.Context, cell, profile string) string {
	var known []string
	_ = e.session.View(ctx, func(tx registry.Reader) error {
		prof, err := registry.LoadProfile(tx, profile)
		if err == nil {
			known = prof.Environments
		}
		return err
	})
	at := slices.IndexFunc(known, func(name string) bool { return strings.EqualFold(name, cell) })
	if at < 0 {
		return cell
	}
	return known[at]
}

// rowImport is the import of one row.
type rowImport struct {
	Exchange
	folder string // of the table
	cells  map[string]string
	lane   lanes.Name
	result RowResult
}

func (i *rowImport) run(ctx context.Context) error {
	if err := i.addPartner(ctx); err != nil {
		return err
	}
	if err := i.addEnvironment(ctx); err != nil {
		return err
	}
	if err := i.addContact(ctx); err != nil {
		return err
	}
	if i.cells["certificate"] == "" {
		return nil
	}
	return i.addCertificate(ctx)
}

func (i *rowImport) done(what string) { i.result.Done = append(i.result.Done, what) }

func (i *rowImport) addPartner(ctx context.Context) error {
	p := registry.Partner{ID: i.lane.Partner, Profile: i.cells["profile"]}
	p.Name = cmp.Or(i.cells["name"], p.ID)
	if err := p.Side.UnmarshalText([]byte(i.cells["side"])); err != nil {
		return err
	}
	var there registry.Partner
	err := i.session.View(ctx, func(tx registry.Reader) (err error) {
		there, err = tx.Partner(p.ID)
		return err
	})
	switch {
	case errors.Is(err, registry.ErrNotFound):
		if err := i.session.AddPartner(ctx, p); err != nil {
			return err
		}
		i.done("partner")
		return nil
	case err == nil && (there.Profile != p.Profile || there.Side != p.Side):
		return registry.Refuse("partner %s is there with profile %s, and we are its %s; the row says %s and %s",
			p.ID, there.Profile, there.Side, p.Profile, p.Side)
	case err == nil && there.Name != p.Name && p.Name != p.ID:
		return registry.Refuse("partner %s is there as %q; the row says %q", p.ID, there.Name, p.Name)
	}
	return err
}

func (i *rowImport) addEnvironment(ctx context.Context) error {
	env := registry.Environment{
		Partner: i.lane.Partner, Name: i.lane.Environment, Account: i.cells["account"],
		Sealing: sealane.Sealing(i.cells["sealing"]), SenderAuth: sealane.SenderAuth(i.cells["caller"]),
	}
	var there registry.Environment
	err := i.session.View(ctx, func(tx registry.Reader) (err error) {
		there, err = tx.Environment(env.Partner, env.Name)
		return err
	})
	if errors.Is(err, registry.ErrNotFound) {
		if err := i.session.AddEnvironment(ctx, env); err != nil {
			return err
		}
		i.done("environment")
		return nil
	}
	same := there.Sealing == env.Sealing && (env.SenderAuth == "" || there.SenderAuth == env.SenderAuth) &&
		(env.Account == "" || there.Account == env.Account)
	if err == nil && !same {
		return registry.Refuse("environment %s of %s is there, with sealing %s, caller %q and account %q; "+
			"the row says %s, %q and %q: correct the row, or change the environment",
			env.Name, env.Partner, there.Sealing, there.SenderAuth, there.Account,
			env.Sealing, env.SenderAuth, env.Account)
	}
	return err
}

func (i *rowImport) addContact(ctx context.Context) error {
	contact := registry.Contact{
		Role: registry.ContactRole(i.cells["contact_role"]),
		Name: i.cells["contact_name"], Email: i.cells["contact_email"],
	}
	switch {
	case contact == registry.Contact{}:
		return nil
	case contact.Email == "":
		return registry.Refuse("the contact has no contact_email")
	case contact.Role == "":
		contact.Role = registry.Primary
	}
	there := false
	err := i.session.View(ctx, func(tx registry.Reader) error {
		env, err := tx.Environment(i.lane.Partner, i.lane.Environment)
		there = slices.Contains(env.Contacts, contact)
		return err
	})
	if err != nil || there {
		return err
	}
	if err := i.session.SetContact(ctx, i.lane, contact); err != nil {
		return err
	}
	i.done("contact")
	return nil
}

func (i *rowImport) addCertificate(ctx context.Context) error {
	name := i.cells["certificate"]
	data, err := readNextTo(i.folder, name)
	if err != nil {
		return err
	}
	c, there, err := i.certificateIn(ctx, data)
	if err != nil {
		return err
	}
	keyID, checksum := i.cells["key_id"], i.cells["sha256"]
	if !there {
		in := Incoming{Partner: i.lane.Partner, Environment: i.lane.Environment, Data: data, Name: name, KeyID: keyID,
			imported: true}
		if c, _, err = i.Receive(ctx, in); err != nil {
			return err
		}
		i.done("certificate " + c.ID + " received")
	}
	switch {
	case keyID == "" || keyID == c.KeyID:
	case c.KeyID == "":
		if err := i.SetKeyID(ctx, KeyIDChange{ID: c.ID, KeyID: keyID}); err != nil {
			return err
		}
		i.done("key ID")
	default:
		return registry.Refuse("certificate %s has the key ID %q; the row says %q: correct the row, or "+
			"replace the key ID",
			c.ID, c.KeyID, keyID)
	}
	if checksum == "" {
		return nil
	}
	if c.State != registry.Received {
		return checkChecksum(c, checksum, data)
	}
	if _, err := i.MatchChecksum(ctx, Comparison{Certificate: c.ID, Checksum: checksum}); err != nil {
		return err
	}
	i.done("matched")
	return nil
}

// checkChecksum checks a row's checksum of a certificate that was compared before.
func checkChecksum(c registry.Certificate, checksum string, file []byte) error {
	chain, err := c.Parse()
	if err != nil {
		return err
	}
	sums, _ := pasted.Checksums([]byte(checksum))
	c.Provenance.File = file
	if _, _, err := compare(sums, c, chain[0]); err != nil {
		return registry.Refuse("certificate %s is %s, and the row's sha256 is not its checksum", c.ID, c.State)
	}
	return nil
}

// certificateIn returns the certificate in a file if it came in before, so that a row can be
// corrected and imported again.
func (i *rowImport) certificateIn(ctx context.Context, data []byte) (c registry.Certificate, there bool, err error) {
	f, err := read(data)
	if err != nil || len(f.file.Certificates) == 0 {
		return c, false, nil // Receive says what is wrong with it
	}
	sum := sha256.Sum256(f.file.Certificates[0].Raw)
	err = i.session.View(ctx, func(tx registry.Reader) error {
		known, err := tx.Certificates(registry.CertificateQuery{
			Owner: registry.Theirs, Partner: i.lane.Partner, Environment: i.lane.Environment, SHA256: sum[:],
			States: registry.StatesAlive,
		})
		if len(known) > 0 {
			c, there = known[0], true
		}
		return err
	})
	return c, there, err
}

// readNextTo reads a file in a table's folder, or below it.
func readNextTo(folder, name string) ([]byte, error) {
	if !filepath.IsLocal(filepath.FromSlash(name)) {
		return nil, registry.Refuse("certificate %q: name a file in the folder of the table, or below it", name)
	}
	f, err := openRegular(filepath.Join(folder, name))
	if err != nil {
		return nil, err
	}
	data, err := readlimit.All(f, maxMail)
	return data, errors.Join(err, f.Close())
}

// openRegular opens a regular file. Opening a pipe might wait for its writer.
func openRegular(path string) (*os.File, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, registry.Refuse("%s is not a regular file", path)
	}
	return os.Open(path)
}
