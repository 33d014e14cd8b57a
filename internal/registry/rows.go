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
	var of any
	switch v := row.(type) {
	case Partner:
		name, of = nameOf("partner", v.ID), v
	case Environment:
		name, of = nameOf("environment", v.Partner, v.Name), v
	case APIKey:
		v.LastUsed = time.Time{}
		of := struct {
			APIKey
			Token hexSum `json:"token_sha256,omitempty"` // of what an earlier version stored
			MAC   hexSum `json:"mac_sha256,omitempty"`
		}{APIKey: v}
		if len(v.SHA256) > 0 {
			of.Token = digest(v.SHA256)
		}
		if len(v.HMAC) > 0 {
			of.MAC = digest(v.HMAC, v.Binding)
		}
		form, err = marshal(of)
		return nameOf("apikey", v.ID), form, true, err
	case KeyPair:
		bytes := digest(v.SPKI, v.Sealed)
		v.SPKI = nil
		name, of = nameOf("key", v.ID), struct {
			KeyPair
			SPKI       []byte `json:"spki,omitempty"`
			SPKISHA256 hexSum `json:"spki_sha256"`
			Bytes      hexSum `json:"bytes_sha256"` // of the public and the sealed private key
		}{v, nil, hexSum(v.SPKISHA256), bytes}
	case Certificate:
		name, of = nameOf("certificate", v.ID), recordedCertificate(v)
	case Offer:
		name, of = nameOf("offer", v.KeyPair, v.Partner), v
	case Blocked:
		v.Ended = nil
		sum := hexSum(v.SPKISHA256)
		name, of = nameOf("blocked", hex.EncodeToString(sum)), struct {
			Blocked
			SPKISHA256 hexSum `json:"spki_sha256"`
		}{v, sum}
	case Person:
		name, of = nameOf("person", v.ID), struct {
			Person
			Token hexSum `json:"token_sha256"`
		}{v, digest(v.SHA256)}
	case Request:
		name, of = nameOf("request", v.ID), v
	case Setting:
		if unrecorded[v.Name] {
			return "", nil, true, nil
		}
		name, of = nameOf("setting", v.Name), map[string]hexSum{"sha256": digest(v.Value)}
	case ProfileSource:
		if len(v.Source) == 0 { // it was removed
			return "", nil, true, nil
		}
		name, of = nameOf("profile", v.Name), map[string]hexSum{"sha256": digest(v.Source)}
	default:
		return "", nil, false, nil
	}
	form, err = marshal(of)
	if err != nil {
		err = fmt.Errorf("%s: %w", name, err)
	}
	return name, form, true, err
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
	return marshal(value)
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
