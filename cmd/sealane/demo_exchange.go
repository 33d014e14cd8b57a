package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"time"

	"github.com/sealane/sealane/cert"
	"github.com/sealane/sealane/profile"
)

// makeDemoParty is a step: a key pair and certificate in a folder of their own.
func makeDemoParty(ctx context.Context, r *report, p *profile.Profile, dir, name, env string, bits int) (*party, error) {
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
		leaf := made.certificate.Certificates[0]
		info, err := os.Stat(set.keyFile())
		if err != nil {
			return err
		}
		n.add("serial %x, valid until %s; private key in %s (%o)", leaf.SerialNumber, leaf.NotAfter.UTC().Format(time.DateOnly), relative(dir, set.keyFile()), info.Mode().Perm())
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

// exchangeDemo is a step: one party reads the other's files as they came, holds
// them against the profile and against the checksum of the second message.
func exchangeDemo(r *report, p *profile.Profile, dir, from, to, env, form string) (*cert.File, error) {
	set := &certSet{dir: filepath.Join(dir, from), environment: env, request: cert.Request{CommonName: from + ".example"}}
	var file *cert.File
	var failed error
	r.step(fmt.Sprintf("%s sends its certificate to %s, then its checksum", from, to), func(n *notes) error {
		file, failed = receive(n, p, set, form)
		return failed
	})
	return file, failed
}

func receive(n *notes, p *profile.Profile, set *certSet, form string) (*cert.File, error) {
	first, err := os.ReadFile(set.file(form))
	if err != nil {
		return nil, err
	}
	second, err := os.ReadFile(filepath.Join(set.dir, "2-send-separately", "letter.txt"))
	if err != nil {
		return nil, err
	}
	file, err := cert.Read(first)
	if err != nil {
		return nil, err
	}
	leaf := file.Certificates[0]
	for _, rule := range cert.Check(leaf, p.Certificate, time.Now()) {
		if rule.Level == cert.Refused {
			return nil, fmt.Errorf("%s: %s", rule.Name, rule.Do)
		}
	}
	n.add("first message: %s, %s bytes, recognised as %s", filepath.Base(set.file(form)), group(len(first)), file.Format)
	checksums := sha256Hex.FindAllString(string(second), -1)
	for _, checksum := range checksums {
		if which, ok := cert.Match(checksum, first, leaf); ok {
			n.add("second message: SHA-256 %s… matches: %s", checksum[:16], which)
			return file, nil
		}
	}
	return nil, fmt.Errorf("none of the %d checksums of the second message matches", len(checksums))
}
