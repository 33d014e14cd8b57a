//go:build linux && !android && (amd64 || arm64) && (cgo || sealane_dlopen)

package libcrypto_test

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"testing"
)

// TestOAEPPadding changes one thing in an otherwise correct padding (RFC 8017 section
// 7.1.1): crypto/rsa refuses it, and so must we, with the same error.
func TestOAEPPadding(t *testing.T) {
	const message = "thirty-two bytes for AES-256-GCM"
	k, key := imported(t, 2048)
	for h, newHash := range hashes {
		label := newHash().Sum(nil)
		one := key.Size() - 1 - h.Size() - len(message) - 1 // where the 1 stands behind the seed
		for _, c := range []struct {
			name   string
			first  byte // should be 0
			change func(data []byte)
			good   bool
		}{
			{"right", 0, func([]byte) {}, true},
			{"no zeros before the 1", 0, func(b []byte) { b[h.Size()] = 1 }, true}, // the message is longer
			{"the octet in front", 1, func([]byte) {}, false},
			{"the hash's first octet", 0, func(b []byte) { b[0] ^= 1 }, false},
			{"the hash's last octet", 0, func(b []byte) { b[h.Size()-1] ^= 0x80 }, false},
			{"a 2 at the beginning of the zeros", 0, func(b []byte) { b[h.Size()] = 2 }, false},
			{"a 2 in the zeros", 0, func(b []byte) { b[(h.Size()+one)/2] = 2 }, false},
			{"a 2 at their end", 0, func(b []byte) { b[one-1] = 2 }, false},
			{"255 at their end", 0, func(b []byte) { b[one-1] = 255 }, false},
			{"a 2 for the 1", 0, func(b []byte) { b[one] = 2 }, false},
			{"no 1", 0, func(b []byte) { clear(b[one:]) }, false},
			{"a 3 at the very end", 0, func(b []byte) { clear(b[one:]); b[len(b)-1] = 3 }, false},
		} {
			block := make([]byte, key.Size())
			block[0] = c.first
			rand.Read(block[1 : 1+h.Size()])
			data := block[1+h.Size():]
			copy(data, label)
			data[one] = 1
			copy(data[one+1:], message)
			c.change(data)
			ciphertext := encryptBlock(block, h, false, key)
			want, wantErr := rsa.DecryptOAEP(newHash(), nil, key, ciphertext, nil)
			if (wantErr == nil) != c.good {
				t.Fatalf("%v, %s: crypto/rsa returns %v", h, c.name, wantErr)
			}
			got, err := k.Decrypt(nil, ciphertext, &rsa.OAEPOptions{Hash: h})
			if err != wantErr || !bytes.Equal(got, want) {
				t.Errorf("%v, %s: %d bytes, %v; crypto/rsa returns %d bytes, %v",
					h, c.name, len(got), err, len(want), wantErr)
			}
		}
	}
}
