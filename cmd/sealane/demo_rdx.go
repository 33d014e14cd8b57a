package main

import (
	"context"
	"crypto/fips140"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/cert"
	"github.com/sealane/sealane/internal/sandbox"
	"github.com/sealane/sealane/keyring"
	"github.com/sealane/sealane/kms"
	"github.com/sealane/sealane/profile"
	"github.com/sealane/sealane/sealhttp"
)

const rdxEnv = "STAG"

// rdxDemo is VCAS and an issuer.
type rdxDemo struct {
	*report
	ctx        context.Context
	rsa        kms.RSA
	dir        string
	profile    *profile.Profile
	old, renew *party
	alias      string
	wire       *wire

	mu       sync.Mutex
	passcode string
	announce bool   // show passcodes, once the report has ended
	openedBy string // thumbprint of the issuer's key that opened the last message
}

// demoRDX runs the RDX half and gives commands to try against it.
func demoRDX(r *report, servers *demoServers, dir string) ([]string, error) {
	d := &rdxDemo{report: r, ctx: servers.ctx, rsa: servers.rsa, dir: filepath.Join(dir, "rdx"), profile: demoProfile("rdx"), wire: &wire{base: http.DefaultTransport}}
	r.part("RDX: VCAS and an issuer; messages encrypted with RSA-OAEP-256 and A256GCM, answers in clear")
	var err error
	if d.old, err = d.exchange("issuer"); err != nil {
		return nil, err
	}
	if err := d.assignAlias(); err != nil {
		return nil, err
	}
	first, err := servers.start(d.issuer(sealane.Config{}, keyring.Key{ID: d.alias, Private: d.old.key}))
	if err != nil {
		return nil, err
	}
	d.challenge("a challenge from stepup to the validated passcode", first, d.old, d.old)

	r.part("RDX: renewal; both keys open until VCAS confirms")
	if d.renew, err = d.exchange("issuer-renewed"); err != nil {
		return nil, err
	}
	overlap, err := servers.start(d.issuer(sealane.Config{},
		keyring.Key{ID: d.alias, Private: d.old.key}, keyring.Key{ID: d.alias, Private: d.renew.key, State: keyring.Staged}))
	if err != nil {
		return nil, err
	}
	d.challenge("during the overlap: VCAS still uses the first certificate", overlap, d.old, d.old)
	d.challenge("during the overlap: VCAS uses the second, same alias", overlap, d.renew, d.renew)

	r.part("RDX: messages that must not be opened")
	d.faults(overlap)
	if err := d.acceptSHA1(servers); err != nil {
		return nil, err
	}
	d.mu.Lock()
	d.announce = true
	d.mu.Unlock()
	return []string{fmt.Sprintf("# RDX, a challenge under the alias (the passcode appears in this window):\n%s sandbox vcas --url %s --to %s --to-key-id %s --env %s\n",
		me(), overlap+"/rdx/v1", d.renew.certFile, d.alias, rdxEnv)}, nil
}

func (d *rdxDemo) exchange(name string) (*party, error) {
	made, err := makeDemoParty(d.ctx, d.report, d.profile, d.dir, name, rdxEnv, d.profile.Keys.Bits)
	if err != nil {
		return nil, err
	}
	made.certificate, err = exchangeDemo(d.report, d.profile, d.dir, name, "VCAS", rdxEnv, ".crt")
	return made, err
}

func (d *rdxDemo) assignAlias() error {
	var failed error
	d.step("VCAS assigns the alias, and holds it against the certificate", func(n *notes) error {
		id, err := cert.NewKeyID("1234dadc1234b704c1f23dc4", "PKE", "ACS", "Issuer", d.old.certificate.PublicKey.N.BitLen(), rdxEnv)
		if err == nil {
			err = id.Check(d.old.certificate.PublicKey, rdxEnv)
		}
		d.alias, failed = id.String(), err
		n.add("key ID %s", d.alias)
		return err
	})
	return failed
}

