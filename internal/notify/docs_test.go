package notify_test

import (
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/sealane/sealane/internal/notify"
)

// TestDocs: the page has each key and each kind, and its example can be read.
func TestDocs(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile("../../docs/notifications.md")
	if err != nil {
		t.Fatal(err)
	}
	page := string(data)
	keys := keysOf(reflect.TypeFor[notify.Config](), "")
	for _, key := range keys {
		if !strings.Contains(page, "\n| `"+key+"` |") {
			t.Errorf("there is no key %s", key)
		}
	}
	if len(keys) < 20 {
		t.Errorf("only %d keys were found", len(keys))
	}
	for _, k := range notify.Kinds() {
		if !strings.Contains(page, "`"+string(k)+"`") {
			t.Errorf("there is no kind %s", k)
		}
	}
	for _, s := range []notify.State{notify.Accepted, notify.Deferred, notify.Refused, notify.Unknown} {
		if !strings.Contains(page, " | "+string(s)+" | ") {
			t.Errorf("there is no state %s", s)
		}
	}
	if _, err := notify.Read("../../docs/notify.yaml"); err != nil {
		t.Error(err)
	}
}

// keysOf returns the keys of a file that is read into a struct.
func keysOf(of reflect.Type, in string) (keys []string) {
	for i := range of.NumField() {
		f := of.Field(i)
		key, inner := f.Tag.Get("yaml"), f.Type
		if inner.Kind() == reflect.Pointer {
			inner = inner.Elem()
		}
		switch {
		case key == "":
		case inner.Kind() == reflect.Struct:
			keys = append(keys, keysOf(inner, in+key+".")...)
		default:
			keys = append(keys, in+key)
		}
	}
	return keys
}
