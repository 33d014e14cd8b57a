package inspect_test

import (
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/sealane/sealane/fault"
	"github.com/sealane/sealane/internal/inspect"
	"github.com/sealane/sealane/internal/testkey"
	"github.com/sealane/sealane/internal/testlane"
)

// Under FIPS 140-3 enforcement many attempts are impossible, and some of them panic in the
// standard library. Inspect says less then, but nothing wrong.
func TestUnderFIPSEnforcement(t *testing.T) {
	if os.Getenv("GODEBUG") != "fips140=only" {
		again := exec.Command(os.Args[0], "-test.run=^TestUnderFIPSEnforcement$", "-test.v")
		again.Env = append(os.Environ(), "GODEBUG=fips140=only")
		if out, err := again.CombinedOutput(); err != nil || !strings.Contains(string(out), "--- PASS") {
			t.Fatalf("%v\n%s", err, out)
		}
		return
	}
	k := keyset()
	o := options(testlane.Profile(t, "riskos"))
	o.Ours, o.Theirs = o.Ours[:1], o.Theirs[:1]
	seal := func(content []byte) []byte {
		sealed := testkey.Encrypt(t, content, &k.recipient.PublicKey)
		return sealed
	}
	signed := testkey.Sign(t, payload, k.signer)
	strange := testkey.Sign(t, payload, k.other)
	changed := seal(signed)
	changed[len(changed)-5] = map[bool]byte{true: 'B', false: 'A'}[changed[len(changed)-5] == 'A']
	short := seal(signed)
	short = short[:len(short)-2]
	wrongKey := o
	wrongKey.Ours = []inspect.Key{{Name: "other", Private: k.other}}
	for _, c := range []struct {
		name  string
		token []byte
		o     inspect.Options
		want  fault.Code
	}{
		{"right", seal(signed), o, ""},
		{"changed", changed, o, fault.OpenTag},
		{"cut tag", short, o, fault.TagLength},
		{"not signed", seal(payload), o, fault.InnerNotSigned},
		{"other signer", seal(strange), o, fault.SignatureWrong},
		{"other key", seal(signed), wrongKey, fault.OpenKey},
	} {
		if r := inspect.Examine(c.token, c.o); r.Fault != c.want {
			t.Errorf("%s: %q, want %q\n%s", c.name, r.Fault, c.want, text(t, r))
		}
	}
}