// issuer is the issuer's service behind its ingress.
func (d *rdxDemo) issuer(c sealane.Config, keys ...keyring.Key) http.Handler {
	service := &sandbox.Issuer{OnOTP: func(_, otp string) {
		d.mu.Lock()
		defer d.mu.Unlock()
		d.passcode = otp
		if d.announce {
			fmt.Fprintf(d.w, "passcode: %s\n", otp)
		}
	}}
	for i := range keys {
		private, err := d.rsa.Private(keys[i].Private)
		must(err) // the keys were checked when they were made
		keys[i].Private = private
	}
	ring, err := keyring.New(keys...)
	must(err)
	c.Profile, c.Side, c.Environment, c.Ours, c.Caller = d.profile, sealane.Server, rdxEnv, ring, sealane.Unauthenticated
	lane, err := sealane.New(c)
	must(err)
	return issuerHandler(lane, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if message, ok := sealhttp.MessageFrom(r.Context()); ok {
			d.mu.Lock()
			d.openedBy = cert.ThumbprintJWK(message.OpenedBy().Public)
			d.mu.Unlock()
		}
		service.ServeHTTP(w, r)
	}), slog.New(slog.DiscardHandler))
}

// vcas is the sender, with to's certificate installed.
func (d *rdxDemo) vcas(url string, to *party, alias, fault string) (*sandbox.VCAS, error) {
	theirs, err := keyring.New(keyring.Key{ID: alias, Public: to.certificate.PublicKey})
	if err != nil {
		return nil, err
	}
	lane, err := sealane.New(sealane.Config{Profile: d.profile, Side: sealane.Client, Environment: rdxEnv, Theirs: theirs})
	if err != nil {
		return nil, err
	}
	client := &http.Client{Timeout: 30 * time.Second, Transport: &sealhttp.Transport{Lane: lane, Base: d.wire}}
	if fault != "" {
		client.Transport = &sandbox.ForgingTransport{Lane: lane, Fault: fault, Base: d.wire}
	}
	return newVCAS(client, url+"/rdx/v1"), nil
}

// challenge is a step: the whole dialogue, and the key that opened it.
func (d *rdxDemo) challenge(name, url string, to, opener *party) {
	d.step(name, func(n *notes) error {
		v, err := d.vcas(url, to, d.alias, "")
		if err != nil {
			return err
		}
		answers, err := v.Challenge(d.ctx, func(context.Context, sandbox.Answer) (string, error) {
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
		if last := answers[len(answers)-1]; last.Call != sandbox.CallValidate || last.Status != sandbox.StatusSuccess {
			return fmt.Errorf("the challenge ended with %s of %s", last.Status, last.Call)
		}
		d.mu.Lock()
		defer d.mu.Unlock()
		n.add("opened by the issuer's key %s", d.openedBy)
		if d.openedBy != cert.ThumbprintJWK(opener.certificate.PublicKey) {
			return errors.New("that is not the key that was due")
		}
		return nil
	})
}

// faults sends messages that the issuer must refuse, all with one answer.
func (d *rdxDemo) faults(url string) {
	answers := map[string]bool{}
	for _, f := range []struct{ name, fault, alias string }{
		{"a message encrypted to another key", "wrong-key", d.alias},
		{"a message whose tag is cut", "cut-tag", d.alias},
		{"a message under an alias that the issuer does not know", "unknown-key-id", d.alias},
		{"a message with RSA-OAEP (SHA-1), as in the seed's sample", "sha1-oaep", d.alias},
	} {
		d.step(f.name, func(n *notes) error {
			v, err := d.vcas(url, d.renew, f.alias, f.fault)
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
func (d *rdxDemo) acceptSHA1(servers *demoServers) error {
	if fips140.Enforced() {
		fmt.Fprintln(d.w, "         (not tried: FIPS 140-3 is enforced, and a lane that accepts SHA-1 refuses to start)")
		return nil
	}
	url, err := servers.start(d.issuer(sealane.Config{AcceptRSAOAEP: "the partner's sample uses it; ticket DEMO-1"}, keyring.Key{ID: d.alias, Private: d.renew.key}))
	if err != nil {
		return err
	}
	d.step("the same on a lane that accepts RSA-OAEP, for a reason", func(n *notes) error {
		v, err := d.vcas(url, d.renew, d.alias, "sha1-oaep")
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
