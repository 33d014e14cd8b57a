package demo

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"time"

	"github.com/sealane/sealane/cert"
	"github.com/sealane/sealane/internal/keydir"
	"github.com/sealane/sealane/internal/registry"
	"github.com/sealane/sealane/profile"
)

// party is a company's key pair and certificate: in a folder, and in its registry.
type party struct {
	*keydir.Pair
	name    string
	spec    *keydir.Spec
	company *company
	pair    string // identity in the company's registry
}

// makeParty is a step: a key pair and certificate, in a folder of their own and
// in the company's registry.
func makeParty(r *report, p *profile.Profile, dir, name string, of *company, partner, env string) (*party, error) {
	spec := &keydir.Spec{
		Folder: filepath.Join(dir, name), Profile: p, Environment: env,
		Request: cert.Request{CommonName: name + ".example", Organization: "Demo " + name, Unit: "Payments", Email: "keys@" + name + ".example", NotBefore: time.Now()},
	}
	made := &party{name: name, spec: spec}
	var failed error
	r.step(fmt.Sprintf("%s makes an RSA-%d key pair and a certificate", name, p.Keys.Bits), func(n *notes) error {
		if made.Pair, failed = keydir.LoadOrCreate(of.ctx, spec); failed != nil {
			return failed
		}
		if failed = of.importKey(made, p, partner, env); failed != nil {
			return failed
		}
		leaf := made.Certificate.Certificates[0]
		info, err := os.Stat(spec.KeyFile())
		if err != nil {
			return err
		}
		n.add("serial %x, valid until %s; private key in %s (%o)", leaf.SerialNumber, leaf.NotAfter.UTC().Format(time.DateOnly), relative(dir, spec.KeyFile()), info.Mode().Perm())
		n.add("and as %s in the registry of %s, under root key %s", made.pair, of.name, of.Root.Newest().ID())
		return nil
	})
	return made, failed
}

// relative names a file as seen from the demo's folder.
func relative(dir, file string) string {
	if short, err := filepath.Rel(filepath.Dir(dir), file); err == nil {
		return short
	}
	return file
}

var sha256Hex = regexp.MustCompile(`\b[0-9a-f]{64}\b`)

// sendCertificate is a step: one party's files and letters go to another, whose
// registry takes the certificate in.
func sendCertificate(r *report, p *profile.Profile, from *party, to *company, env, form string) (got registry.Certificate, failed error) {
	r.step(fmt.Sprintf("%s sends its certificate to %s, then its checksum", from.name, to.name), func(n *notes) error {
		got, failed = deliver(n, p, from, to, env, form)
		return failed
	})
	return got, failed
}

func deliver(n *notes, p *profile.Profile, from *party, to *company, env, form string) (registry.Certificate, error) {
	parcel, err := from.company.operator.Offer(from.company.ctx, from.pair, to.name, "")
	if err != nil {
		return registry.Certificate{}, err
	}
	files, err := parcel.Files()
	if err != nil {
		return registry.Certificate{}, err
	}
	_, second, err := parcel.Letters()
	if err != nil {
		return registry.Certificate{}, err
	}
	checksum := sha256Hex.FindString(string(second))
	return to.acceptCertificate(n, from.company.name, env, files[parcel.Base()+form], checksum)
}
