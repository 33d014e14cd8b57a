package inspect_test

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/sealane/sealane/fault"
	"github.com/sealane/sealane/internal/alg"
	"github.com/sealane/sealane/internal/inspect"
	"github.com/sealane/sealane/internal/malform"
	"github.com/sealane/sealane/internal/testkey"
	"github.com/sealane/sealane/internal/testlane"
	"github.com/sealane/sealane/profile"
)

const (
	alias      = "1234dadc1234b704c1f23dc4-PKE-ACS-Client-2048SHA2-STAG"
	otherAlias = "1234dadc1234b704c1f23dc4-PKE-ACS-Client-2048SHA2-PROD"
	marker     = "LuckyPayloadMarker4711"
)

var payload = []byte(`{"id":"` + marker +
	`","data":{"individual":{"given_name":"Jane","national_id":"123456789"}},"filler":"` + strings.Repeat("abc ", 40) +
	`"}`)

// keyset holds the RSA keys of the whole test binary.
var keyset = sync.OnceValue(func() (k struct{ signer, recipient, other *rsa.PrivateKey }) {
	k.recipient = testkey.Fixed() // the same in every worker of the fuzz target
	for _, key := range []**rsa.PrivateKey{&k.signer, &k.other} {
		made, err := rsa.GenerateKey(rand.Reader, 2048)
		if err != nil {
			panic(err)
		}
		*key = made
	}
	return k
})

// suite names the algorithms of a test's profiles; the zero value stands for those of the
// shipped ones.
type suite struct{ signature, content string }

// suites cover every algorithm of the table.
var suites = []suite{
	{},
	{alg.PS256.Name, alg.A128CBCHS256.Name},
	{alg.PS256.Name, alg.A256CBCHS512.Name},
	{alg.RS256.Name, alg.A128GCM.Name},
}

func (s suite) String() string { return strings.Trim(s.signature+" "+s.content, " ") }

// isNot reports whether a text names the shipped algorithms although the suite has others,
// and not as what was found.
func (s suite) isNot(text string) bool {
	text, _, _ = strings.Cut(text, "Found ")
	return s.content != "" && (s.content != alg.A256GCM.Name && strings.Contains(text, alg.A256GCM.Name) ||
		s.signature != alg.RS256.Name && strings.Contains(text, alg.RS256.Name))
}

// load loads a profile with the suite's algorithms instead of the shipped ones.
func (s suite) load(t testing.TB, name string, replacements ...string) *profile.Profile {
	t.Helper()
	if s != (suite{}) {
		replacements = append(slices.Clone(replacements), alg.A256GCM.Name, s.content)
		if name == "riskos" {
			replacements = append(replacements, alg.RS256.Name, s.signature)
		}
	}
	return testlane.Profile(t, name, replacements...)
}

// material returns the material of a message for the profile.
func material(p *profile.Profile) malform.Material {
	k := keyset()
	m := malform.Material{
		Payload: payload, Signer: k.signer, Recipient: &k.recipient.PublicKey, SignerID: "signer-1", Other: k.other,
		Nested: p.Request.Sign != nil,
	}
	if !m.Nested {
		m.RecipientID = alias
	} else {
		m.Signature, _ = alg.Signatures.Find(p.Request.Sign.Alg.Seal)
	}
	m.Content, _ = alg.Contents.Find(p.Request.Encrypt.Enc.Seal)
	return m
}

func options(p *profile.Profile) inspect.Options {
	k := keyset()
	o := inspect.Options{
		Ours: []inspect.Key{
			{Name: "ours.key", ID: alias, Environment: "STAG", Private: k.recipient},
			{Name: "prod.key", ID: otherAlias, Environment: "PROD", Private: k.other},
		},
		Theirs: []inspect.Key{
			{Name: "theirs.crt", ID: "signer-1", Public: &k.signer.PublicKey},
			{Name: "stranger.crt", ID: "signer-2", Public: &k.other.PublicKey},
		},
	}
	if p != nil {
		o.Profiles = []*profile.Profile{p}
	}
	return o
}

// text returns the report for people and for programs.
func text(t testing.TB, r *inspect.Report) string {
	t.Helper()
	var b bytes.Buffer
	if err := r.WriteText(&b, false); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// leaks searches a report for the payload, unchanged and in base64 at each of the three
// alignments.
func leaks(report string) bool {
	if strings.Contains(report, marker) {
		return true
	}
	for skip := range 3 {
		inside := marker[skip : len(marker)-(len(marker)-skip)%3]
		if strings.Contains(report, base64.RawURLEncoding.EncodeToString([]byte(inside))) {
			return true
		}
	}
	return false
}

func layerOf(c fault.Code) string { return string(c.Layer()) }
