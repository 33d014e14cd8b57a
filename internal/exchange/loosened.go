package exchange

import (
	"fmt"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/cert"
	"github.com/sealane/sealane/internal/registry"
)

// Loosened returns the rules that were loosened in an environment, as sentences.
func Loosened(env registry.Environment) (rules []string) {
	for _, f := range loosened(env) {
		rules = append(rules, f.Name+": "+f.Found)
	}
	return rules
}

func loosened(env registry.Environment) (found []cert.Finding) {
	warn := func(code, name, what, remedy string) {
		found = append(found, cert.Finding{Code: code, Name: name, Level: cert.Warning, Found: what, Remedy: remedy})
	}
	if env.Sealing == sealane.SealingOptional {
		warn("loosened-sealing", "sealing", "unencrypted messages are accepted",
			"require sealing when the partner is ready")
	}
	if env.SenderAuth == sealane.SenderUnauthenticated {
		warn("loosened-caller", "caller", "the sender of unsigned messages is not authenticated", "use mutual TLS")
	}
	if env.AcceptRSAOAEP != "" {
		warn("loosened-oaep", "OAEP with SHA-1", "accepted, because "+env.AcceptRSAOAEP,
			"have the partner use SHA-256")
	}
	if env.Expired == sealane.ExpiredWarn {
		warn("loosened-expired", "expired", "keys are used after their certificates have ended",
			"exchange new certificates in time, and take it back")
	}
	if registry.Production(env.Name) && env.ApprovalsNeeded() < 2 {
		warn("loosened-approvals", "approvals", "one person alone may decide in this environment", "raise it to two")
	}
	return found
}

// loosened adds a warning for each rule that was loosened, so that every status shows it.
func (p *preflight) loosened(tx registry.Reader) error {
	for _, f := range loosened(p.env) {
		p.add(f, none)
	}
	if p.partner.Side != sealane.ServerSide || p.env.Sealing == sealane.SealingOptional {
		return nil
	}
	keys, err := tx.APIKeys(p.name.Partner, p.name.Environment)
	for _, k := range keys {
		if k.Revoked.IsZero() && k.Sealing == sealane.SealingOptional {
			p.add(cert.Finding{
				Code: "loosened-api-key", Name: "API key " + k.ID, Level: cert.Warning,
				Found: fmt.Sprintf("accepts unencrypted messages, although the environment requires sealing (%s)",
					k.Label),
				Remedy: "replace it by one that requires sealing",
			}, none)
		}
	}
	return err
}
