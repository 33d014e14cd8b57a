package main

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"time"

	"github.com/sealane/sealane/cert"
	"github.com/sealane/sealane/internal/registry"
	"github.com/sealane/sealane/profile"
)

// makeDemoParty is a step: a key pair and certificate, in a folder of their own and
// in the company's registry.
func makeDemoParty(r *report, p *profile.Profile, dir, name string, of *company, partner, env string) (*party, error) {
	ctx, bits := of.ctx, p.Keys.Bits
	set := &certSet{
		dir: filepath.Join(dir, name), profile: p, environment: env,
		request: cert.Request{CommonName: name + ".example", Organization: "Demo " + name, Unit: "Payments", Email: "keys@" + name + ".example", NotBefore: time.Now()},
	}
	var made *party
	var failed error
	r.step(fmt.Sprintf("%s makes an RSA-%d key pair and a certificate", name, bits), func(n *notes) error {
		if failed = set.create(bits); failed != nil {
			return failed
		}
		if made, failed = loadParty(ctx, set); failed != nil {
			return failed
		}
		made.name = name
		if failed = of.keeps(made, p, partner, env); failed != nil {
			return failed
		}
		leaf := made.certificate.Certificates[0]
		info, err := os.Stat(set.keyFile())
		if err != nil {
			return err
		}
		n.add("serial %x, valid until %s; private key in %s (%o)", leaf.SerialNumber, leaf.NotAfter.UTC().Format(time.DateOnly), relative(dir, set.keyFile()), info.Mode().Perm())
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

// exchangeDemo is a step: one party's files and letters go to another, whose
// registry takes the certificate in.
func exchangeDemo(r *report, p *profile.Profile, from *party, to *company, env, form string) (got registry.Certificate, failed error) {
	r.step(fmt.Sprintf("%s sends its certificate to %s, then its checksum", from.name, to.name), func(n *notes) error {
		got, failed = hand(n, p, from, to, env, form)
		return failed
	})
	return got, failed
}

func hand(n *notes, p *profile.Profile, from *party, to *company, env, form string) (registry.Certificate, error) {
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
	return to.takes(n, from.company.name, env, files[parcel.Base()+form], checksum)
}
