package demo

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/internal/gateway"
	"github.com/sealane/sealane/internal/lanes"
	"github.com/sealane/sealane/internal/newfile"
	"github.com/sealane/sealane/internal/registry"
	"github.com/sealane/sealane/internal/sandbox/rdx"
	"github.com/sealane/sealane/internal/sandbox/riskos"
)

// gateway runs a company's gateway with one route, whose lanes are in the company's registry, and
// returns its URL. The configuration is a file in the company's folder.
func (c *company) gateway(route string) (string, error) {
	s := c.scenario
	folder := filepath.Join(s.folder, c.name)
	file := filepath.Join(folder, "gateway.yaml")
	config := "registry: {db: registry.db, root_key: \"file:root.key\"}\nroutes:\n" + route
	if err := os.WriteFile(file, []byte(config), 0o644); err != nil {
		return "", err
	}
	g, err := gateway.New(s.ctx, file, gateway.Options{
		RSA: s.rsa, Log: io.Discard,
		OpenRegistry: func(context.Context, gateway.RegistrySettings) (gateway.Registry, error) {
			return opened{c.Registry}, nil
		},
	})
	if err != nil {
		return "", err
	}
	ready, failed := make(chan net.Addr, 1), make(chan error, 1)
	s.done.Go(func() {
		failed <- g.Run(s.ctx, func(addresses map[string]net.Addr) {
			for _, a := range addresses {
				ready <- a
			}
		})
	})
	select {
	case a := <-ready:
		return "http://" + a.String(), nil
	case err := <-failed:
		return "", errors.Join(err, s.ctx.Err())
	}
}

// opened is a registry that the demo has open already.
type opened struct{ *registry.Registry }

// UseRootKey implements [gateway.Registry]. The demo has one root key.
func (opened) UseRootKey(context.Context, string) error { return nil }

// SaveLanes implements [gateway.Registry]. The demo keeps no lanes.
func (opened) SaveLanes(string, *lanes.Reader, *lanes.Snapshot, time.Time) error {
	return errors.ErrUnsupported
}

// LoadLanes implements [gateway.Registry].
func (opened) LoadLanes(string, *lanes.Reader) (*lanes.Snapshot, time.Time, error) {
	return nil, time.Time{}, errors.ErrUnsupported
}

// LastPass implements [gateway.Registry]. The demo is over before a schedule could be missed.
func (opened) LastPass(_ context.Context, now time.Time) (time.Time, bool, error) {
	return now, false, nil
}

// Close implements [gateway.Registry]. The demo closes the registry.
func (opened) Close() error { return nil }

// arrived is what an application behind a gateway received last.
type arrived struct {
	mu     sync.Mutex
	header http.Header
}

// behind returns an application that notes the headers of its requests.
func (a *arrived) behind(application http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a.mu.Lock()
		a.header = r.Header.Clone()
		a.mu.Unlock()
		application.ServeHTTP(w, r)
	})
}

// note writes what the application could tell of the sender.
func (a *arrived) note(n *notes, who string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	n.add("%s sees plain JSON, with Sealane-Partner: %s, Sealane-Message: %s", who, a.header.Get("Sealane-Partner"),
		a.header.Get("Sealane-Message"))
}

