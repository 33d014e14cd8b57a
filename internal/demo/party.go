package demo

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"time"

	"github.com/sealane/sealane/cert"
	"github.com/sealane/sealane/internal/exchange"
	"github.com/sealane/sealane/internal/keydir"
	"github.com/sealane/sealane/internal/registry"
	"github.com/sealane/sealane/internal/termtext"
	"github.com/sealane/sealane/keyfile"
)

// party is a company's key pair and certificate, in a folder and in its registry.
type party struct {
	*keydir.Pair
	spec    *keydir.Spec
	name    string // of the folder
	company *company
	pair    string // identity in the registry
}

// makeParty is a step: the company makes a key pair and certificate. An empty partner
// means that the pair is for all of the company's partners.
func (c *company) makeParty(name, partner string) (made *party, err error) {
	s := c.scenario
	made = &party{
		company: c, name: name,
		spec: &keydir.Spec{
			Folder: filepath.Join(s.folder, name), Profile: s.profile, Environment: s.environment,
			Request: cert.Template{
				CommonName: name + ".example", Organization: "Demo " + name, Unit: "Payments",
				Email: "keys@" + name + ".example", NotBefore: time.Now(),
			},
		},
	}
	step := fmt.Sprintf("%s makes an RSA-%d key pair and a certificate", name, s.profile.Keys.Bits)
	s.step(step, func(n *notes) error {
		if made.Pair, err = keydir.LoadOrCreate(s.ctx, made.spec); err != nil {
			return err
		}
		if err = c.importKey(made, partner); err != nil {
			return err
		}
		leaf, file := made.Certificate.Certificates[0], made.spec.KeyFile()
		info, err := os.Stat(file)
		if err != nil {
			return err
		}
		n.add("serial %x, valid until %s; private key in %s (%o)",
			leaf.SerialNumber, leaf.NotAfter.UTC().Format(time.DateOnly), s.relative(file), info.Mode().Perm())
		n.add("and as %s in the registry of %s, under root key %s", made.pair, c.name, c.Root.Newest().ID())
		return nil
	})
	return made, err
}

// importKey imports a party's key pair into the company's registry.
func (c *company) importKey(p *party, partner string) error {
	data, err := os.ReadFile(p.spec.KeyFile())
	if err != nil {
		return err
	}
	key, _, err := keyfile.ParsePrivate(data, nil)
	if err != nil {
		return err
	}
	s := c.scenario
	n := registry.NewPair{Profile: s.profile.Name, Partner: partner, Environment: s.environment, Renewal: true}
	pair, _, err := c.operator.ImportKeyPair(s.ctx, n, key, p.Certificate.Certificates)
	p.pair = pair.ID
	if pair.KeyID != "" {
		p.KeyID = pair.KeyID
	}
	return err
}

// relative returns a file's name as seen from the demo's folder.
func (s *scenario) relative(file string) string {
	if short, err := filepath.Rel(filepath.Dir(s.folder), file); err == nil {
		return short
	}
	return file
}

// sendCertificate is a step: a party's files and letters go to another company, whose
// registry takes the certificate. The extension selects one of the files.
func (p *party) sendCertificate(to *company, extension string) (got registry.Certificate, err error) {
	name := fmt.Sprintf("%s sends its certificate to %s, then its checksum", p.name, to.name)
	to.scenario.step(name, func(n *notes) error {
		got, err = p.deliver(n, to, extension)
		return err
	})
	return got, err
}

var sha256Hex = regexp.MustCompile(`\b[0-9a-f]{64}\b`)

func (p *party) deliver(n *notes, to *company, extension string) (got registry.Certificate, err error) {
	target := exchange.Target{KeyPair: p.pair, Partner: to.name}
	var offer exchange.OfferPackage
	sent := func(o exchange.OfferPackage) error {
		offer = o
		return nil
	}
	if err := exchange.New(p.company.operator).Offer(to.scenario.ctx, target, sent); err != nil {
		return got, err
	}
	files, err := offer.Files()
	if err != nil {
		return got, err
	}
	_, letter, err := offer.Letters()
	if err != nil {
		return got, err
	}
	file := files[offer.Base()+extension]
	return to.acceptCertificate(n, p.company.name, file, sha256Hex.FindString(string(letter)))
}

// acceptCertificate accepts a partner's certificate: the file of the first message, the
// checksum of the second, and the approval of a second person.
func (c *company) acceptCertificate(
	n *notes, partner string, file []byte, checksum string,
) (registry.Certificate, error) {
	s := c.scenario
	in := exchange.Incoming{Partner: partner, Environment: s.environment, Data: file}
	got, found, err := exchange.New(c.operator).Receive(s.ctx, in)
	if err != nil {
		return got, err
	}
	n.add("first message: %s bytes, recognized as %s; %s; certificate %s",
		termtext.Count(len(file)), got.Provenance.Format, termtext.Counted(len(found), "remark"), got.ID)
	second := exchange.Comparison{Certificate: got.ID, Checksum: checksum}
	matched, err := exchange.New(c.operator).MatchChecksum(s.ctx, second)
	if err != nil {
		return got, err
	}
	n.add("second message: SHA-256 %.16s… matches: %s", checksum, matched)
	approval := c.approval(partner, checksum)
	if err := exchange.New(c.approver).Approve(s.ctx, got.ID, approval); err != nil {
		return got, err
	}
	n.add("received by %s, approved by %s", c.operator.Person().ID, c.approver.Person().ID)
	if call := approval.CallBack; !call.IsZero() {
		n.add("%s called %s, %s, who read the checksum: %s", c.approver.Person().ID, call.Person, call.Number,
			call.Digits[0])
	}
	return got, nil
}

// approval is what the second person knows of a partner's certificate. In production the partner was called, too.
func (c *company) approval(partner, checksum string) exchange.Approval {
	if !registry.Production(c.scenario.environment) {
		return exchange.Approval{}
	}
	return exchange.Approval{Change: "CHG-4711", CallBack: exchange.CallBack{
		Person: "the custodian of " + partner, Number: "+1 555 0123, from the contract",
		Digits: []string{checksum[:min(len(checksum), 12)]},
	}}
}
