package store_test

import (
	"path/filepath"
	"testing"

	"github.com/sealane/sealane/internal/store"
)

// The place of a database, by which programs name files that belong to it, does not change with the
// password, the user or the way in which the address is written, and no two databases have the same.
func TestPlace(t *testing.T) {
	folder := t.TempDir()
	t.Chdir(folder)
	folder, err := filepath.Abs(".")
	if err != nil {
		t.Fatal(err)
	}
	places := map[string]string{}
	for _, same := range [][]string{
		{"registry.db", "sqlite:registry.db", "./registry.db", filepath.Join(folder, "registry.db")},
		{"sqlite:other.db"},
		{
			"postgres://anna:one@db.example/sealane", "postgres://anna:two@db.example:5432/sealane",
			"postgresql://ben@db.example/sealane?sslmode=verify-full",
		},
		{"postgres://anna:one@db.example/staging"},
		{"postgres://anna:one@db.example:5433/sealane"},
		{"postgres://anna:one@other.example/sealane"},
	} {
		place := store.Place(same[0])
		if before, known := places[place]; known {
			t.Errorf("%s and %s have the same place", before, same[0])
		}
		places[place] = same[0]
		for _, address := range same[1:] {
			if got := store.Place(address); got != place {
				t.Errorf("%s: %s, want that of %s, %s", address, got, same[0], place)
			}
		}
	}
}
