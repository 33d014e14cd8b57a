package keyfile

import (
	"bytes"

	"github.com/smallstep/pkcs7"
)

// SignedContent reports whether data is a PKCS#7 with a signature, such as the one of a
// mail (RFC 8551), and returns the content that was signed, if it is part of the file.
// The certificates in such a file are the signer's. A PKCS#7 that only carries
// certificates has no signature.
func SignedContent(data []byte) (content []byte, signed bool) {
	if len(data) > maxSearched {
		return nil, false
	}
	der := data
	if !isDER(der) {
		text, _ := plainText(data)
		text = bytes.TrimSpace(text)
		if blocks, err := pemBlocks(text); err == nil && len(blocks) == 1 {
			der = blocks[0].bytes()
		} else if !bytes.HasPrefix(text, []byte{'M'}) { // with which the base64 of a SEQUENCE begins
			return nil, false
		} else if der, signed = bareBase64(text); !signed {
			return nil, false
		}
	}
	if recognize(der) != kindSignedData || otherContent(der) != "" || checkASN1(der) != nil {
		return nil, false
	}
	p7, err := pkcs7.Parse(der)
	if err != nil || len(p7.Signers) == 0 {
		return nil, false
	}
	return p7.Content, true
}
