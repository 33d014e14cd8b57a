package hostile_test

import (
	"bytes"
	"encoding/asn1"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"math/big"
	"strings"
	"time"
)

// DER by hand: what the standard library would not write.

// tlv writes one element with a minimal length.
func tlv(tag byte, parts ...[]byte) []byte {
	body := bytes.Join(parts, nil)
	out := []byte{tag}
	switch n := len(body); {
	case n < 0x80:
		out = append(out, byte(n))
	case n < 1<<8:
		out = append(out, 0x81, byte(n))
	case n < 1<<16:
		out = append(out, 0x82, byte(n>>8), byte(n))
	default:
		out = append(out, 0x83, byte(n>>16), byte(n>>8), byte(n))
	}
	return append(out, body...)
}

func sequence(parts ...[]byte) []byte { return tlv(0x30, parts...) }
func setOf(parts ...[]byte) []byte    { return tlv(0x31, parts...) }
func octets(parts ...[]byte) []byte   { return tlv(0x04, parts...) }
func bits(b []byte) []byte            { return tlv(0x03, []byte{0}, b) }
func utf8Text(s string) []byte        { return tlv(0x0c, []byte(s)) }

var null = []byte{5, 0}

// oid takes the dotted form.
func oid(dotted string) []byte {
	var id asn1.ObjectIdentifier
	for part := range strings.SplitSeq(dotted, ".") {
		var n int
		if _, err := fmt.Sscan(part, &n); err != nil {
			panic(err)
		}
		id = append(id, n)
	}
	return marshal(id)
}

func marshal(v any) []byte {
	der, err := asn1.Marshal(v)
	if err != nil {
		panic(err)
	}
	return der
}

func integer(n *big.Int) []byte { return marshal(n) }
func small(n int64) []byte      { return marshal(big.NewInt(n)) }

// utcTime and generalizedTime write a time as RFC 5280, section 4.1.2.5, wants it.
func utcTime(t time.Time) []byte {
	return tlv(0x17, []byte(t.UTC().Format("060102150405Z")))
}

func generalizedTime(t time.Time) []byte {
	return tlv(0x18, []byte(t.UTC().Format("20060102150405Z")))
}

func pemBlock(label string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: label, Bytes: der})
}

func std64(der []byte) string { return base64.StdEncoding.EncodeToString(der) }
func url64(b []byte) string   { return base64.RawURLEncoding.EncodeToString(b) }

// member is a member of a JSON object, its value as it is written.
type member struct{ name, value string }

func text(name, value string) member { return member{name, `"` + value + `"`} }

func object(members []member) []byte {
	var b strings.Builder
	for i, m := range members {
		if i > 0 {
			b.WriteString(",\n")
		}
		fmt.Fprintf(&b, "  %q: %s", m.name, m.value)
	}
	return []byte("{\n" + b.String() + "\n}\n")
}

// with replaces members by name, and puts new ones at the end.
func with(members []member, others ...member) []member {
	out := append([]member(nil), members...)
next:
	for _, o := range others {
		for i := range out {
			if out[i].name == o.name {
				out[i] = o
				continue next
			}
		}
		out = append(out, o)
	}
	return out
}

func without(members []member, names ...string) []member {
	var out []member
	for _, m := range members {
		if !strings.Contains(" "+strings.Join(names, " ")+" ", " "+m.name+" ") {
			out = append(out, m)
		}
	}
	return out
}
