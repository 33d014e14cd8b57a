package store

import (
	"encoding/json"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/sealane/sealane/internal/registry"
)

// repeatedColumns are what lists of many certificates show of the body, so that they need not read
// it. They hold while the column listed has the version of the row.
var repeatedColumns = []column[registry.Certificate]{
	number("listed_bits", func(c *registry.Certificate) *int { return &c.Bits }),
	text("listed_common_name", func(c *registry.Certificate) *string { return &c.CommonName }),
	text("listed_issuer", func(c *registry.Certificate) *string { return &c.Issuer }),
	text("serial_number", func(c *registry.Certificate) *string { return &c.Serial }),
	instant("listed_not_before", func(c *registry.Certificate) *time.Time { return &c.NotBefore }),
	text("listed_received_by", func(c *registry.Certificate) *string { return &c.Provenance.ReceivedBy }),
	member("listed_waivers", func(c *registry.Certificate) *[]registry.Waiver { return &c.Provenance.Waivers },
		waiversText, func(w *[]registry.Waiver) any { return waiversInto{w} }),
}

// whileListed returns repeatedColumns as they are written, and the column listed. JSON can have texts
// that databases can't store; the body of a certificate with one always counts.
func whileListed() []column[registry.Certificate] {
	var all []column[registry.Certificate]
	for _, c := range repeatedColumns {
		all = append(all, computed(c.name, func(row *registry.Certificate) any {
			if !storable(c.value(row)) {
				return ""
			}
			return c.value(row)
		}))
	}
	return holdWhile(append(all, computed("listed", func(row *registry.Certificate) any {
		for _, c := range repeatedColumns {
			if !storable(c.value(row)) {
				return int64(0)
			}
		}
		return row.Version + 1 // which the row has once it is stored
	})))
}

// storable reports whether both databases can store a value.
func storable(value any) bool {
	s, is := value.(string)
	return !is || utf8.ValidString(s) && !strings.ContainsRune(s, 0)
}

// briefCertificates selects certificates without what is long, and with no more of the body than
// repeatedColumns. They can't be stored again. Each column counts: most of the time to read many
// rows is that of the driver, for each value.
func briefCertificates() selection[registry.Certificate] {
	d := certificateTable
	own := slices.DeleteFunc(slices.Concat(d.key, d.columns),
		func(c column[registry.Certificate]) bool {
			return c.into == nil || c.name == "added" || c.name == "file_sha256"
		})
	columns := slices.Concat(own, repeatedColumns)
	const body = `CASE WHEN listed = version THEN ''
		ELSE (SELECT body FROM certificate_text t WHERE t.id = certificate.id) END`
	var found registry.Certificate // once, because there are many rows
	var rest string
	to := make([]any, 0, len(columns)+1)
	for _, c := range columns {
		to = append(to, c.into(&found))
	}
	to = append(to, &rest)
	return selection[registry.Certificate]{
		"SELECT " + strings.Join(namesOf(columns), ", ") + ", " + body + " FROM certificate",
		func(row scan) (registry.Certificate, error) {
			found, rest = registry.Certificate{}, ""
			err := row(to...)
			if err == nil && rest != "" {
				var whole registry.Certificate
				err = json.Unmarshal([]byte(rest), &whole)
				for _, c := range repeatedColumns {
					c.copy(&found, &whole)
				}
			}
			if err != nil {
				err = &rowError{d.row(&found), d.name, d.id(&found), found.Version, err}
			}
			return found, err
		},
	}
}

func waiversText(waivers []registry.Waiver) any {
	if len(waivers) == 0 {
		return ""
	}
	text, err := json.Marshal(waivers)
	if err != nil {
		panic(err) // waivers always marshal
	}
	return string(text)
}

type waiversInto struct{ to *[]registry.Waiver }

// Scan implements [database/sql.Scanner].
func (w waiversInto) Scan(value any) error {
	var text string
	if err := (textInto[string]{&text}).Scan(value); err != nil {
		return err
	}
	*w.to = nil
	if text == "" {
		return nil
	}
	return json.Unmarshal([]byte(text), w.to)
}
