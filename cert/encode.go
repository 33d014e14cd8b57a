package cert

import (
	"crypto/x509"
	"encoding/pem"
)

// EncodePEM returns the certificate as one PEM block with LF line ends.
func EncodePEM(c *x509.Certificate) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw})
}
