package exchange

import (
	"crypto/rsa"
	"errors"

	"github.com/sealane/sealane/internal/filekind"
	"github.com/sealane/sealane/internal/registry"
	"github.com/sealane/sealane/internal/unpack"
	"github.com/sealane/sealane/keyfile"
)

// incomingFile is the file with a partner's certificate.
type incomingFile struct {
	compared    int64  // see registry.PrimeComparison
	data        []byte // the file as it was attached
	name        string
	file        *keyfile.File
	partnerFile *PartnerFile // nil where the file is none

	from    string          // the sender, where it came by mail
	with    []registry.With // the other files that came with it
	skipped []string        // those that hold no certificate, with the reason
	said    [][]byte        // the checksums of it that stand in the same mail or archive
}

// read finds the certificate in a file, or in a saved mail, message or archive that holds it. A
// private key anywhere is an error of type *leaks, whatever else is wrong.
func read(data []byte) (*incomingFile, error) {
	if len(data) > maxMail {
		return nil, registry.Refuse("the file has %d bytes, more than %d: not a certificate, nor a mail with one",
			len(data), maxMail)
	}
	var l leaks
	l.add(keyfile.FindPrivateKeys(data))
	parts := [][]byte{data}
	opened := unpack.Open(data, keyfile.SignedContent)
	for _, p := range opened.Parts {
		if likelyPartnerFile(p.Data) {
			parts = append(parts, claimed(p.Data))
			l.add(keyfile.FindPrivateKeys(claimed(p.Data)))
		}
	}
	if err := l.among(parts...); err != nil {
		return nil, err
	}
	if !opened.Holds() {
		return readFile(data)
	}
	return readParts(opened, filekind.Of(data), data)
}

// readFile parses a file in which no private key was found.
func readFile(data []byte) (*incomingFile, error) {
	if likelyPartnerFile(data) {
		f, chain, err := ReadPartnerFile(data)
		if err != nil {
			return nil, err
		}
		file := &keyfile.File{
			Format: "partner file", Certificates: chain, KeyID: f.KeyID,
			PublicKey: chain[0].PublicKey.(*rsa.PublicKey), // ReadPartnerFile has checked it
		}
		return &incomingFile{data: data, partnerFile: f, file: file}, nil
	}
	if _, signed := keyfile.SignedContent(data); signed {
		return nil, errSigned
	}
	file, err := keyfile.Parse(data)
	if err != nil {
		return nil, err
	}
	return &incomingFile{data: data, file: file}, nil
}

var errSigned = errors.New("this is a PKCS#7 that somebody signed with, such as the signature of a mail: " +
	"the certificate in it is the signer's; ask for the partner's as a file of its own (.pem, .cer, .crt, .p7b)")

// sameCertificate reports whether two files hold the same certificate, or public key.
func sameCertificate(a, b *keyfile.File) bool {
	if len(a.Certificates) == 0 || len(b.Certificates) == 0 {
		return a.PublicKey != nil && b.PublicKey != nil && a.PublicKey.Equal(b.PublicKey)
	}
	return a.Certificates[0].Equal(b.Certificates[0])
}
