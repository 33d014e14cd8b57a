package readlimit_test

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/sealane/sealane/internal/readlimit"
)

func TestAll(t *testing.T) {
	if data, err := readlimit.All(strings.NewReader("12345"), 5); err != nil || string(data) != "12345" {
		t.Errorf("%q, %v", data, err)
	}
	data, err := readlimit.All(strings.NewReader("123456"), 5)
	if e, ok := errors.AsType[*readlimit.TooLargeError](err); !ok || e.Limit != 5 || data != nil {
		t.Errorf("%q, %v", data, err)
	}
	gone := errors.New("gone")
	if data, err := readlimit.All(io.MultiReader(strings.NewReader("1"), iotest.ErrReader(gone)), 5); err != gone ||
		data != nil {
		t.Errorf("%q, %v", data, err)
	}
}

func TestFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f")
	if err := os.WriteFile(path, []byte("123456"), 0o600); err != nil {
		t.Fatal(err)
	}
	if data, err := readlimit.File(path, 6); err != nil || string(data) != "123456" {
		t.Errorf("%q, %v", data, err)
	}
	if _, err := readlimit.File(path, 5); err == nil ||
		!strings.Contains(err.Error(), path+": it is larger than 5 bytes") {
		t.Error(err)
	}
	if _, err := readlimit.File(path+"x", 5); !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
	for _, content := range []string{
		"-----BEGIN PRIVATE KEY-----\nMIIE\n-----END PRIVATE KEY-----\n", "-----BEGIN PRIVATE KEY----- MIIE",
		"file:-----BEGIN EC PRIVATE KEY-----MIIE", "a\nb", "a\x00b",
	} {
		if _, err := readlimit.File(content, 5); err != readlimit.ErrContent || strings.Contains(err.Error(), "MII") {
			t.Errorf("%q: %v", content, err)
		}
	}
}
