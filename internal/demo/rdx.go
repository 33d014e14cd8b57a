package demo

import (
	"context"
	"crypto/fips140"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/cert"
	"github.com/sealane/sealane/internal/exchange"
	"github.com/sealane/sealane/internal/registry"
	"github.com/sealane/sealane/internal/sandbox"
	"github.com/sealane/sealane/internal/sandbox/rdx"
	"github.com/sealane/sealane/sealhttp"
)

// rdxDemo is the exchange between VCAS and an issuer.
type rdxDemo struct {
	*scenario
	bank         *company // the issuer
	sender       *company // VCAS
	old, renewed *party
	keyID        string // the alias that VCAS assigns, for both keys

	mu            sync.Mutex
	passcode      string // the last one that the issuer sent
	showPasscodes bool
	openedBy      string // thumbprint of the issuer's key that opened the last message
}

// run returns commands to try against the issuer.
func (d *rdxDemo) run() ([]string, error) {
	d.part("RDX: VCAS and an issuer; messages encrypted with RSA-OAEP-256 and A256GCM, answers in plain JSON")
	if err := d.open(); err != nil {
		return nil, err
	}
	if err := d.first(); err != nil {
		return nil, err
	}
	d.part("RDX: renewal; both keys open until VCAS confirms")
	url, err := d.renewal()
	if err != nil {
		return nil, err
	}
	if err := d.gateways(); err != nil {
		return nil, err
	}
	d.part("RDX: messages that must not be opened")
	d.faults(url)
	if err := d.acceptSHA1(); err != nil {
		return nil, err
	}
	d.mu.Lock()
	d.showPasscodes = true
	d.mu.Unlock()
	lane := fmt.Sprintf("--to %s --to-key-id %s --env %s", d.renewed.spec.CertificateFile(), d.keyID, d.environment)
	return []string{fmt.Sprintf("# RDX, a challenge under the alias (the passcode appears in this window):\n"+
		"%s sandbox vcas --url %s %s\n", d.program, url, lane)}, nil
}

func (d *rdxDemo) open() (err error) {
	if d.bank, err = d.openCompany("issuer"); err != nil {
		return err
	}
	if d.sender, err = d.openCompany("vcas"); err != nil {
		return err
	}
	return errors.Join(
		d.bank.addPartner("vcas", sealane.ServerSide),
		d.sender.addPartner("issuer", sealane.ClientSide))
}

// first is the first exchange, and a challenge.
func (d *rdxDemo) first() error {
	made, certificate, err := d.exchange("issuer")
	if err != nil {
		return err
	}
	d.old = made
	if err := d.assignKeyID(certificate); err != nil {
		return err
	}
	if err := d.install(d.old, certificate); err != nil {
		return err
	}
	d.bank.preflight("vcas")
	url, err := d.startIssuer()
	if err != nil {
		return err
	}
	d.challenge("a challenge from stepup to the validated passcode", url, d.old)
	return nil
}

// renewal is the exchange of a second certificate, with a challenge before and after
// VCAS installs it. It returns the URL of an issuer that opens with both keys.
func (d *rdxDemo) renewal() (string, error) {
	made, certificate, err := d.exchange("issuer-renewed")
	if err != nil {
		return "", err
	}
	d.renewed = made
	err = errors.Join(
		d.setKeyID(d.sender.operator.WithReason("same size, same alias"), certificate.ID),
		d.setKeyID(d.bank.operator, d.renewed.pair))
	if err != nil {
		return "", err
	}
	url, err := d.startIssuer()
	if err != nil {
		return "", err
	}
	d.challenge("during the overlap: VCAS still uses the first certificate", url, d.old)
	if err := d.install(d.renewed, certificate); err != nil {
		return "", err
	}
	d.challenge("during the overlap: VCAS uses the second, same alias", url, d.renewed)
	return url, nil
}

// install makes VCAS use a certificate, and tell the issuer.
func (d *rdxDemo) install(of *party, certificate registry.Certificate) error {
	if err := exchange.New(d.sender.operator).Activate(d.ctx, certificate.ID); err != nil {
		return err
	}
	return exchange.New(d.bank.operator.WithReason("VCAS has written that it is installed")).
		MarkInstalled(d.ctx, exchange.Target{KeyPair: of.pair, Partner: "vcas"})
}

// setKeyID records the key ID of a certificate or key pair.
func (d *rdxDemo) setKeyID(s *registry.Session, id string) error {
	return exchange.New(s).SetKeyID(d.ctx, exchange.KeyIDChange{ID: id, KeyID: d.keyID})
}

