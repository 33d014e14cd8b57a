package store_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/internal/registry"
	"github.com/sealane/sealane/internal/store"
)

// The declared columns are those of the database, because backups contain the former.
func TestDeclaredColumnsAreThoseOfTheDatabase(t *testing.T) {
	onBoth(t, func(t *testing.T, address string) {
		path := filepath.Join(t.TempDir(), "backup")
		if err := open(t, address).Backup(t.Context(), path); err != nil {
			t.Fatal(err) // it names a declared column that the database does not have
		}
		var declared []string
		for line := range bytes.Lines(read(t, path)) {
			var table struct {
				Table   string
				Columns []string
			}
			if err := json.Unmarshal(line, &table); err != nil {
				t.Fatal(err)
			}
			for _, column := range table.Columns {
				name, _, _ := strings.Cut(column, ":")
				declared = append(declared, table.Table+"."+name)
			}
		}
		slices.Sort(declared)
		var there []string
		for _, column := range strings.Fields(tablesOf(t, address)) {
			table, _, _ := strings.Cut(column, ".")
			if !slices.Contains([]string{"writer", "schema_version", "node", "observed", "claim",
				"notice", "notice_look", "mail", "installation"}, table) { // they are no part of a backup
				there = append(there, column)
			}
		}
		if diff := cmp.Diff(there, declared); diff != "" {
			t.Errorf("columns of the database (-), declared columns (+):\n%s", diff)
		}
	})
}

// filler sets every member of a row to a value that no other member has.
type filler struct{ last int64 }

func (f *filler) fill(v reflect.Value) {
	f.last++
	n := 1000 + f.last
	switch v.Interface().(type) {
	case time.Time:
		v.Set(reflect.ValueOf(time.Unix(n*1_000_000, 0).UTC()))
		return
	case sealane.Side:
		v.SetString(string(sealane.ServerSide))
		return
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString(fmt.Sprint("text-", n))
	case reflect.Int, reflect.Int64:
		v.SetInt(n)
	case reflect.Float64:
		v.SetFloat(float64(n))
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		f.fill(v.Elem())
	case reflect.Struct:
		for i := range v.NumField() {
			f.fill(v.Field(i))
		}
	case reflect.Slice:
		if v.Type().Elem().Kind() == reflect.Uint8 {
			v.SetBytes(fmt.Append(nil, "bytes-", n))
			return
		}
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		f.fill(v.Index(0))
	default:
		panic("a row has a " + v.Kind().String())
	}
}

func filled[T any](change func(*T)) T {
	var row T
	new(filler).fill(reflect.ValueOf(&row).Elem())
	change(&row)
	return row
}

