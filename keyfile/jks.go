package keyfile

import (
	"bytes"
	"encoding/binary"
	"fmt"
)

// javaKeyStore recognises JKS and JCEKS by their first four bytes.
func javaKeyStore(data []byte) string {
	switch {
	case bytes.HasPrefix(data, []byte{0xfe, 0xed, 0xfe, 0xed}):
		return "a Java key store (JKS)"
	case bytes.HasPrefix(data, []byte{0xce, 0xce, 0xce, 0xce}):
		return "a Java key store (JCEKS)"
	}
	return ""
}

// refuseJavaStore says what a key store is: a leak, unless all of its entries can
// be seen to be certificates. What kind an entry has stands there in clear.
func refuseJavaStore(data []byte, name string) error {
	certificates, only := trusted(data)
	if !only {
		return &PrivateKeyError{Kind: name}
	}
	for _, der := range certificates {
		if err := refusePrivateDER(der); err != nil {
			return err
		}
	}
	if err := refusePrivateText(data); err != nil {
		return err
	}
	if len(certificates) == 0 {
		return fmt.Errorf("the file is %s without an entry: %s", name, adviceSendCertificate)
	}
	return fmt.Errorf("the file is %s, which is not read; it holds no key, and certificates: %d. Write the one to be used into a file of its own, with keytool -exportcert -rfc -alias NAME -keystore STORE -file NAME.pem, and send that", name, len(certificates))
}

// trusted returns the certificates of a key store that holds nothing else. only
// is false for one with a key, and for one that can't be read to its last entry.
func trusted(data []byte) (certificates [][]byte, only bool) {
	const (
		magic, date = 4, 8 // octets
		certificate = 2    // the kind of entry; 1 is a private key, and 3 a secret one
	)
	ok := true
	take := func(n int) []byte {
		if ok = ok && n <= len(data); !ok {
			return make([]byte, 4)
		}
		part := data[:n]
		data = data[n:]
		return part
	}
	number := func() int { return int(binary.BigEndian.Uint32(take(4))) }
	text := func() { take(int(binary.BigEndian.Uint16(take(2)))) }

	take(magic)
	version, count := number(), number()
	if version != 1 && version != 2 {
		return nil, false
	}
	for ; ok && count > 0; count-- {
		if number() != certificate {
			return nil, false
		}
		text() // its alias
		take(date)
		if version == 2 {
			text() // X.509
		}
		certificates = append(certificates, take(number()))
	}
	return certificates, ok
}
