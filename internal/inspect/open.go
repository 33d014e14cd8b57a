package inspect

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	_ "crypto/sha1"
	_ "crypto/sha256"
	_ "crypto/sha512"
	"errors"
	"fmt"
	"strings"

	"github.com/sealane/sealane/cert"
	"github.com/sealane/sealane/fault"
	"github.com/sealane/sealane/internal/alg"
)

// padding is one way to encrypt a key with RSA.
type padding struct {
	name    string
	alg     string     // that announces it; empty: no JWE algorithm uses it
	code    fault.Code // where the header announces another
	options crypto.DecrypterOpts
}

// paddings lists those that senders are known to use. label is the header's text, which
// some senders use as the OAEP label. JWE has none.
func paddings(label []byte) []padding {
	list := []padding{
		{"OAEP with SHA-256", alg.RSAOAEP256.Name, fault.OpenOAEPSHA256, &rsa.OAEPOptions{Hash: crypto.SHA256}},
		{"OAEP with SHA-1", alg.RSAOAEP.Name, fault.OpenSHA1, &rsa.OAEPOptions{Hash: crypto.SHA1}},
		{"OAEP with SHA-256 and MGF1 over SHA-1", "", fault.OpenMGF1, &rsa.OAEPOptions{
			Hash:    crypto.SHA256,
			MGFHash: crypto.SHA1,
		}},
		//lint:ignore SA1019 inspect recognizes the deprecated padding
		{"PKCS #1 v1.5", "RSA1_5", fault.OpenPKCS1, &rsa.PKCS1v15DecryptOptions{}},
		{"OAEP with SHA-1 and MGF1 over SHA-256", "", fault.OpenLabel, &rsa.OAEPOptions{
			Hash:    crypto.SHA1,
			MGFHash: crypto.SHA256,
		}},
		{"OAEP with SHA-384", "RSA-OAEP-384", fault.OpenLabel, &rsa.OAEPOptions{Hash: crypto.SHA384}},
		{"OAEP with SHA-512", "RSA-OAEP-512", fault.OpenLabel, &rsa.OAEPOptions{Hash: crypto.SHA512}},
		{"OAEP with SHA-384 and MGF1 over SHA-1", "", fault.OpenLabel, &rsa.OAEPOptions{
			Hash:    crypto.SHA384,
			MGFHash: crypto.SHA1,
		}},
		{"OAEP with SHA-512 and MGF1 over SHA-1", "", fault.OpenLabel, &rsa.OAEPOptions{
			Hash:    crypto.SHA512,
			MGFHash: crypto.SHA1,
		}},
		{"OAEP with SHA-512 and MGF1 over SHA-256", "", fault.OpenLabel, &rsa.OAEPOptions{
			Hash:    crypto.SHA512,
			MGFHash: crypto.SHA256,
		}},
		{"OAEP with SHA-224", "", fault.OpenLabel, &rsa.OAEPOptions{Hash: crypto.SHA224}},
	}
	if len(label) > 0 && len(label) <= maxHeader*4/3+4 {
		list = append(list,
			padding{"OAEP with SHA-256 and the header's text as its label", "", fault.OpenLabel,
				&rsa.OAEPOptions{Hash: crypto.SHA256, Label: label}})
	}
	return list
}

// open tries our keys; ok reports whether there is content to examine.
func (x *examiner) open() (content []byte, ok bool) {
	t := x.outer
	var keys []Key
	for _, k := range x.o.Ours {
		if k.Private != nil {
			keys = append(keys, k)
		}
	}
	if len(keys) == 0 {
		return nil, false
	}
	x.r.Opening = &Opening{Tried: len(keys)}
	if len(t.data[1]) == 0 {
		x.r.Opening.Content = "not opened: there is no encrypted key"
		return nil, false
	}
	cek, ok := x.findCEK(keys)
	if !ok {
		x.r.Opening.Content = "not opened"
		return nil, false
	}
	defer clear(cek)
	return x.openContent(cek)
}

// findCEK tries every key with the padding that the header announces, then every key with
// the others.
func (x *examiner) findCEK(keys []Key) ([]byte, bool) {
	t := x.outer
	list := paddings(t.text[0])
	announced := 0
	for i, p := range list {
		if name := t.header.values["alg"]; name != "" && p.alg == name {
			announced = i
		}
	}
	list[0], list[announced] = list[announced], list[0]
	fits := false
	for i, p := range list {
		for _, k := range keys {
			encryptedKey, size := t.data[1], keySize(k.Private)
			if missing := size - len(encryptedKey); missing > 0 && missing <= 2 {
				encryptedKey = append(make([]byte, missing), encryptedKey...)
			}
			if len(encryptedKey) != size {
				continue
			}
			fits = true
			cek, err := k.Private.Decrypt(rand.Reader, encryptedKey, p.options)
			if err != nil {
				if i == 0 && !errors.Is(err, rsa.ErrDecryption) {
					x.r.Opening.Trouble = "Key " + k.String() + " could not be used: " + clip(err.Error())
				}
				continue
			}
			//lint:ignore SA1019 see above
			if _, loose := p.options.(*rsa.PKCS1v15DecryptOptions); loose && !plausible(cek) {
				continue // this padding is valid by chance now and then
			}
			x.openedBy(k, p, i == 0)
			if len(encryptedKey) != len(t.data[1]) {
				x.note(stepLength, "encrypted key", "It opens if a leading zero is added: the sender writes "+
					"it as a number, not as bytes of fixed length.")
			}
			return cek, true
		}
	}
	x.notOpened(keys, fits)
	return nil, false
}

