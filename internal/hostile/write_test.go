package hostile_test

import (
	"bytes"
	"cmp"
	"crypto"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/sealane/sealane/fault"
	"github.com/sealane/sealane/internal/alg"
	"github.com/sealane/sealane/internal/hostile"
	"github.com/sealane/sealane/internal/jose"
	"github.com/sealane/sealane/internal/malform"
	"github.com/sealane/sealane/profile"
)

const dir = "../../testdata/hostile"

var update = flag.Bool("update", false, "write the messages of the corpus that are missing")

// payload is what is in the messages, as far as anything is.
const payload = `{"id":"hostile-1","timestamp":"2026-11-21T00:00:00Z","data":{"individual":{"given_name":"Jane","nat` +
	`ional_id":"123456789"}}}`

// maxPayload is the limit of the lanes that open what is too large.
const maxPayload = 4096

// TestWriteMessages writes the messages that are missing, with fresh randomness;
// what is there stays as it is. It is how the corpus grows, and fails where it
// has grown without being written.
func TestWriteMessages(t *testing.T) {
	w := &writer{t: t, corpus: &hostile.Corpus{Dir: dir}}
	if *update {
		w.prepare()
	}
	w.forged()
	w.mangled()
	w.bodies()
	w.requests()
	for _, c := range w.cases {
		name := filepath.Join(dir, filepath.FromSlash(c.Path))
		if data, err := os.ReadFile(name); err == nil {
			if !bytes.HasPrefix(data, c.Bytes()) { // there is no content yet
				t.Errorf("%s has another head than its draft: delete it and write it again", c.Path)
			}
			continue
		}
		if !*update {
			t.Errorf("%s is missing: run go test ./internal/hostile -update", c.Path)
			continue
		}
		c.Content = c.make()
		w.write(name, c.Bytes())
	}
	w.nothingElse()
	for path := range notes {
		if !slices.ContainsFunc(w.cases, func(d draft) bool { return d.Path == path }) {
			t.Errorf("there is a note on %s, and no such draft", path)
		}
	}
}

// draft is a case whose content is made only when it is written.
type draft struct {
	hostile.Case
	make func() []byte
}

type writer struct {
	t      *testing.T
	corpus *hostile.Corpus
	cases  []draft
}

func (w *writer) add(c hostile.Case, make func() []byte) {
	if c.Opener == "" {
		c.Opener = c.Fault
	}
	c.Note = notes[c.Path]
	w.cases = append(w.cases, draft{c, make})
}

func (w *writer) write(name string, data []byte) {
	w.t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		w.t.Fatal(err)
	}
	if err := os.WriteFile(name, data, 0o644); err != nil {
		w.t.Fatal(err)
	}
}

// nothingElse fails for a message that nobody would write again.
func (w *writer) nothingElse() {
	have, err := hostile.Read(dir)
	if err != nil {
		w.t.Fatal(err)
	}
	for _, c := range have.Cases {
		if !slices.ContainsFunc(w.cases, func(d draft) bool { return d.Path == c.Path }) {
			w.t.Errorf("%s is in no list of drafts", c.Path)
		}
	}
	if len(have.Cases) != len(w.cases) {
		w.t.Errorf("%d messages, %d drafts", len(have.Cases), len(w.cases))
	}
}