// gateways is a part: an application of the customer calls one of the provider, and neither of them
// seals or opens anything. It returns a command to try.
func (d *riskosDemo) gateways() (command string, err error) {
	d.part("RiskOS: two applications without cryptography, between two gateways")
	key := registry.NewAPIKey{Partner: "customer", Environment: d.environment, Sealing: sealane.SealingRequired}
	_, token, err := d.them.operator.IssueAPIKey(d.ctx, key)
	if err != nil {
		return "", err
	}
	var got arrived
	provider, customer := "", ""
	d.step("the provider's gateway, an ingress, in front of its application", func(n *notes) error {
		application, err := d.start(got.behind(&riskos.Service{}))
		if err != nil {
			return err
		}
		const route = "- {name: api, ingress: riskos, listen: \"127.0.0.1:0\", caller: api-key, upstream: \"%s\"}\n"
		provider, err = d.them.gateway(fmt.Sprintf(route, application))
		n.add("%s, by %s", provider, d.relative(filepath.Join(d.folder, d.them.name, "gateway.yaml")))
		return err
	})
	d.step("the customer's gateway, an egress on loopback", func(n *notes) error {
		const route = "- {name: riskos, egress: riskos, partner: provider, environment: %s, " +
			"listen: \"127.0.0.1:0\", upstream: \"%s\"}\n"
		customer, err = d.us.gateway(fmt.Sprintf(route, d.environment, provider))
		n.add("%s, by %s", customer, d.relative(filepath.Join(d.folder, d.us.name, "gateway.yaml")))
		return err
	})
	d.step("the customer's application sends an evaluation in plain JSON", func(n *notes) error {
		body := evaluation("gateway-1", "Accept")
		status, header, answer, err := d.plainCall("POST", customer+"/api/evaluation", token, body)
		if err != nil {
			return err
		}
		n.add("← %d, %s", status, describe(answer))
		got.note(n, "the provider's application")
		n.add("the customer's application sees Sealane-Message: %s", header.Get("Sealane-Message"))
		var members map[string]json.RawMessage
		if err := json.Unmarshal(answer, &members); err != nil {
			return err
		}
		if decision := text(members, "decision"); decision != "ACCEPT" || header.Get("Sealane-Message") != "verified" {
			return fmt.Errorf("the decision is %q, and the message %s", decision, header.Get("Sealane-Message"))
		}
		return nil
	})
	d.step("an endpoint that is not sealed is refused, with the entry that would let it pass", func(n *notes) error {
		status, _, answer, err := d.plainCall("GET", customer+"/api/evaluation/e-1", token, nil)
		if err != nil {
			return err
		}
		n.add("← %d, %s", status, describe(answer))
		if status != http.StatusForbidden {
			return fmt.Errorf("it was answered with %d", status)
		}
		return nil
	})
	apiKey := filepath.Join(d.folder, "gateway-api-key")
	err = newfile.Write(apiKey, []byte(token+"\n"), 0o600)
	return fmt.Sprintf("# RiskOS, plain JSON at both ends, sealed between the gateways:\n"+
		"curl -sS -H \"Authorization: Bearer $(cat %s)\" -H 'Content-Type: application/json' "+
		"--data-binary @%s %s/api/evaluation\n",
		apiKey, filepath.Join(d.folder, evaluationFile), customer), err
}

// plainCall is a call of an application that knows nothing of sealing.
func (d *riskosDemo) plainCall(method, url, token string, body []byte) (int, http.Header, []byte, error) {
	r, err := http.NewRequestWithContext(d.ctx, method, url, bytes.NewReader(body))
	if err != nil {
		return 0, nil, nil, err
	}
	r.Header.Set("Authorization", "Bearer "+token)
	r.Header.Set("Content-Type", "application/json")
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		return 0, nil, nil, err
	}
	answer, err := drain(response.Body)
	return response.StatusCode, response.Header, answer, err
}

// gateways is a part: VCAS's application challenges a cardholder of the issuer's, both in plain JSON.
func (d *rdxDemo) gateways() error {
	d.part("RDX: the same between VCAS's gateway and the issuer's")
	var got arrived
	issuer, vcas := "", ""
	d.step("the issuer's gateway, an ingress, and VCAS's, an egress", func(n *notes) error {
		application, err := d.start(got.behind(&rdx.Issuer{OnOTP: d.deliver}))
		if err != nil {
			return err
		}
		const in = "- {name: rdx, ingress: rdx, partner: vcas, environment: %s, listen: \"127.0.0.1:0\", " +
			"caller: unauthenticated, upstream: \"%s\"}\n"
		const out = "- {name: issuer, egress: rdx, partner: issuer, environment: %s, listen: \"127.0.0.1:0\", " +
			"upstream: \"%s\"}\n"
		if issuer, err = d.bank.gateway(fmt.Sprintf(in, d.environment, application)); err != nil {
			return err
		}
		vcas, err = d.sender.gateway(fmt.Sprintf(out, d.environment, issuer))
		n.add("%s and %s", issuer, vcas)
		return err
	})
	d.step("a challenge from stepup to the validated passcode", func(n *notes) error {
		answers, err := rdx.NewVCAS(nil, vcas+"/rdx/v1").
			Challenge(d.ctx, func(context.Context, rdx.Answer) (string, error) {
				d.mu.Lock()
				defer d.mu.Unlock()
				return d.passcode, nil
			})
		if err != nil {
			return err
		}
		got.note(n, "the issuer's application")
		last := answers[len(answers)-1]
		n.add("%s answered %s", last.Call, last.Status)
		if last.Call != rdx.CallValidate || last.Status != rdx.StatusSuccess {
			return fmt.Errorf("the challenge ended with %s of %s", last.Status, last.Call)
		}
		return nil
	})
	return nil
}
