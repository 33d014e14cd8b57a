package demo

import (
	"encoding/json"
	"fmt"
	"path/filepath"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/cert"
	"github.com/sealane/sealane/internal/newfile"
	"github.com/sealane/sealane/internal/sandbox"
	"github.com/sealane/sealane/keyring"
)

// tableErrors provokes each error by doing what causes it.
func (d *riskosDemo) tableErrors() error {
	stranger, err := cert.GenerateKey(2048)
	if err != nil {
		return err
	}
	strangers, err := keyring.New(keyring.Key{State: keyring.Active, ID: "stranger", Private: stranger})
	if err != nil {
		return err
	}
	forging, err := keyring.New(keyring.Key{State: keyring.Active, ID: d.customer.KeyID, Private: d.customer.Key}) // faults are forged with keys in Go's hands
	if err != nil {
		return err
	}
	lane, err := d.lane(func(c *sealane.Config) { c.Ours = forging })
	if err != nil {
		return err
	}
	unsigned, err := sandbox.Malform("unsigned", lane, evaluation("demo-7", "Accept"))
	if err != nil {
		return err
	}
	base := call{method: "POST", path: "/api/evaluation", body: evaluation("demo-6", "Accept")}
	provoke := func(name string, due error, change func(*call)) {
		d.expect(name, due, func(n *notes) error {
			c := base
			change(&c)
			_, err := d.send(n, c)
			return err
		})
	}
	provoke("an account whose certificates were never exchanged", sealane.ErrNotSupported, func(c *call) { c.account = "newcomer" })
	provoke("a body with another member", sealane.ErrFormat, func(c *call) {
		c.spoil = func([]byte) []byte { return []byte(`{"encrypted_payload":"eyJ"}`) }
	})
	provoke("a token that is no JWE", sealane.ErrNotJWE, func(c *call) {
		c.spoil = func([]byte) []byte { return []byte(`{"encrypted_request":"not.a.token"}`) }
	})
	provoke("a message encrypted to another key", sealane.ErrDecryption, func(c *call) {
		c.change = func(l *sealane.Config) { l.Theirs = strangers }
	})
	provoke("a message that is encrypted, but not signed", sealane.ErrNotJWS, func(c *call) {
		c.spoil = func([]byte) []byte {
			body, _ := json.Marshal(map[string]string{"encrypted_request": string(unsigned)})
			return body
		}
	})
	provoke("a message signed by another key", sealane.ErrSignature, func(c *call) {
		c.change = func(l *sealane.Config) { l.Ours = strangers }
	})
	provoke("an answer that the provider cannot seal: 500", sealane.ErrSealingFailed, func(c *call) { c.account = "unlucky" })
	return nil
}

// badAnswers has the provider misbehave, and the customer notice.
func (d *riskosDemo) badAnswers() {
	for _, f := range []struct {
		name, fault string
		due         error
	}{
		{"the answer comes in clear", "unsealed", sealane.ErrNotSealed},
		{"an old answer under the new identifier", "swapped", sealane.ErrContradiction},
		{"the answer is encrypted to another key", "wrong-key", sealane.ErrDecryption},
		{"the answer is signed by another key", "other-signer", sealane.ErrSignature},
		{"the answer's key is encrypted with SHA-1", "sha1-oaep", sealane.ErrNotJWE},
		{"the answer's authentication tag is cut", "cut-tag", sealane.ErrNotJWE},
	} {
		d.expect(f.name, f.due, func(n *notes) error {
			if f.fault == "swapped" { // there has to be an old answer
				if _, err := d.send(new(notes), call{method: "POST", path: "/api/evaluation", body: evaluation("demo-old", "Accept")}); err != nil {
					return fmt.Errorf("the answer to be swapped in: %v", err)
				}
			}
			_, err := d.send(n, call{method: "POST", path: "/api/evaluation", body: evaluation("demo-"+f.fault, "Accept"), fault: f.fault})
			return err
		})
	}
}

// hints are commands to try against the servers that stay up.
func (d *riskosDemo) hints() ([]string, error) {
	apiKey := filepath.Join(d.dir, "api-key")
	if err := newfile.Write(apiKey, []byte(d.keys["customer"]+"\n"), 0o600); err != nil {
		return nil, err
	}
	body := filepath.Join(d.dir, "evaluation.json")
	lane := fmt.Sprintf("--profile riskos --env %s --key %s --to %s", riskosEnv, d.customer.spec.KeyFile(), d.provider.spec.CertificateFile())
	return []string{
		fmt.Sprintf("# RiskOS, plain:\ncurl -sS -H \"Authorization: Bearer $(cat %s)\" -H 'Content-Type: application/json' --data-binary @%s %s/api/evaluation\n", apiKey, body, d.url),
		fmt.Sprintf("# RiskOS, sealed, opened again:\n%s call %s --api-key-file %s -v POST %s/api/evaluation @%s\n", d.program, lane, apiKey, d.url, body),
		fmt.Sprintf("# RiskOS, sealed by hand:\n%s seal %s --body %s | curl -sS -H \"Authorization: Bearer $(cat %s)\" -H 'Content-Type: application/json' -H 'X-Payload-Encrypted: true' --data-binary @- %s/api/evaluation\n", d.program, lane, body, apiKey, d.url),
		fmt.Sprintf("# An answer with a fault (others: %s sandbox riskos --help):\n%s call %s --api-key-file %s -H '%s: other-signer' POST %s/api/evaluation @%s\n", d.program, d.program, lane, apiKey, sandbox.FaultHeader, d.url, body),
	}, nil
}
