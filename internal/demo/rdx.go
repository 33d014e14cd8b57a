package demo

import (
	"context"
	"crypto/fips140"
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/cert"
	"github.com/sealane/sealane/internal/registry"
	"github.com/sealane/sealane/internal/sandbox"
	"github.com/sealane/sealane/internal/sandbox/rdx"
	"github.com/sealane/sealane/profile"
	"github.com/sealane/sealane/sealhttp"
)

const rdxEnv = "STAG"

// rdxDemo is VCAS and an issuer.
type rdxDemo struct {
	*report
	*servers
	dir        string
	profile    *profile.Profile
	bank       *company // the issuer
	sender     *company // VCAS
	old, renew *party
	alias      string
	wire       *wire

	mu       sync.Mutex
	passcode string
	announce bool   // show passcodes, once the report has ended
	openedBy string // thumbprint of the issuer's key that opened the last message
}

// runRDX runs the RDX half and gives commands to try against it.
func runRDX(r *report, s *servers, o Options) ([]string, error) {
	d := &rdxDemo{
		report: r, servers: s, dir: filepath.Join(o.Folder, "rdx"),
		profile: loadProfile("rdx"), wire: &wire{base: http.DefaultTransport},
	}
	r.part("RDX: VCAS and an issuer; messages encrypted with RSA-OAEP-256 and A256GCM, answers in clear")
	overlap, err := d.exchanges()
	if err != nil {
		return nil, err
	}
	r.part("RDX: messages that must not be opened")
	d.faults(overlap)
	if err := d.acceptSHA1(); err != nil {
		return nil, err
	}
	d.mu.Lock()
	d.announce = true
	d.mu.Unlock()
	return []string{fmt.Sprintf("# RDX, a challenge under the alias (the passcode appears in this window):\n%s sandbox vcas --url %s --to %s --to-key-id %s --env %s\n",
		o.Program, overlap+"/rdx/v1", d.renew.spec.CertificateFile(), d.alias, rdxEnv)}, nil
}

// exchanges runs the first exchange and the renewal, with a challenge at each
// stage, and gives the issuer's URL for both keys.
func (d *rdxDemo) exchanges() (overlap string, err error) {
	if d.bank, err = openCompany(d.servers, d.dir, "issuer"); err != nil {
		return "", err
	}
	if d.sender, err = openCompany(d.servers, d.dir, "vcas"); err != nil {
		return "", err
	}
	if err := errors.Join(d.bank.addPartner("vcas", d.profile, sealane.ServerSide, rdxEnv), d.sender.addPartner("issuer", d.profile, sealane.ClientSide, rdxEnv)); err != nil {
		return "", err
	}
	var certificate registry.Certificate
	if d.old, certificate, err = d.exchange("issuer"); err != nil {
		return "", err
	}
	if err := d.assignAlias(certificate); err != nil {
		return "", err
	}
	if err := d.installed(d.old, certificate); err != nil {
		return "", err
	}
	d.bank.preflight(d.report, "vcas", rdxEnv)
	first, err := d.startIssuer()
	if err != nil {
		return "", err
	}
	d.challenge("a challenge from stepup to the validated passcode", first, d.old)

	d.part("RDX: renewal; both keys open until VCAS confirms")
	if d.renew, certificate, err = d.exchange("issuer-renewed"); err != nil {
		return "", err
	}
	if err := errors.Join(d.sender.operator.Alias(d.ctx, certificate.ID, d.alias, "", "same size, same alias"), d.bank.operator.Alias(d.ctx, d.renew.pair, d.alias, "", "")); err != nil {
		return "", err
	}
	if overlap, err = d.startIssuer(); err != nil {
		return "", err
	}
	d.challenge("during the overlap: VCAS still uses the first certificate", overlap, d.old)
	if err := d.installed(d.renew, certificate); err != nil {
		return "", err
	}
	d.challenge("during the overlap: VCAS uses the second, same alias", overlap, d.renew)
	return overlap, nil
}

// installed: VCAS puts the certificate to use, and says so.
func (d *rdxDemo) installed(of *party, certificate registry.Certificate) error {
	if err := d.sender.operator.Activate(d.ctx, certificate.ID, ""); err != nil {
		return err
	}
	return d.bank.operator.Confirmed(d.ctx, of.pair, "vcas", "VCAS has written that it is installed")
}

func (d *rdxDemo) exchange(name string) (*party, registry.Certificate, error) {
	made, err := makeParty(d.report, d.profile, d.dir, name, d.bank, "vcas", rdxEnv)
	if err != nil {
		return nil, registry.Certificate{}, err
	}
	certificate, err := sendCertificate(d.report, d.profile, made, d.sender, rdxEnv, ".crt")
	return made, certificate, err
}

func (d *rdxDemo) assignAlias(certificate registry.Certificate) error {
	var failed error
	d.step("VCAS assigns the alias, and holds it against the certificate", func(n *notes) error {
		id, err := cert.NewKeyID("1234dadc1234b704c1f23dc4", "PKE", "ACS", "Issuer", certificate.Bits, rdxEnv)
		if err == nil {
			err = d.sender.operator.Alias(d.ctx, certificate.ID, id.String(), "", "")
		}
		if err == nil {
			err = d.bank.operator.Alias(d.ctx, d.old.pair, id.String(), "", "VCAS has written it")
		}
		d.alias, failed = id.String(), err
		n.add("key ID %s", d.alias)
		return err
	})
	return failed
}

