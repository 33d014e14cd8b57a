package keyfile

import (
	"bytes"
	"encoding/binary"
	"fmt"

	"github.com/sealane/sealane/internal/filekind"
)

// keyStore returns the name of a key store of Java or another program, recognized by its first
// bytes, or "".
func keyStore(data []byte) string {
	switch {
	case bytes.HasPrefix(data, []byte{0xfe, 0xed, 0xfe, 0xed}):
		return "a Java key store (JKS)"
	case bytes.HasPrefix(data, []byte{0xce, 0xce, 0xce, 0xce}):
		return "a Java key store (JCEKS)"
	}
	if kind := filekind.KeyStore(data); kind != filekind.Unknown {
		return kind.String()
	}
	return ""
}

// refuseStore returns the error for a key store: a leak, unless all of its entries
// are certificates. The kind of an entry is not encrypted.
func refuseStore(data []byte, name string) error {
	certificates, only := trusted(data)
	if !only {
		return &PrivateKeyError{Leak{Kind: name}}
	}
	for _, der := range certificates {
		if err := refusePrivateDER(der); err != nil {
			return err
		}
	}
	if err := refusePrivateText(data); err != nil {
		return err
	}
	if kind := filekind.Of(data); kind != filekind.Unknown {
		return fmt.Errorf("the file is %s, which is not supported; it holds no key, and certificates: %d: %s",
			name, len(certificates), kind.Advice())
	}
	if len(certificates) == 0 {
		return fmt.Errorf("the file is %s without an entry: %s", name, adviceSendCertificate)
	}
	return fmt.Errorf("the file is %s, which is not supported; it holds no key, and certificates: %d. "+
		"Write the one to be used into its own file, with "+
		"keytool -exportcert -rfc -alias NAME -keystore STORE -file NAME.pem, and send that", name, len(certificates))
}

// trusted returns the certificates of a key store. only is false if it has a key, or if
// it can't be read to its last entry.
func trusted(data []byte) (certificates [][]byte, only bool) {
	const (
		magic, date = 4, 8 // octets
		certificate = 2    // the kind of entry; 1 is a private key, and 3 a secret one
	)
	if filekind.Of(data) == filekind.BouncyCastle {
		return trustedBKS(data)
	}
	r := reader{rest: data}
	r.take(magic)
	version, count := r.uint32(), r.uint32()
	if version != 1 && version != 2 {
		return nil, false
	}
	for ; !r.short && count > 0; count-- {
		if r.uint32() != certificate {
			return nil, false
		}
		r.take(uint32(r.uint16())) // its alias
		r.take(date)
		if version == 2 {
			r.take(uint32(r.uint16())) // its type, "X.509"
		}
		certificates = append(certificates, r.take(r.uint32()))
	}
	return certificates, !r.short
}

// trustedBKS is trusted for Bouncy Castle's BKS. UBER is encrypted, and so it can't be read.
func trustedBKS(data []byte) (certificates [][]byte, only bool) {
	const (
		head, date = 4 + 4 + 20 + 4, 8 // octets
		sum        = 20                // behind the entries
		end        = 0                 // the kinds of entry; 2 to 4 are keys
		trust      = 1
	)
	r := reader{rest: data}
	r.take(head)
	for !r.short {
		kind := r.take(1)
		if r.short || kind[0] != trust {
			return certificates, !r.short && kind[0] == end && len(r.rest) == sum
		}
		r.take(uint32(r.uint16())) // its alias
		r.take(date)
		for chain := r.uint32(); !r.short && chain > 0; chain-- {
			r.take(uint32(r.uint16())) // its type
			r.take(r.uint32())
		}
		r.take(uint32(r.uint16())) // its type, "X.509"
		certificates = append(certificates, r.take(r.uint32()))
	}
	return certificates, false
}

// reader reads lengths in big-endian order, and what follows them. Lengths are unsigned:
// as an int, one of 2^31 or more would be negative on a 32-bit machine.
type reader struct {
	rest  []byte
	short bool // something was longer than the rest
}

// take returns the next n octets, or nil if there are fewer.
func (r *reader) take(n uint32) []byte {
	if r.short = r.short || uint64(n) > uint64(len(r.rest)); r.short {
		return nil
	}
	out := r.rest[:n]
	r.rest = r.rest[n:]
	return out
}

func (r *reader) uint32() uint32 {
	if b := r.take(4); b != nil {
		return binary.BigEndian.Uint32(b)
	}
	return 0
}

func (r *reader) uint16() uint16 {
	if b := r.take(2); b != nil {
		return binary.BigEndian.Uint16(b)
	}
	return 0
}

// string returns what follows its length in four octets, as SSH writes strings (RFC
// 4251, section 5).
func (r *reader) string() []byte { return r.take(r.uint32()) }
