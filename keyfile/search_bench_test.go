package keyfile_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/pem"
	"testing"

	"github.com/sealane/sealane/keyfile"
)

// benchOctets returns n octets that look random, and are the same each time.
func benchOctets(n int) []byte {
	out := make([]byte, 0, n+32)
	var counter [8]byte
	for i := uint64(0); len(out) < n; i++ {
		binary.BigEndian.PutUint64(counter[:], i)
		sum := sha256.Sum256(counter[:])
		out = append(out, sum[:]...)
	}
	return out[:n]
}

// BenchmarkFindPrivateKeys searches files of the largest size that is searched, without a private key.
func BenchmarkFindPrivateKeys(b *testing.B) {
	const size = 16 << 20
	octets := benchOctets(size)
	b64 := []byte(base64.StdEncoding.EncodeToString(octets))
	var pems, certs bytes.Buffer
	for at := 0; at < size*3/4; at += 800 {
		must(b, pem.Encode(&certs, &pem.Block{Type: "CERTIFICATE", Bytes: octets[at:min(at+800, size)]}))
	}
	must(b, pem.Encode(&pems, &pem.Block{Type: "CERTIFICATE", Bytes: octets}))
	for _, in := range []struct {
		name string
		data []byte
	}{
		{"base64", []byte(inLines(string(b64), 76))},
		{"base64-one-line", b64},
		{"pem", pems.Bytes()},
		{"pem-many", certs.Bytes()},
		{"hex", []byte(inLines(hex.EncodeToString(octets), 64))},
		{"hex-one-line", []byte(hex.EncodeToString(octets))},
		{"octets", octets},
		{"words", bytes.Repeat([]byte("the quick brown fox jumps over the lazy dog, 12 times: "), size/50)},
	} {
		data := in.data[:min(len(in.data), size)]
		b.Run(in.name, func(b *testing.B) {
			b.SetBytes(int64(len(data)))
			for b.Loop() {
				keyfile.FindPrivateKeys(data)
			}
		})
	}
}