func keySize(d crypto.Decrypter) int {
	if pub, ok := d.Public().(*rsa.PublicKey); ok {
		return pub.Size()
	}
	return -1
}

func plausible(cek []byte) bool {
	switch len(cek) {
	case 16, 24, 32, 43, 44, 48, 64:
		return true
	}
	return false
}

// openedBy reports which key opened it, and whether that agrees with the header.
func (x *examiner) openedBy(k Key, p padding, asAnnounced bool) {
	o := x.r.Opening
	o.Key, o.How = k.String(), p.name
	announced := x.outer.header.values["alg"]
	switch {
	case asAnnounced:
	case announced == alg.RSAOAEP.Name && p.alg == alg.RSAOAEP256.Name:
		x.fault(stepKey, fault.OpenOAEPSHA256, "encrypted key", "")
		x.supersede(fault.AlgSHA1)
	case p.code == fault.OpenLabel:
		x.fault(stepKey, p.code, "encrypted key", "It is "+p.name+".")
	default:
		x.fault(stepKey, p.code, "encrypted key", "")
	}
	if why := x.otherKey(k); why != "" {
		x.fault(stepKey, fault.OpenKeyOther, "encrypted key", "It opens with key "+k.String()+", though "+why+".")
	}
}

// otherKey returns why the key ID in the header cannot mean key k, or "".
func (x *examiner) otherKey(k Key) string {
	kid := x.outer.header.values["kid"]
	if kid == "" || kid == k.ID {
		return ""
	}
	for _, other := range x.o.Ours {
		if other.ID == kid {
			return "the key ID is that of key " + other.String()
		}
	}
	id, err := cert.ParseKeyID(kid)
	if err != nil {
		return ""
	}
	env := k.Environment
	if own, err := cert.ParseKeyID(k.ID); err == nil && env == "" {
		env = own.Environment
	}
	if env != "" && !strings.EqualFold(env, id.Environment) {
		return "the key ID says " + id.Environment
	}
	return ""
}

// notOpened reports the fault where no key opens it, and the likely reason.
func (x *examiner) notOpened(keys []Key, fits bool) {
	n := len(x.outer.data[1])
	if x.r.Opening.Trouble != "" {
		x.fault(stepKey, fault.KeyUnavailable, "our keys", x.r.Opening.Trouble)
		return
	}
	if !fits {
		if rsaBits(n) > 0 {
			x.fault(stepKey, fault.OpenKeySize, "encrypted key",
				fmt.Sprintf("It was made with a key of %d bits; the keys tried have %s.", rsaBits(n), sizes(keys)))
		}
		return
	}
	if x.outer.damaged && x.has(fault.EncryptedKeyLength) {
		return
	}
	x.fault(stepKey, fault.OpenKey, "encrypted key", x.likelyReason(keys))
}

func (x *examiner) likelyReason(keys []Key) string {
	kid := x.outer.header.values["kid"]
	id, err := cert.ParseKeyID(kid)
	for _, k := range keys {
		switch {
		case kid != "" && k.ID == kid:
			return "The key ID is that of key " + k.String() + ", but a key ID has no version: the sender probably " +
				"has an older or a newer certificate under the same name."
		case err == nil && k.Environment != "" && !strings.EqualFold(k.Environment, id.Environment):
			return "The key ID says " + id.Environment + ", and key " + k.String() +
				" was tried: probably a key of another environment."
		case err == nil && id.Bits != keySize(k.Private)*8:
			return fmt.Sprintf("The key ID says %d bits, and key %s has %d: probably another key.", id.Bits, k,
				keySize(k.Private)*8)
		}
	}
	if kid != "" {
		return "The header names the key ID " + show(kid) + ": look for the key with this key ID."
	}
	return "The header names no key ID, so nothing in the message tells which certificate was used."
}

func sizes(keys []Key) string {
	var list []string
	for _, k := range keys {
		text := fmt.Sprintf("%d bits", keySize(k.Private)*8)
		if len(list) == 0 || list[len(list)-1] != text {
			list = append(list, text)
		}
	}
	return strings.Join(list, ", ")
}

// additionalData lists what senders are known to use as additional data; the first two are
// right.
func (t *token) additionalData() []struct {
	name string
	data []byte
} {
	json := t.data[0]
	padded := append(canonical(json), bytes.Repeat([]byte{'='}, -len(canonical(json))&3)...)
	return []struct {
		name string
		data []byte
	}{
		{"", canonical(json)},
		{"", t.text[0]},
		{"no additional data", nil},
		{"the header's JSON instead of its base64url text", json},
		{"the header's text with base64 padding", padded},
		{"the header's text in standard base64", standard(padded)},
		{"the header's text and the dot after it", append(bytes.Clone(t.text[0]), '.')},
	}
}

func standard(text []byte) []byte {
	return bytes.ReplaceAll(bytes.ReplaceAll(text, []byte{'-'}, []byte{'+'}), []byte{'_'}, []byte{'/'})
}