// startIssuer serves the issuer with the keys that its registry has now.
func (d *rdxDemo) startIssuer() (string, error) {
	lane, err := d.bank.lane("vcas", rdxEnv)
	if err != nil {
		return "", err
	}
	return d.start(d.issuer(lane))
}

// issuer is the issuer's service behind its ingress.
func (d *rdxDemo) issuer(lane *sealane.Lane) http.Handler {
	service := &rdx.Issuer{OnOTP: func(_, otp string) {
		d.mu.Lock()
		defer d.mu.Unlock()
		d.passcode = otp
		if d.announce {
			fmt.Fprintf(d.w, "passcode: %s\n", otp)
		}
	}}
	return &sealhttp.Handler{
		Lane: func(*http.Request) (*sealane.Lane, error) { return lane, nil },
		Next: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if message, ok := sealhttp.MessageFrom(r.Context()); ok {
				d.mu.Lock()
				d.openedBy = cert.ThumbprintJWK(message.OpenedBy().Public)
				d.mu.Unlock()
			}
			service.ServeHTTP(w, r)
		}),
		Log: d.log,
	}
}

// vcas is the sender, with the certificate that its registry has in use.
func (d *rdxDemo) vcas(url, fault string) (*rdx.VCAS, error) {
	lane, err := d.sender.lane("issuer", rdxEnv)
	if err != nil {
		return nil, err
	}
	client := &http.Client{Timeout: 30 * time.Second, Transport: &sealhttp.Transport{Lane: lane, Base: d.wire}}
	if fault != "" {
		client.Transport = &sandbox.FaultyTransport{Lane: lane, Fault: fault, Base: d.wire}
	}
	return rdx.NewVCAS(client, url+"/rdx/v1"), nil
}

// challenge is a step: the whole dialogue, and the key that opened it.
func (d *rdxDemo) challenge(name, url string, opener *party) {
	d.step(name, func(n *notes) error {
		v, err := d.vcas(url, "")
		if err != nil {
			return err
		}
		answers, err := v.Challenge(d.ctx, func(context.Context, rdx.Answer) (string, error) {
			d.mu.Lock()
			defer d.mu.Unlock()
			return d.passcode, nil
		})
		for _, a := range answers {
			n.add("%-14s answered %s in %.1f ms", a.Call, a.Status, float64(a.Duration.Microseconds())/1000)
		}
		if err != nil {
			return err
		}
		d.wire.note(n)
		if last := answers[len(answers)-1]; last.Call != rdx.CallValidate || last.Status != rdx.StatusSuccess {
			return fmt.Errorf("the challenge ended with %s of %s", last.Status, last.Call)
		}
		d.mu.Lock()
		defer d.mu.Unlock()
		n.add("opened by the issuer's key %s", d.openedBy)
		if d.openedBy != cert.ThumbprintJWK(opener.Certificate.PublicKey) {
			return errors.New("that is not the key that was due")
		}
		return nil
	})
}

// faults sends messages that the issuer must refuse, all with one answer.
func (d *rdxDemo) faults(url string) {
	answers := map[string]bool{}
	for _, f := range []struct{ name, fault string }{
		{"a message encrypted to another key", "wrong-key"},
		{"a message whose tag is cut", "cut-tag"},
		{"a message under an alias that the issuer does not know", "unknown-key-id"},
		{"a message with RSA-OAEP (SHA-1), as in the seed's sample", "sha1-oaep"},
	} {
		d.step(f.name, func(n *notes) error {
			v, err := d.vcas(url, f.fault)
			if err != nil {
				return err
			}
			answer, _ := v.Risk(d.ctx, v.NewTransaction())
			d.wire.note(n)
			if answer.HTTPStatus != http.StatusMethodNotAllowed || answer.Error == nil {
				return fmt.Errorf("it was answered with %d", answer.HTTPStatus)
			}
			answers[fmt.Sprintf("%d ", answer.HTTPStatus)+strings.ReplaceAll(string(answer.Raw), answer.Error.ReferenceNumber, "…")] = true
			return nil
		})
	}
	d.step("the issuer's answers to them do not differ", func(n *notes) error {
		for text := range answers {
			n.add("%s, with a fresh reference number for the issuer's own log", text)
		}
		if len(answers) != 1 {
			return fmt.Errorf("there are %d different answers", len(answers))
		}
		return nil
	})
}

// acceptSHA1 shows the one switch with which an issuer can open the seed's sample.
func (d *rdxDemo) acceptSHA1() error {
	if fips140.Enforced() {
		fmt.Fprintln(d.w, "         (not tried: FIPS 140-3 is enforced, and a lane that accepts SHA-1 refuses to start)")
		return nil
	}
	err := d.bank.operator.ChangeEnvironment(d.ctx, registry.Environment{Partner: "vcas", Name: rdxEnv}, "ticket DEMO-1", func(e *registry.Environment) error {
		e.AcceptRSAOAEP = "the partner's sample uses it; ticket DEMO-1"
		return nil
	})
	if err != nil {
		return err
	}
	url, err := d.startIssuer()
	if err != nil {
		return err
	}
	d.step("the same on a lane that accepts RSA-OAEP, for a reason", func(n *notes) error {
		v, err := d.vcas(url, "sha1-oaep")
		if err != nil {
			return err
		}
		answer, err := v.Risk(d.ctx, v.NewTransaction())
		d.wire.note(n)
		if err != nil {
			return err
		}
		n.add("risk answered %s", answer.Status)
		return nil
	})
	return nil
}
