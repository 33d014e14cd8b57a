package lanedir_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/internal/testlane"
	"github.com/sealane/sealane/keyring"
	"github.com/sealane/sealane/lanedir"
	"github.com/sealane/sealane/sealanetest"
)

// folder makes a folder with the given files, each a name and a text.
func folder(t *testing.T, files ...string) string {
	t.Helper()
	dir := t.TempDir()
	for i := 0; i < len(files); i += 2 {
		write(t, filepath.Join(dir, files[i]), files[i+1])
	}
	return dir
}

func write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// pem returns the private key and the certificate of a key pair.
func pem(t *testing.T, k sealanetest.KeyPair) (key, certificate string) {
	t.Helper()
	keyFile, certificateFile := k.WriteFiles(t)
	return read(t, keyFile), read(t, certificateFile)
}

func read(t *testing.T, name string) string {
	t.Helper()
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

const customerYAML = "profile: riskos\nside: client\nours: ours.key\ntheirs: theirs.cer\n"

// customer returns the folder of a customer's lane.
func customer(t *testing.T, text string, more ...string) string {
	key, _ := pem(t, sealanetest.CustomerKey())
	_, certificate := pem(t, sealanetest.ProviderKey())
	return folder(t, append([]string{"lane.yaml", text, "ours.key", key, "theirs.cer", certificate}, more...)...)
}

// opens reports whether the lane at the other end opens what lane seals.
func opens(t *testing.T, lane *sealane.Lane) bool {
	t.Helper()
	token, err := lane.Seal(t.Context(), []byte(`{"id":"1"}`))
	if err != nil {
		t.Fatal(err)
	}
	_, err = testlane.New(t, sealanetest.ProviderConfig()).Open(t.Context(), token)
	return err == nil
}

func TestOpen(t *testing.T) {
	f, err := lanedir.Open(t.Context(), customer(t, customerYAML), lanedir.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if lane, err := f.LaneFunc(nil); err != nil || lane.Name() != "riskos/provider/DEV" || !opens(t, lane) {
		t.Error(lane, err)
	}
}

// TestStates: the first key without a state is active, others without one are retiring.
func TestStates(t *testing.T) {
	old, _ := pem(t, sealanetest.ProviderKey())
	_, theirs := pem(t, sealanetest.CustomerKey())
	newer, _ := pem(t, sealanetest.IssuerKey())
	files := []string{"old.key", old, "new.key", newer, "c.cer", theirs}
	for ours, want := range map[string]string{
		"[new.key, old.key]": "active retiring",
		"[{file: new.key, state: staged, key_id: a}, old.key]":     "staged active",
		"[new.key, {file: old.key, state: active}]":                "retiring active",
		"[{file: new.key, key_id: x}, {file: old.key, key_id: x}]": "active retiring",
	} {
		text := "profile: riskos\nside: server\nenvironment: PROD\naccept_certificate: a test\ntheirs: c.cer\nours: " +
			ours + "\n"
		f, err := lanedir.Open(t.Context(), folder(t, append(files, "lane.yaml", text)...), lanedir.Options{})
		if err != nil {
			t.Errorf("%s: %v", ours, err)
			continue
		}
		var got []string
		for _, k := range f.Lane().Ours() {
			got = append(got, k.State.String())
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%s: %s, want %s", ours, got, want)
		}
	}
}

// TestWords: every word reaches the lane.
func TestWords(t *testing.T) {
	f, err := lanedir.Open(t.Context(), customer(t, `profile: riskos
side: client
partner: acme
environment: PROD
ours: {file: ours.key, key_id: k1}
theirs: theirs.cer
sealing: optional
max_payload: 1000
plain: ["GET /api/evaluation/{eval_id}"]
`), lanedir.Options{})
	if err != nil {
		t.Fatal(err)
	}
	lane := f.Lane()
	if lane.Name() != "riskos/acme/PROD" || lane.Ours()[0].ID != "k1" || lane.Sealing() != sealane.SealingOptional ||
		lane.MaxPayload() != 1000 {
		t.Error(lane, lane.Ours()[0].ID, lane.Sealing(), lane.MaxPayload())
	}
}

func TestRefused(t *testing.T) {
	key, certificate := pem(t, sealanetest.IssuerKey())
	for _, c := range []struct{ name, text, want string }{
		{"unknown word", customerYAML + "partnr: x\n",
			`lane.yaml:5: partnr: there is no such key; did you mean "partner"?`},
		{"side", "profile: riskos\nside: both\n", `side: side is "both"`},
		{"nothing given", "partner: x\n", "profile is missing"},
		{"no file", "profile: riskos\nside: client\nours: {key_id: x}\n", "a key has no file"},
		{"no such file", "profile: riskos\nside: client\nours: none.key\n", "none.key"},
		{"no such profile", "profile: none\nside: client\n", `profile "none" is not known`},
		{"certificate as key", "profile: riskos\nside: client\nours: theirs.cer\n", "theirs.cer"},
		{"key as certificate", "profile: riskos\nside: client\ntheirs: i.key\n", "private key"},
		{"unsigned without caller", "profile: rdx\nside: server\nours: i.key\n", "say how the sender is known"},
		{"key ID of another environment", "profile: rdx\nside: server\nenvironment: PROD\ncaller: mutual-tls\n" +
			"ours: {file: i.key, key_id: 1234dadc1234b704c1f23dc4-PKE-ACS-Client-2048SHA2-STAG}\n",
			"accept_certificate"},
		{"usage", "profile: riskos\nside: client\nours: ours.key\ntheirs: i.cer\n", "[key-usage]"},
		{"two active",
			"profile: riskos\nside: client\nours: [{file: ours.key, state: active}, {file: i.key, state: active}]\n",
			"both active"},
	} {
		_, err := lanedir.Open(t.Context(), customer(t, c.text, "i.key", key, "i.cer", certificate), lanedir.Options{})
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
	}
}

// TestReload: the lane changes with the content of its files, and stays as it was where they don't
// belong together or can't be read.
func TestReload(t *testing.T) {
	dir := customer(t, customerYAML)
	f, err := lanedir.Open(t.Context(), dir, lanedir.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	before := f.Lane()
	reload := func(wantChange bool, wantError string) {
		t.Helper()
		changed, err := f.Reload(context.Background())
		if changed != wantChange || (err == nil) != (wantError == "") ||
			err != nil && !strings.Contains(err.Error(), wantError) {
			t.Errorf("changed %t, %v", changed, err)
		}
	}
	reload(false, "")
	write(t, filepath.Join(dir, "ours.key"), "garbage")
	reload(false, "ours.key")
	if f.Lane() != before {
		t.Error("a lane that can't be read has replaced the one before")
	}
	key, _ := pem(t, sealanetest.IssuerKey())
	write(t, filepath.Join(dir, "ours.key"), key)
	reload(true, "")
	if f.Lane() == before || opens(t, f.Lane()) {
		t.Error("the new key is not used")
	}
	if !opens(t, before) {
		t.Error("a request that has the lane of before can't go on")
	}
	write(t, filepath.Join(dir, "lane.yaml"), customerYAML+"max_payload: 7\n")
	reload(true, "")
	if f.Lane().MaxPayload() != 7 {
		t.Error("a word has changed, and the lane has not")
	}
}

// TestSymlinkSwap: Kubernetes replaces the files of a volume by swapping a link.
func TestSymlinkSwap(t *testing.T) {
	one, two := customer(t, customerYAML), customer(t, customerYAML)
	key, _ := pem(t, sealanetest.IssuerKey())
	write(t, filepath.Join(two, "ours.key"), key)
	dir := t.TempDir()
	link := func(to string) {
		t.Helper()
		fresh := filepath.Join(dir, "..data_new")
		if err := os.Symlink(to, fresh); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(fresh, filepath.Join(dir, "..data")); err != nil {
			t.Fatal(err)
		}
	}
	link(one)
	for _, name := range []string{"lane.yaml", "ours.key", "theirs.cer"} {
		if err := os.Symlink(filepath.Join("..data", name), filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	f, err := lanedir.Open(t.Context(), dir, lanedir.Options{})
	if err != nil {
		t.Fatal(err)
	}
	link(two)
	if changed, err := f.Reload(t.Context()); !changed || err != nil || opens(t, f.Lane()) {
		t.Errorf("changed %t, %v", changed, err)
	}
}

// TestWrite: what is written reads as the same lane.
func TestWrite(t *testing.T) {
	changed := testlane.Profile(t, "riskos", "title: RiskOS", "title: Other")
	config := sealanetest.CustomerConfig()
	config.Profile, config.Partner, config.Environment, config.MaxPayload = changed, "acme", "PROD", 12345
	config.Sealing, config.PlainEndpoints = sealane.SealingOptional, []string{"GET /x"}
	config.Theirs = testlane.Ring(t,
		keyring.Key{State: keyring.Active, ID: "t1", Certificate: sealanetest.ProviderKey().Certificate},
		keyring.Key{State: keyring.Retiring, ID: "t2", Public: &sealanetest.IssuerKey().Private.PublicKey})
	config.Ours = testlane.Ring(t, keyring.Key{
		State: keyring.Active, Private: sealanetest.CustomerKey().Private,
		Certificate: sealanetest.CustomerKey().Certificate,
	})
	dir := filepath.Join(t.TempDir(), "lane")
	if err := lanedir.Write(dir, lanedir.Lane{Config: config}); err != nil {
		t.Fatal(err)
	}
	f, err := lanedir.Open(t.Context(), dir, lanedir.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if files := f.Files(); len(files) != 3 || files[0].CertificateFile != filepath.Join(dir, "ours-1.cer") {
		t.Errorf("the end of our key is not known: %+v", files)
	}
	got, want := f.Lane(), testlane.New(t, config)
	if got.Name() != want.Name() || got.MaxPayload() != want.MaxPayload() || got.Sealing() != want.Sealing() ||
		got.Profile().Profile().Title != changed.Title || !opens(t, got) || len(got.Theirs()) != 2 ||
		got.Theirs()[1].ID != "t2" || got.Theirs()[1].State != keyring.Retiring || got.Theirs()[0].Certificate == nil {
		t.Error(got, got.Theirs())
	}
	for _, entry := range []string{".", "lane.yaml", "ours-1.key", "theirs-1.cer", "theirs-2.pub", "profile.yaml"} {
		info, err := os.Stat(filepath.Join(dir, entry))
		if err != nil || info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s: %v, %v", entry, info, err)
		}
	}
	if err := lanedir.Write(dir, lanedir.Lane{Config: config}); err == nil ||
		!strings.Contains(err.Error(), "is not empty") {
		t.Errorf("a lane was written over another: %v", err)
	}
}
