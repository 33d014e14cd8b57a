package keyfile_test

import (
	"encoding/binary"
	"slices"
	"strings"
	"testing"

	"github.com/sealane/sealane/internal/testcert"
	"github.com/sealane/sealane/keyfile"
)

// TestLengthsOf31Bits has lengths of 2^31 and more in every format that states lengths in
// four octets. As a signed number of 32 bits they are negative, and less than any limit.
// On a 64-bit machine the test shows only that they are refused; GOARCH=386 shows more.
func TestLengthsOf31Bits(t *testing.T) {
	c := testcert.Cert(t).Raw
	for _, length := range []uint32{1 << 31, 1<<31 | 4, 1<<32 - 1, 1<<32 - 4} {
		four := binary.BigEndian.AppendUint32(nil, length)
		entry := javaEntry(2, 2, nil)
		count := javaStore(jks, 2, entry)
		copy(count[8:], four)
		for name, data := range map[string][]byte{
			"JKS, certificate": javaStore(jks, 2, entry[:len(entry)-4], four, c),
			"JKS, entries":     count,
			"OpenSSH, cipher":  openSSHBlock(slices.Concat(four, c)),
			"OpenSSH, number":  openSSHBlock(openSSHHead(slices.Concat(four, c))),
			"PRIVATEKEYBLOB": slices.Concat([]byte{7, 2, 0, 0, 0, 0xa4, 0, 0}, []byte("RSA2"),
				binary.LittleEndian.AppendUint32(nil, length), c),
		} {
			found := keyfile.FindPrivateKeys(data)
			if len(found) != 1 || !found[0].PublicKey.IsZero() {
				t.Errorf("%s, length %#x: %v", name, length, found)
			}
		}
		bcrypt := slices.Concat([]byte("RSA2"), binary.LittleEndian.AppendUint32(nil, length), c)
		if found := keyfile.FindPrivateKeys(bcrypt); len(found) > 0 {
			t.Errorf("BCRYPT_RSAKEY_BLOB, length %#x: %v", length, found)
		}
		_, err := keyfile.Parse(slices.Concat([]byte{0x30, 0x84}, four, c))
		wantError(t, err, "over a gigabyte")
	}
}

// openSSHHead returns the start of an unencrypted key, up to its numbers.
func openSSHHead(numbers []byte) []byte {
	str := func(s string) []byte { return append(binary.BigEndian.AppendUint32(nil, uint32(len(s))), s...) }
	return slices.Concat(str("none"), str("none"), str(""), make([]byte, 4), str("public"), make([]byte, 12),
		str("ssh-rsa"), numbers)
}

func openSSHBlock(rest []byte) []byte {
	text := string(lines76(append([]byte("openssh-key-v1\x00"), rest...)))
	return []byte("-----BEGIN OPENSSH PRIVATE KEY-----\n" + strings.TrimSpace(text) +
		"\n-----END OPENSSH PRIVATE KEY-----\n")
}
