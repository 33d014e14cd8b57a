package exchange

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/sealane/sealane"
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

var tableColumns = []string{"partner", "name", "profile", "side", "environment", "sealing", "caller", "account",
	"contact_role", "contact_name", "contact_email", "certificate", "sha256", "key_id"}

var neededColumns = []string{"partner", "profile", "side", "environment", "sealing"}

// maxRows bounds a table.
const maxRows = 1_000_000

// ImportCSV imports partners, environments, contacts and certificates from a table
// whose first line names its columns. What is there already stays as it is; each
// step of a row is a change of its own, and the first that fails ends the row.
func (x Exchange) ImportCSV(ctx context.Context, path, reason string) ([]RowResult, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	buffered := bufio.NewReader(f)
	r := csv.NewReader(buffered)
	r.TrimLeadingSpace = true
	if first, _ := buffered.Peek(1024); bytes.IndexByte(first, ';') >= 0 && !bytes.ContainsRune(before(first, '\n'), ',') {
		r.Comma = ';' // as spreadsheets write it where the comma is the decimal point
	}
	head, err := r.Read()
	if err != nil {
		return nil, fmt.Errorf("%s: the line with the columns' names: %w", path, err)
	}
	if err := checkColumns(head); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	var results []RowResult
	for len(results) < maxRows {
		cells, err := r.Read()
		if errors.Is(err, io.EOF) {
			return results, nil
		}
		if ctx.Err() != nil {
			return results, ctx.Err()
		}
		result := RowResult{Done: []string{}}
		var wrong *csv.ParseError
		if errors.As(err, &wrong) {
			result.Line = wrong.StartLine
		} else {
			result.Line, _ = r.FieldPos(0)
		}
		if err == nil {
			err = x.importRow(ctx, namedCells(head, cells), filepath.Dir(path), reason, &result)
		}
		if err != nil {
			result.Error = err.Error()
		}
		results = append(results, result)
	}
	return results, fmt.Errorf("%s has more than %d rows: divide it", path, maxRows)
}

// before gives what stands before a byte, or all.
func before(b []byte, end byte) []byte {
	head, _, _ := bytes.Cut(b, []byte{end})
	return head
}

func checkColumns(head []string) error {
	head[0] = strings.TrimPrefix(head[0], "\ufeff") // spreadsheets write it
	for i, name := range head {
		head[i] = strings.ToLower(strings.TrimSpace(name))
		if !slices.Contains(tableColumns, head[i]) {
			return fmt.Errorf("column %q is not known; there are %s", name, strings.Join(tableColumns, ", "))
		}
	}
	for _, name := range neededColumns {
		if !slices.Contains(head, name) {
			return fmt.Errorf("column %q is missing", name)
		}
	}
	return nil
}

func namedCells(head, cells []string) map[string]string {
	row := map[string]string{}
	for i, name := range head {
		row[name] = strings.TrimSpace(cells[i])
	}
	return row
}

func (x Exchange) importRow(ctx context.Context, row map[string]string, folder, reason string, result *RowResult) error {
	result.Partner, result.Environment = row["partner"], row["environment"]
	p := registry.Partner{ID: row["partner"], Name: row["name"], Profile: row["profile"]}
	if p.Name == "" {
		p.Name = p.ID
	}
	if err := p.Side.UnmarshalText([]byte(row["side"])); err != nil {
		return err
	}
	if err := x.newPartner(ctx, p, reason, result); err != nil {
		return err
	}
	env := registry.Environment{Partner: p.ID, Name: row["environment"], Sealing: registry.Sealing(row["sealing"]), Caller: sealane.Caller(row["caller"]), Account: row["account"]}
	if err := x.newEnvironment(ctx, env, reason, result); err != nil {
		return err
	}
	if row["contact_email"] != "" {
		contact := registry.Contact{Role: registry.ContactRole(row["contact_role"]), Name: row["contact_name"], Email: row["contact_email"]}
		if contact.Role == "" {
			contact.Role = registry.Primary
		}
		if err := x.SetContact(ctx, p.ID, env.Name, contact, reason); err != nil {
			return err
		}
		result.Done = append(result.Done, "contact")
	}
	if row["certificate"] == "" {
		return nil
	}
	return x.importCertificate(ctx, row, folder, reason, result)
}

func (x Exchange) newPartner(ctx context.Context, p registry.Partner, reason string, result *RowResult) error {
	var there registry.Partner
	err := x.Store.View(ctx, func(tx registry.Tx) (err error) {
		there, err = tx.Partner(p.ID)
		return err
	})
	switch {
	case errors.Is(err, registry.ErrNotFound):
		if err := x.AddPartner(ctx, p, reason); err != nil {
			return err
		}
		result.Done = append(result.Done, "partner")
		return nil
	case err == nil && (there.Profile != p.Profile || there.Side != p.Side):
		return fmt.Errorf("partner %s is there with profile %s, and we are its %s; the row says %s and %s", p.ID, there.Profile, there.Side, p.Profile, p.Side)
	}
	return err
}

func (x Exchange) newEnvironment(ctx context.Context, env registry.Environment, reason string, result *RowResult) error {
	err := x.Store.View(ctx, func(tx registry.Tx) error {
		_, err := tx.Environment(env.Partner, env.Name)
		return err
	})
	if !errors.Is(err, registry.ErrNotFound) {
		return err
	}
	if err := x.AddEnvironment(ctx, env, reason); err != nil {
		return err
	}
	result.Done = append(result.Done, "environment")
	return nil
}

func (x Exchange) importCertificate(ctx context.Context, row map[string]string, folder, reason string, result *RowResult) error {
	name := row["certificate"]
	if !filepath.IsLocal(name) {
		return fmt.Errorf("certificate %q: name a file beside the table, or below it", name)
	}
	f, err := os.Open(filepath.Join(folder, name))
	if err != nil {
		return err
	}
	data, err := io.ReadAll(io.LimitReader(f, maxMail+1))
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	c, there, err := x.waiting(ctx, row["partner"], row["environment"], data)
	if err == nil && !there {
		c, _, err = x.Receive(ctx, Incoming{Partner: row["partner"], Environment: row["environment"], Data: data, KeyID: row["key_id"], Reason: reason})
		result.Done = append(result.Done, "certificate "+c.ID+" received")
	}
	if err != nil {
		return err
	}
	if row["sha256"] == "" || c.State != registry.Received {
		return nil
	}
	if _, err := x.Confirm(ctx, c.ID, row["sha256"], reason); err != nil {
		return err
	}
	result.Done = append(result.Done, "confirmed")
	return nil
}

// waiting finds the certificate in a file among those that came in before, so that
// a row can be mended and imported again.
func (x Exchange) waiting(ctx context.Context, partner, environment string, data []byte) (c registry.Certificate, there bool, err error) {
	a, err := read(data)
	if err != nil || len(a.file.Certificates) == 0 {
		return c, false, nil // Receive says what is wrong with it
	}
	sum := sha256.Sum256(a.file.Certificates[0].Raw)
	err = x.Store.View(ctx, func(tx registry.Tx) error {
		known, err := tx.Certificates(registry.CertificateQuery{Owner: registry.Theirs, Partner: partner, Environment: environment, SHA256: sum[:],
			States: []registry.State{registry.Received, registry.Matched, registry.Approved, registry.Staged, registry.Active, registry.Retiring}})
		if len(known) > 0 {
			c, there = known[0], true
		}
		return err
	})
	return c, there, err
}