// prepare makes the keys of the corpus where they are missing.
func (w *writer) prepare() {
	for _, name := range []string{"recipient", "signer", "other"} {
		file := w.corpus.KeyFile(name)
		if _, err := os.Stat(file); err == nil {
			continue
		}
		key, err := rsa.GenerateKey(nil, 2048)
		if err != nil {
			w.t.Fatal(err)
		}
		der, err := x509.MarshalPKCS8PrivateKey(key)
		if err != nil {
			w.t.Fatal(err)
		}
		w.write(file, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
	}
}

func (w *writer) key(name string) *rsa.PrivateKey {
	key, err := w.corpus.Key(name)
	if err != nil {
		w.t.Fatal(err)
	}
	return key
}

// material is what messages of a profile are made of.
func (w *writer) material(profileName string) malform.Material {
	m := malform.Material{
		Payload: []byte(payload), Signer: w.key("signer"), Recipient: &w.key("recipient").PublicKey,
		// beyond what text and headers add
		SignerID: hostile.TheirKeyID, Other: w.key("other"), Nested: profileName != "rdx", Limit: 15 * maxPayload,
	}
	if !m.Nested {
		m.RecipientID = hostile.OurKeyID
	}
	return m
}

// good makes a message without a fault.
func (w *writer) good(profileName string) []byte {
	token, err := malform.Make("", w.material(profileName))
	if err != nil {
		w.t.Fatal(err)
	}
	return token
}

// forged drafts every fault that forge can make: in the profile that has the
// rule, and what anyone who encrypts only can get wrong for RDX as well.
func (w *writer) forged() {
	for _, v := range malform.Variants() {
		first := profileOf(v.Code)
		names := []string{first}
		if first == "riskos" && !v.Nested && slices.Contains([]fault.Layer{fault.Open}, v.Code.Layer()) &&
			v.Code != fault.OpenCompressed {
			names = append(names, "rdx") // one answer for all that fails, there as well
		}
		for _, name := range names {
			c := hostile.Case{
				Path:  kindOf(v.Code) + "/" + string(v.Code) + "." + v.Name + suffix(name, first),
				Fault: seen(v), Opener: opener(v), Outcome: outcome(v.Code), Profile: name, Source: source(v.Code),
			}
			if v.Code == fault.OpenOAEPSHA256 {
				c.AcceptRSAOAEP = true
			}
			if v.Code == fault.TooLarge.In(fault.JWE) {
				c.MaxPayload = maxPayload
			}
			w.add(c, func() []byte {
				m := w.material(name)
				if v.Code == fault.OpenKeyOther {
					m.RecipientID = hostile.OurKeyID
				}
				for {
					token, err := v.Make(m)
					if err != nil {
						w.t.Fatal(err)
					}
					if c.Opener != fault.Parts.In(fault.JWS) || w.hasNoThreeParts(token) {
						return token
					}
				}
			})
		}
	}
}

// hasNoThreeParts: by chance, bytes may have two dots among them.
func (w *writer) hasNoThreeParts(token []byte) bool {
	e, err := jose.ParseEncrypted(nil, token, 1<<20, []*alg.KeyEncryption{alg.RSAOAEP256}, []*alg.Content{alg.A256GCM})
	if err != nil {
		w.t.Fatal(err)
	}
	content, _, err := e.Decrypt([]crypto.Decrypter{w.key("recipient")})
	if err != nil {
		w.t.Fatal(err)
	}
	dots := bytes.Count(content, []byte("."))
	return dots != 2 && dots != 4
}

func suffix(name, first string) string {
	if name == first {
		return ""
	}
	return "-" + name
}

// profileOf returns the profile that has the rule which a fault breaks.
func profileOf(c fault.Code) string {
	switch c {
	case fault.KidMissing.In(fault.JWE), fault.KidUnknown.In(fault.JWE), fault.OpenOAEPSHA256:
		return "rdx"
	case fault.KidNotAllowed.In(fault.JWE):
		return "riskos-no-kid"
	case fault.KidMissing.In(fault.JWS), fault.KidUnknown.In(fault.JWS):
		return "riskos-known-signers"
	case fault.KidNotAllowed.In(fault.JWS):
		return "riskos-no-inner-kid"
	}
	return "riskos"
}

// kindOf is the folder of a fault.
func kindOf(c fault.Code) string {
	name := string(c)[strings.IndexByte(string(c), '.')+1:]
	switch {
	case c.Layer() == fault.Open:
		return "encryption"
	case c.Layer() == fault.Sign, c == fault.SignatureLength, c == fault.InnerNotSigned:
		return "signature"
	case slices.ContainsFunc([]string{"header-", "alg-", "enc-", "kid-", "typ-", "cty-"},
		func(p string) bool { return strings.HasPrefix(name, p) }):
		return "header"
	}
	return "token"
}

// seen is inspect's code where it is finer than the fault's.
func seen(v malform.Variant) fault.Code {
	return cmp.Or(map[string]fault.Code{
		"behind-the-ciphertext":      fault.OpenTagInCiphertext,
		"payload-changed-afterwards": fault.SignatureContent,
	}[v.Name], v.Code)
}

// opener is what an opener says, who may not look closer.
func opener(v malform.Variant) fault.Code {
	c := v.Code
	if c == fault.InnerNotSigned && (v.Name == "text" || v.Name == "bytes") {
		return fault.Parts.In(fault.JWS) // a dot or two stand in it
	}
	switch c {
	case fault.OpenIV16:
		return fault.IVLength
	case fault.OpenTagShort:
		return fault.TagLength
	case fault.OpenAAD:
		return fault.OpenTag
	case fault.OpenKeySize:
		return fault.OpenKeySize
	case fault.OpenCompressed: // bytes without two dots in them, see forged
		return fault.Parts.In(fault.JWS)
	}
	switch {
	case c.Layer() == fault.Open && c != fault.OpenTag:
		return fault.OpenKey
	case c.Layer() == fault.Sign:
		return fault.SignatureWrong
	}
	return c
}

// outcome is what the partner learns.
func outcome(c fault.Code) profile.Outcome {
	switch c {
	case fault.OpenIV16, fault.OpenTagShort:
		return profile.NotJWE
	case fault.OpenCompressed:
		return profile.NotJWS
	case fault.TooLarge.In(fault.JWE):
		return profile.TooLarge
	case fault.KidUnknown.In(fault.JWE):
		return profile.Decryption // which keys there are is nobody's business
	case fault.KidUnknown.In(fault.JWS):
		return profile.Signature // a JWS it is, of nobody that is known
	}
	return map[fault.Layer]profile.Outcome{
		fault.JWE: profile.NotJWE, fault.Open: profile.Decryption, fault.JWS: profile.NotJWS,
		fault.Sign: profile.Signature,
	}[c.Layer()]
}
