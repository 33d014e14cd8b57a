package command

import (
	"bytes"
	"database/sql"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A token is replaced in its file before it is valid. If the change fails, the file is as it was; if
// it is not known whether it was stored, both tokens are there. So nobody is locked out.
func TestRenewalThatFails(t *testing.T) {
	o := newOffice(t)
	file := filepath.Join(o.dir, "anna.token")
	if err := os.WriteFile(file, []byte(o.anna+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	db, err := sql.Open("sqlite", filepath.Join(o.dir, "registry.db")+"?_pragma=busy_timeout(10000)")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	exec := func(statement string) {
		t.Helper()
		if _, err := db.ExecContext(t.Context(), statement); err != nil {
			t.Fatalf("%s: %v", statement, err)
		}
	}
	fails := func(args ...string) string {
		t.Helper()
		t.Setenv("SEALANE_TOKEN", "")
		var out, said bytes.Buffer
		if code := run(t.Context(), args, strings.NewReader(""), &out, &said); code != exitFailed {
			t.Fatalf("%q: exit code %d\n%s%s", args, code, out.String(), said.String())
		}
		if text := out.String() + said.String(); strings.Contains(text, "sealane_person_") {
			t.Errorf("%q: a token is shown: %s", args, text)
		}
		return said.String()
	}
	has := func(file string) string {
		t.Helper()
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		return strings.TrimSpace(string(data))
	}
	gone := func(file string) {
		t.Helper()
		if _, err := os.Stat(file); !os.IsNotExist(err) {
			t.Errorf("%s is there: %v", file, err)
		}
	}

	exec("CREATE TRIGGER refused BEFORE INSERT ON audit BEGIN SELECT RAISE(ABORT, 'no'); END")
	fails("login", "--renew", "--token-file", file)
	if got := has(file); got != o.anna {
		t.Error("the file of a token that is valid has another")
	}
	gone(file + oldToken)
	exec("DROP TRIGGER refused")
	o.run("person", "list", "--token-file", file)

	// The change fails at its end.
	exec("CREATE TABLE owed (id TEXT REFERENCES partner (id) DEFERRABLE INITIALLY DEFERRED)")
	exec("CREATE TRIGGER late AFTER INSERT ON audit BEGIN INSERT INTO owed VALUES ('nobody'); END")
	said := fails("login", "--renew", "--token-file", file)
	for _, want := range []string{
		"the new token is in " + file, "in " + file + oldToken, "sealane login --token-file",
	} {
		if !strings.Contains(said, want) {
			t.Errorf("the error does not say %q: %s", want, said)
		}
	}
	if renewed := has(file); renewed == o.anna || !strings.HasPrefix(renewed, "sealane_person_") {
		t.Error("the file does not have the new token")
	}
	if has(file+oldToken) != o.anna {
		t.Error("the old token is not next to it")
	}
	t.Setenv("SEALANE_TOKEN", o.anna)
	var shown, errors bytes.Buffer
	code := run(t.Context(), []string{"person", "token", "anna"}, strings.NewReader(""), &shown, &errors)
	if code != exitFailed || !strings.Contains(shown.String(), "is the new token of anna if the change was stored") {
		t.Errorf("exit code %d\n%s%s", code, shown.String(), errors.String())
	}
	exec("DROP TRIGGER late")
	if said := fails("person", "list", "--token-file", file); !strings.Contains(said, file+oldToken) {
		t.Errorf("the error does not say where the token before is: %s", said)
	}
	o.run("login", "--token-file", file+oldToken)

	// The file can't be written: nothing changes.
	blocked := filepath.Join(o.dir, "blocked")
	if err := os.WriteFile(blocked, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("XDG_CONFIG_HOME", blocked)
	t.Setenv("SEALANE_TOKEN", o.anna)
	var out, errs bytes.Buffer
	if code := run(t.Context(), []string{"login", "--renew"}, strings.NewReader(""), &out, &errs); code != exitFailed {
		t.Errorf("exit code %d %s%s", code, out.String(), errs.String())
	}
	o.run("person", "list")

	// After a renewal there is one token, in the file.
	o.run("login", "--renew", "--token-file", file+oldToken)
	if has(file+oldToken) == o.anna {
		t.Error("the token is the old one")
	}
	gone(file + oldToken + oldToken)
	o.run("person", "list", "--token-file", file+oldToken)
}
