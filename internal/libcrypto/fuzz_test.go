//go:build linux && !android && (amd64 || arm64) && (cgo || sealane_dlopen)

package libcrypto_test

import (
	"bytes"
	"crypto"
	"crypto/rsa"
	"crypto/subtle"
	"encoding/binary"
	"math/big"
	"testing"

	"github.com/sealane/sealane/internal/testkey"
)

// FuzzDecryptAgrees: crypto/rsa and we accept and refuse the same ciphertexts, and return
// the same bytes. Random ciphertexts never have a valid padding, so the input may also be
// the block itself, which is then masked and encrypted.
func FuzzDecryptAgrees(f *testing.F) {
	key := testkey.Fixed() // the same in every process: seeds are encrypted to it
	own, err := library(f).NewKey(key)
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { own.Close() })
	size := key.Size()
	padded := make([]byte, size)
	padded[180], padded[255] = 1, 7
	f.Add(encrypt(f, crypto.SHA256, key, []byte("message")), false, false, false)
	f.Add(encrypt(f, crypto.SHA1, key, []byte("message")), false, true, false)
	f.Add(padded, true, false, true)
	f.Add(padded, true, true, true)
	f.Add(padded, true, true, false)
	f.Add(make([]byte, size), true, false, true)
	f.Add(bytes.Repeat([]byte{1}, size), true, false, true)
	padded[0] = 1
	f.Add(padded, true, false, true)
	f.Add(key.N.Bytes(), false, false, false)
	f.Fuzz(func(t *testing.T, data []byte, isBlock, isSHA1, rightLabel bool) {
		h := crypto.SHA256
		if isSHA1 {
			h = crypto.SHA1
		}
		c := make([]byte, size)
		copy(c, data)
		if isBlock {
			c = encryptBlock(c, h, rightLabel, key)
		}
		want, wantErr := rsa.DecryptOAEP(hashes[h](), nil, key, c, nil)
		got, err := own.Decrypt(nil, c, &rsa.OAEPOptions{Hash: h})
		if !bytes.Equal(got, want) || err != wantErr {
			t.Fatalf("crypto/rsa returns %x, %v; OpenSSL %x, %v", want, wantErr, got, err)
		}
	})
}

// encryptBlock takes an OAEP block whose seed and data are plain.
func encryptBlock(block []byte, h crypto.Hash, rightLabel bool, key *rsa.PrivateKey) []byte {
	seed, db := block[1:1+h.Size()], block[1+h.Size():]
	if rightLabel {
		hashes[h]().Sum(db[:0])
	}
	xorMGF1(db, seed, h)
	xorMGF1(seed, db, h)
	if block[0] > 0 { // below the modulus
		block[0] = 1
	}
	m := new(big.Int).SetBytes(block)
	return m.Exp(m, big.NewInt(int64(key.E)), key.N).FillBytes(block)
}

func xorMGF1(into, seed []byte, h crypto.Hash) {
	var stream []byte
	for i := uint32(0); len(stream) < len(into); i++ {
		d := hashes[h]()
		d.Write(binary.BigEndian.AppendUint32(bytes.Clone(seed), i))
		stream = d.Sum(stream)
	}
	subtle.XORBytes(into, into, stream)
}
