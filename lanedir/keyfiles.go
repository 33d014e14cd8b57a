package lanedir

import (
	"crypto"
	"crypto/x509"
	"fmt"
	"slices"

	"github.com/sealane/sealane/internal/readlimit"
	"github.com/sealane/sealane/keyfile"
	"github.com/sealane/sealane/keyring"
	"github.com/sealane/sealane/kms"
)

// KeyFile is the file of a key of a lane, and the certificate whose end is to be watched.
type KeyFile struct {
	// Ours reports whether the key is one of ours. Otherwise it is the partner's.
	Ours bool
	// File is the key's file, or the name of the key in its store. CertificateFile is that of the certificate
	// where it is another.
	File, CertificateFile string
	// State is that of the key.
	State keyring.State
	// Certificate is nil if none is known. Then the end is not known either.
	Certificate *x509.Certificate
}

// Files returns the files of the keys of the current lane: ours, then the partner's, each in their order.
func (f *Folder) Files() []KeyFile {
	files := f.files.Load()
	if files == nil {
		return nil
	}
	return slices.Clone(*files)
}

// findCertificate finds the certificate of one of our keys, in the file that is named, or with the key.
func (s *Spec) findCertificate(k Key, key *kms.Key, found *KeyFile) error {
	certificates, from := key.Certificates, ""
	if k.Certificate != "" {
		from = s.path(k.Certificate)
		data, err := readlimit.File(from, keyfile.MaxSize)
		if err != nil {
			return err
		}
		file, err := keyfile.Parse(data)
		if err != nil {
			return fmt.Errorf("%s: %w", from, err)
		}
		certificates = file.Certificates
	}
	public, ok := key.Private.Public().(interface{ Equal(crypto.PublicKey) bool })
	i := slices.IndexFunc(certificates, func(c *x509.Certificate) bool { return ok && public.Equal(c.PublicKey) })
	if i >= 0 {
		found.Certificate, found.CertificateFile = certificates[i], from
		return nil
	}
	if from != "" {
		return fmt.Errorf("%s has no certificate of the key %s: name the certificate that was made with it", from,
			found.File)
	}
	return nil
}
