package keyfile

import (
	"cmp"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/sealane/sealane/internal/filekind"
	"github.com/sealane/sealane/internal/termtext"
	"github.com/sealane/sealane/internal/unpack"
)

// parseParts returns the certificate in a file that holds others.
func parseParts(opened *unpack.File, kind filekind.Kind) (*File, error) {
	var files, signers []*File
	var reasons []string
	for _, t := range opened.Troubles {
		reasons = append(reasons, strings.TrimPrefix(t.Name+": "+t.Text, ": "))
	}
	for _, p := range opened.Parts {
		f, err := parse(p.Data)
		if _, isSignature := SignedContent(p.Data); isSignature && err == nil {
			signers = append(signers, f)
			continue
		}
		switch {
		case err == nil && (p.Name != "" || len(f.Certificates) > 0): // the text may quote a key
			files = append(files, f)
		case err != nil && p.Name != "" && !p.Kind.Ornament():
			reasons = append(reasons, fmt.Sprintf("%s: %v", termtext.Short(p.Name), err))
		}
	}
	if len(files) == 0 && len(reasons) == 0 && !opened.Incomplete {
		files = signers // the certificate of the mail's own signature: nothing else was sent
	}
	if len(files) == 0 {
		what := cmp.Or(kind.String(), "a file that holds others")
		if opened.Mails > 0 && kind == filekind.Unknown {
			what = "a mail"
		}
		if len(reasons) == 0 {
			return nil, fmt.Errorf("this is %s, and there is no certificate in it: %s", what, adviceSendCertificate)
		}
		const most = 5
		none := "no certificate in it"
		if len(signers) > 0 {
			none += " but its signer's"
		}
		return nil, fmt.Errorf("this is %s, and there is %s: %s",
			what, none, strings.Join(reasons[:min(len(reasons), most)], "; "))
	}
	return Join(files)
}

// Join returns what is in several files as if it were in one: a leaf and its issuers may have
// come apart. Bare keys count only if there is no certificate.
func Join(files []*File) (*File, error) {
	var certificates []*x509.Certificate
	for _, f := range files {
		certificates = append(append(certificates, f.Certificates...), f.Unused...)
	}
	if len(certificates) == 0 {
		for _, f := range files {
			if !f.PublicKey.Equal(files[0].PublicKey) {
				return nil, errors.New("there are two public keys: send exactly one")
			}
		}
		return files[0], nil
	}
	joined, err := newFile("", certificates, nil)
	if err != nil {
		return nil, err
	}
	of := slices.IndexFunc(files, func(f *File) bool {
		return slices.ContainsFunc(f.Certificates, joined.Certificates[0].Equal)
	})
	joined.Format, joined.KeyID = files[of].Format, files[of].KeyID
	return joined, nil
}
