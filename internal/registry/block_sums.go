package registry

import (
	"errors"
	"time"
)

// NotBlocked returns an error if a certificate was blocked after it came in: its public key, the
// certificate itself, or the file that it came in.
func (c Certificate) NotBlocked(tx Reader) error {
	for _, of := range []struct {
		what string
		sum  []byte
	}{{"public key", c.SPKISHA256}, {"certificate", c.SHA256}, {"file", c.Provenance.FileSHA256}} {
		if len(of.sum) == 0 {
			continue
		}
		b, err := tx.Blocked(of.sum)
		switch {
		case errors.Is(err, ErrNotFound) || err == nil && !b.Lifted.IsZero():
		case err != nil:
			return err
		default:
			return Refuse("its %s was blocked on %s: %s (SHA-256 %x)",
				of.what, b.At.Format(time.DateOnly), b.Reason, of.sum)
		}
	}
	return nil
}

// withSum returns the certificates that have a checksum, or whose file has it. One that can't be read
// is in no lane.
func withSum(tx Reader, sum []byte) ([]Certificate, error) {
	certificates, _, err := Readable(tx.Certificates(CertificateQuery{SHA256: sum, Page: Page{Limit: maxWithSum}}))
	if err != nil {
		return nil, err
	}
	inFile, _, err := Readable(tx.Certificates(CertificateQuery{FileSHA256: sum, Page: Page{Limit: maxWithSum}}))
	if err != nil {
		return nil, err
	}
	if len(certificates) == maxWithSum || len(inFile) == maxWithSum {
		return nil, Refuse("%x is the checksum of %d certificates or more: block their public keys", sum, maxWithSum)
	}
	return append(certificates, inFile...), nil
}

// maxWithSum is how many certificates are looked for by one checksum; few are the same.
const maxWithSum = 1000
