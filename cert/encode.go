package cert

import (
	"crypto/x509"
	"encoding/pem"
)

// EncodePEM returns the certificate as one PEM block with LF line ends. Its DER is
// c.Raw; for other formats see package keyfile.
func EncodePEM(c *x509.Certificate) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw})
}
