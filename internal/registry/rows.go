package registry

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/sealane/sealane/internal/termtext"
)

// rowName names a row in the audit log: its kind, and what identifies it, with slashes between,
// such as "environment/acme/PROD". Parts have no slashes but for the last.
type rowName string

func nameOf(kind string, parts ...string) rowName {
	return rowName(kind + "/" + strings.Join(parts, "/"))
}

// kindOf are the kinds of rows whose table has another name.
var kindOf = map[string]string{"api_key": "apikey", "key_pair": "key"}

// unrecorded are the settings that programs keep for themselves. They are changed without a
// record.
var unrecorded = map[string]bool{settingAnchors: true}

// hexSum is a checksum, which the audit log has in hexadecimal.
type hexSum []byte

// MarshalText returns the checksum in hexadecimal.
func (h hexSum) MarshalText() ([]byte, error) { return hex.AppendEncode(nil, h), nil }

// digest returns the SHA-256 of parts and of their lengths, by which the audit log recognizes
// bytes that it does not keep.
func digest(parts ...[]byte) hexSum {
	h := sha256.New()
	for _, part := range parts {
		h.Write(binary.BigEndian.AppendUint64(nil, uint64(len(part))))
		h.Write(part)
	}
	return h.Sum(nil)
}

// recordedRow returns the name of a row, and what the audit log keeps of it: its members, without
// secrets. Of what has many bytes, or is the hash of a secret, it has a SHA-256. ok is false
// for what is no row of the registry. The name is empty for a row that is changed without a
// record.
//
// A member that is added to a row later must be left out of the JSON where it is empty:
// VerifyRows compares rows with records that older programs wrote.
func recordedRow(row any) (name rowName, form json.RawMessage, ok bool, err error) {
	name, of, ok := recordedAs(row)
	if name == "" {
		return name, nil, ok, nil
	}
	if form, err = marshal(of); err != nil {
		return name, nil, true, fmt.Errorf("%s: %w", name, err)
	}
	return name, HexSums(form), true, nil
}

// recordedAs returns the name of a row, and what is written as JSON of it.
func recordedAs(row any) (name rowName, of any, ok bool) {
	switch v := row.(type) {
	case Partner:
		return nameOf("partner", v.ID), v, true
	case Environment:
		return nameOf("environment", v.Partner, v.Name), v, true
	case APIKey:
		return nameOf("apikey", v.ID), recordedAPIKey(v), true
	case KeyPair:
		return nameOf("key", v.ID), recordedKeyPair(v), true
	case Certificate:
		return nameOf("certificate", v.ID), recordedCertificate(v), true
	case Offer:
		return nameOf("offer", v.KeyPair, v.Partner), v, true
	case Blocked:
		return nameOf("blocked", hex.EncodeToString(v.SPKISHA256)), recordedBlocked(v), true
	case Person:
		return nameOf("person", v.ID), struct {
			Person
			Token hexSum `json:"token_sha256"`
		}{v, digest(v.SHA256)}, true
	case Request:
		return nameOf("request", v.ID), v, true
	case Renewal:
		return nameOf("renewal", v.ID), v, true
	case Setting:
		if unrecorded[v.Name] {
			return "", nil, true
		}
		return nameOf("setting", v.Name), map[string]hexSum{"sha256": digest(v.Value)}, true
	case ProfileSource:
		if len(v.Source) == 0 { // it was removed
			return "", nil, true
		}
		return nameOf("profile", v.Name), map[string]hexSum{"sha256": digest(v.Source)}, true
	}
	return "", nil, false
}

func recordedAPIKey(k APIKey) any {
	k.LastUsed = time.Time{}
	of := struct {
		APIKey
		Token hexSum `json:"token_sha256,omitempty"` // of what an earlier version stored
		MAC   hexSum `json:"mac_sha256,omitempty"`
	}{APIKey: k}
	if len(k.SHA256) > 0 {
		of.Token = digest(k.SHA256)
	}
	if len(k.HMAC) > 0 {
		of.MAC = digest(k.HMAC, k.Binding)
	}
	return of
}

func recordedKeyPair(k KeyPair) any {
	bytes := digest(k.SPKI, k.Sealed)
	k.SPKI = nil
	return struct {
		KeyPair
		SPKI       []byte `json:"spki,omitempty"`
		SPKISHA256 hexSum `json:"spki_sha256"`
		Bytes      hexSum `json:"bytes_sha256"` // of the public and the sealed private key
	}{k, nil, hexSum(k.SPKISHA256), bytes}
}

func recordedBlocked(b Blocked) any {
	b.Ended = nil
	return struct {
		Blocked
		SPKISHA256 hexSum `json:"spki_sha256"`
	}{b, hexSum(b.SPKISHA256)}
}

// recordedCertificate returns what the audit log keeps of a certificate.
func recordedCertificate(c Certificate) any {
	parts := [][]byte{c.DER, c.SPKI, c.Provenance.File, c.Provenance.Challenge}
	bytes := digest(append(parts, c.Chain...)...)
	c.DER, c.SPKI, c.Chain, c.Provenance.File, c.Provenance.Challenge = nil, nil, nil, nil, nil
	file := c.Provenance.FileSHA256
	c.Provenance.FileSHA256 = nil
	return struct {
		Certificate
		DER        []byte `json:"der,omitempty"`
		SPKI       []byte `json:"spki,omitempty"`
		SHA256     hexSum `json:"sha256"`
		SPKISHA256 hexSum `json:"spki_sha256"`
		File       hexSum `json:"file_sha256,omitempty"`
		Bytes      hexSum `json:"bytes_sha256"` // of all that is left out
	}{c, nil, nil, hexSum(c.SHA256), hexSum(c.SPKISHA256), hexSum(file), bytes}
}

// recorded returns what the audit log keeps of a row, a list of rows, or anything else.
func recorded(value any) (json.RawMessage, error) {
	if value == nil {
		return nil, nil
	}
	if list, is := value.([]Certificate); is {
		forms := make([]json.RawMessage, len(list))
		for i, c := range list {
			var err error
			if forms[i], err = recorded(c); err != nil {
				return nil, err
			}
		}
		return marshal(forms)
	}
	if _, form, is, err := recordedRow(value); is || err != nil {
		return form, err
	}
	form, err := marshal(value)
	return HexSums(form), err
}

// marshal returns JSON with escapes in place of characters that a terminal obeys, or that change
// the order of others: records are read as they are.
func marshal(value any) (json.RawMessage, error) {
	form, err := json.Marshal(value)
	if err != nil || !bytes.ContainsFunc(form, hidden) {
		return form, err
	}
	return json.RawMessage(termtext.EscapeJSON(string(form))), nil
}

func hidden(r rune) bool { return !strconv.IsGraphic(r) }
