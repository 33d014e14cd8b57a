package hostile_test

import (
	"bytes"
	"encoding/binary"
	"math/big"
)

// javaStore is a JKS of version 2. Nobody here knows the passphrase of its
// checksum, which is noise.
func javaStore(entries ...[]byte) []byte {
	b := []byte{0xfe, 0xed, 0xfe, 0xed, 0, 0, 0, 2}
	b = binary.BigEndian.AppendUint32(b, uint32(len(entries)))
	return append(append(b, bytes.Join(entries, nil)...), random(20)...)
}

// javaEntry is a private key (1), a certificate (2) or a secret key (3).
func javaEntry(kind uint32, content []byte) []byte {
	text := func(b []byte, s string) []byte {
		return append(binary.BigEndian.AppendUint16(b, uint16(len(s))), s...)
	}
	b := text(binary.BigEndian.AppendUint32(nil, kind), "hostile")
	b = binary.BigEndian.AppendUint64(b, uint64(begin.UnixMilli()))
	if kind == 2 {
		b = text(b, "X.509")
	}
	b = append(binary.BigEndian.AppendUint32(b, uint32(len(content))), content...)
	if kind == 1 { // and no certificates of the key
		b = binary.BigEndian.AppendUint32(b, 0)
	}
	return b
}

// explicitCurve is P-256 written in full, as openssl ecparam -param_enc explicit
// does; its base point is noise.
func explicitCurve() []byte {
	curve := ecKey().Params()
	wide := func(x *big.Int) []byte { return octets(x.FillBytes(make([]byte, 32))) }
	field := sequence(oid("1.2.840.10045.1.1"), integer(curve.P))
	a := new(big.Int).Sub(curve.P, big.NewInt(3))
	return sequence(small(1), field, sequence(wide(a), wide(curve.B)), octets([]byte{4}, random(64)), integer(curve.N),
		small(1))
}