// Every member of a row is read back, new ones too, and it is stored once, in its column or
// in the body.
func TestMembersAreStoredOnce(t *testing.T) {
	partner := filled(func(p *registry.Partner) { p.Version = 0 })
	environment := filled(func(e *registry.Environment) { e.Partner, e.Version = partner.ID, 0 })
	key := filled(func(k *registry.APIKey) { k.Partner, k.Environment, k.Version = partner.ID, environment.Name, 0 })
	pair := filled(func(k *registry.KeyPair) { k.Partner, k.Environment, k.Version = partner.ID, environment.Name, 0 })
	certificate := filled(func(c *registry.Certificate) {
		c.Partner, c.Environment, c.Version = partner.ID, environment.Name, 0
	})
	offer := filled(func(o *registry.Offer) { o.KeyPair, o.Partner, o.Version = pair.ID, partner.ID, 0 })
	person := filled(func(p *registry.Person) { p.Version = 0 })
	blocked := filled(func(*registry.Blocked) {})
	onBoth(t, func(t *testing.T, address string) {
		s := open(t, address)
		partner, environment, key, pair := partner, environment, key, pair
		certificate, offer, person := certificate, offer, person
		update(t, s, func(tx registry.Tx) error {
			return all(tx.PutPartner(&partner), tx.PutEnvironment(&environment), tx.PutAPIKey(&key),
				tx.PutKeyPair(&pair),
				tx.PutCertificate(&certificate), tx.PutOffer(&offer), tx.PutPerson(&person), tx.PutBlocked(blocked),
				store.UsedAPIKeys(tx, map[string]time.Time{key.ID: key.LastUsed}))
		})
		view(t, s, func(tx registry.Reader) error {
			gotPartner, e1 := tx.Partner(partner.ID)
			gotEnvironment, e2 := tx.Environment(partner.ID, environment.Name)
			gotKey, e3 := tx.APIKey(key.ID)
			gotPair, e4 := tx.KeyPair(pair.ID)
			gotCertificate, e5 := tx.Certificate(certificate.ID)
			gotOffers, e6 := tx.Offers(partner.ID)
			gotPerson, e7 := tx.Person(person.ID)
			gotBlocked, e8 := tx.Blocked(blocked.SPKISHA256)
			if diff := cmp.Diff(
				[]any{partner, environment, key, pair, certificate, []registry.Offer{offer}, person, blocked},
				[]any{gotPartner, gotEnvironment, gotKey, gotPair, gotCertificate, gotOffers, gotPerson, gotBlocked},
			); diff != "" {
				t.Errorf("put (-), got (+):\n%s", diff)
			}
			return all(e1, e2, e3, e4, e5, e6, e7, e8)
		})
		for _, from := range []string{"partner", "environment", "api_key", "key_pair", "person", "blocked",
			"certificate JOIN certificate_text ON certificate_text.id = certificate.id"} {
			storedOnce(t, address, from)
		}
	})
}

// storedOnce fails if the JSON of a row's body has what a column holds.
func storedOnce(t *testing.T, address, from string) {
	t.Helper()
	rows, err := raw(t, address).QueryContext(t.Context(), "SELECT * FROM "+from)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	names, err := rows.Columns()
	if err != nil || !rows.Next() {
		t.Fatalf("no row of %s: %v", from, err)
	}
	values, to := make([]any, len(names)), make([]any, len(names))
	for i := range values {
		to[i] = &values[i]
	}
	if err := rows.Scan(to...); err != nil {
		t.Fatal(err)
	}
	var body any
	for i, name := range names {
		if name == "body" {
			if err := json.Unmarshal(fmt.Append(nil, asText(values[i])), &body); err != nil {
				t.Fatal(err)
			}
		}
	}
	inBody := map[string]bool{}
	leaves(body, func(leaf string) { inBody[leaf] = true })
	if len(inBody) == 0 {
		t.Fatalf("the body of %s is empty", from)
	}
	for i, name := range names {
		for _, form := range forms(values[i]) {
			// A program of the version before reads what these columns repeat from the body.
			repeats := name == "serial_number" || strings.HasPrefix(name, "listed_")
			if name != "body" && name != "version" && !repeats && inBody[form] {
				t.Errorf("%s: %s is stored in its column and in the body", from, name)
			}
		}
	}
}

func asText(value any) string {
	if b, is := value.([]byte); is {
		return string(b)
	}
	return fmt.Sprint(value)
}

// forms returns the forms that a column's value could have in JSON.
func forms(value any) []string {
	switch v := value.(type) {
	case int64:
		return []string{fmt.Sprint(v), time.UnixMicro(v).UTC().Format(time.RFC3339Nano)}
	case []byte:
		return []string{base64.StdEncoding.EncodeToString(v), string(v)}
	}
	return []string{fmt.Sprint(value)}
}

// leaves calls see with each text and number in a JSON value.
func leaves(value any, see func(string)) {
	switch v := value.(type) {
	case map[string]any:
		for _, member := range v {
			leaves(member, see)
		}
	case []any:
		for _, element := range v {
			leaves(element, see)
		}
	case string:
		see(v)
	case float64:
		see(strconv.FormatFloat(v, 'f', -1, 64))
	}
}