// exchange makes a key pair of the issuer, and sends its certificate to VCAS.
func (d *rdxDemo) exchange(name string) (*party, registry.Certificate, error) {
	made, err := d.bank.makeParty(name, "vcas")
	if err != nil {
		return nil, registry.Certificate{}, err
	}
	certificate, err := made.sendCertificate(d.sender, ".crt")
	return made, certificate, err
}

func (d *rdxDemo) assignKeyID(certificate registry.Certificate) (err error) {
	d.step("VCAS assigns the alias, and compares it with the certificate", func(n *notes) error {
		var id cert.KeyID
		id, err = cert.NewKeyID(cert.KeyID{
			Entity: "1234dadc1234b704c1f23dc4", UseCase: "PKE", Component: "ACS", Owner: "Issuer",
			Bits: certificate.Bits, Environment: d.environment,
		})
		if err != nil {
			return err
		}
		d.keyID = id.String()
		n.add("key ID %s", d.keyID)
		if err = d.setKeyID(d.sender.operator, certificate.ID); err != nil {
			return err
		}
		err = d.setKeyID(d.bank.operator.WithReason("VCAS has written it"), d.old.pair)
		return err
	})
	return err
}

// startIssuer serves the issuer with the keys that its registry has now, and returns
// its URL.
func (d *rdxDemo) startIssuer() (string, error) {
	lane, err := d.bank.lane("vcas")
	if err != nil {
		return "", err
	}
	url, err := d.start(d.issuer(lane))
	return url + "/rdx/v1", err
}

// issuer returns the issuer's service behind a handler that opens messages.
func (d *rdxDemo) issuer(lane *sealane.Lane) http.Handler {
	service := &rdx.Issuer{OnOTP: d.deliver}
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

// deliver takes a passcode in place of the cardholder's telephone.
func (d *rdxDemo) deliver(_, otp string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.passcode = otp
	if d.showPasscodes {
		fmt.Fprintf(d.w, "passcode: %s\n", otp)
	}
}

// vcas returns a sender with the certificate that its registry uses now. With a fault,
// its messages are faulty.
func (d *rdxDemo) vcas(url string, fault sandbox.Fault) (*rdx.VCAS, error) {
	lane, err := d.sender.lane("issuer")
	if err != nil {
		return nil, err
	}
	client := &http.Client{
		Timeout:   30 * time.Second,
		Transport: &sealhttp.Transport{Lane: sealhttp.OneLane(lane), Base: d.wire},
	}
	if fault != "" {
		client.Transport = &sandbox.FaultyTransport{Lane: lane, Fault: fault, Base: d.wire}
	}
	return rdx.NewVCAS(client, url), nil
}

// challenge is a step: all calls of a challenge, opened by the key of opener.
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
			return errors.New("another key was expected")
		}
		return nil
	})
}

// faults sends messages that the issuer must refuse, always with the same answer.
func (d *rdxDemo) faults(url string) {
	answers := map[string]bool{}
	for _, f := range []struct {
		name  string
		fault sandbox.Fault
	}{
		{"a message encrypted to another key", sandbox.WrongKey},
		{"a message whose tag is shortened", sandbox.CutTag},
		{"a message under an alias that the issuer does not know", sandbox.UnknownKeyID},
		{"a message with RSA-OAEP (SHA-1), as in the vendor's sample", sandbox.SHA1OAEP},
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
			text := strings.ReplaceAll(string(answer.Raw), answer.Error.ReferenceNumber, "…")
			answers[fmt.Sprintf("%d %s", answer.HTTPStatus, text)] = true
			return nil
		})
	}
	d.step("the issuer's answers to them are the same", func(n *notes) error {
		for text := range answers {
			n.add("%s, with a fresh reference number for the issuer's own log", text)
		}
		if len(answers) != 1 {
			return fmt.Errorf("there are %d different answers", len(answers))
		}
		return nil
	})
}

// acceptSHA1 shows the setting with which an issuer opens RSA-OAEP with SHA-1, as the
// vendor's sample uses it.
func (d *rdxDemo) acceptSHA1() error {
	if fips140.Enforced() {
		fmt.Fprintln(d.w, "         (not run: FIPS 140-3 is enforced, and a lane that accepts SHA-1 refuses to start)")
		return nil
	}
	env := registry.Environment{Partner: "vcas", Name: d.environment}
	err := d.bank.operator.WithReason("ticket DEMO-1").
		ChangeEnvironment(d.ctx, env, func(e *registry.Environment) error {
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
		v, err := d.vcas(url, sandbox.SHA1OAEP)
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
