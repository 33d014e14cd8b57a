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

// tableErrors causes each error of the vendor's table.
func (d *riskosDemo) tableErrors() error {
	key, err := cert.GenerateKey(2048)
	if err != nil {
		return err
	}
	strangers, err := keyring.New(keyring.Key{State: keyring.Active, ID: "stranger", Private: key})
	if err != nil {
		return err
	}
	unsigned, err := d.unsigned()
	if err != nil {
		return err
	}
	for _, c := range []struct {
		name   string
		want   error
		change func(*call)
	}{
		{"an account whose certificates were never exchanged", sealane.ErrNotSupported, func(c *call) {
			c.account = "newcomer"
		}},
		{"a body with another member", sealane.ErrFormat, func(c *call) {
			c.body = []byte(`{"encrypted_payload":"eyJ"}`)
		}},
		{"a token that is not a JWE", sealane.ErrNotJWE, func(c *call) {
			c.body = []byte(`{"encrypted_request":"not.a.token"}`)
		}},
		{"a message encrypted to another key", sealane.ErrDecryption, func(c *call) {
			c.change = func(l *sealane.Config) { l.Theirs = strangers }
		}},
		{"a message that is encrypted, but not signed", sealane.ErrNotJWS, func(c *call) {
			c.body = unsigned
		}},
		{"a message signed by another key", sealane.ErrSignature, func(c *call) {
			c.change = func(l *sealane.Config) { l.Ours = strangers }
		}},
		{"an answer that the provider cannot seal: 500", sealane.ErrSealingFailed, func(c *call) {
			c.account = "unlucky"
		}},
	} {
		d.expect(c.name, c.want, func(n *notes) error {
			changed := evaluate("demo-6", "Accept")
			c.change(&changed)
			_, err := d.send(n, changed)
			return err
		})
	}
	return nil
}

// unsigned returns the body of a request that is encrypted, but not signed.
func (d *riskosDemo) unsigned() ([]byte, error) {
	// Faulty messages are made with keys in memory, not with those of an RSA engine.
	ours, err := keyring.New(keyring.Key{State: keyring.Active, ID: d.customer.KeyID, Private: d.customer.Key})
	if err != nil {
		return nil, err
	}
	lane, err := d.lane(func(c *sealane.Config) { c.Ours = ours })
	if err != nil {
		return nil, err
	}
	token, err := sandbox.Malform(sandbox.Unsigned, lane, d.customer.Key, evaluation("demo-7", "Accept"))
	if err != nil {
		return nil, err
	}
	return json.Marshal(map[string]string{"encrypted_request": string(token)})
}

// badAnswers makes the provider send faulty answers, which the customer must notice.
func (d *riskosDemo) badAnswers() {
	for _, f := range []struct {
		name  string
		fault sandbox.Fault
		want  error
	}{
		{"the answer is not sealed", sandbox.Unsealed, sealane.ErrNotSealed},
		{"an old answer with the new identifier", sandbox.Swapped, sealane.ErrContradiction},
		{"the answer is encrypted to another key", sandbox.WrongKey, sealane.ErrDecryption},
		{"the answer is signed by another key", sandbox.OtherSigner, sealane.ErrSignature},
		{"the answer's key is encrypted with SHA-1", sandbox.SHA1OAEP, sealane.ErrNotJWE},
		{"the answer's authentication tag is shortened", sandbox.CutTag, sealane.ErrNotJWE},
	} {
		d.expect(f.name, f.want, func(n *notes) error {
			if f.fault == sandbox.Swapped { // there has to be an old answer
				if _, err := d.send(new(notes), evaluate("demo-old", "Accept")); err != nil {
					return fmt.Errorf("the answer to be swapped in: %v", err)
				}
			}
			c := evaluate("demo-"+string(f.fault), "Accept")
			c.fault = f.fault
			_, err := d.send(n, c)
			return err
		})
	}
}

const evaluationFile = "evaluation.json"

// commands returns commands to try against the provider.
func (d *riskosDemo) commands() ([]string, error) {
	apiKey := filepath.Join(d.folder, "api-key")
	if err := newfile.Write(apiKey, []byte(d.apiKeys["customer"]+"\n"), 0o600); err != nil {
		return nil, err
	}
	body, url := filepath.Join(d.folder, evaluationFile), d.url+"/api/evaluation"
	lane := fmt.Sprintf("--profile %s --env %s --key %s --to %s",
		d.profile.Name, d.environment, d.customer.spec.KeyFile(), d.provider.spec.CertificateFile())
	curl := fmt.Sprintf(`curl -sS -H "Authorization: Bearer $(cat %s)" -H 'Content-Type: application/json'`, apiKey)
	call := fmt.Sprintf("%s call %s --api-key-file %s", d.program, lane, apiKey)
	return []string{
		fmt.Sprintf("# RiskOS, plain:\n%s --data-binary @%s %s\n", curl, body, url),
		fmt.Sprintf("# RiskOS, sealed, opened again:\n%s -v POST %s @%s\n", call, url, body),
		fmt.Sprintf("# RiskOS, sealed by hand:\n"+
			"%s seal %s --body %s | %s -H 'X-Payload-Encrypted: true' --data-binary @- %s\n",
			d.program, lane, body, curl, url),
		fmt.Sprintf("# An answer with a fault (others: %s sandbox riskos --help):\n"+
			"%s -H '%s: other-signer' POST %s @%s\n",
			d.program, call, sandbox.FaultHeader, url, body),
	}, nil
}
