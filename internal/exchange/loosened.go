package exchange

import (
	"fmt"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/cert"
	"github.com/sealane/sealane/internal/registry"
)

// loosened adds a warning for each rule that was loosened in the environment, so that every
// status shows it.
func (p *preflight) loosened(tx registry.Reader) error {
	warn := func(code, name, found, remedy string) {
		p.add(cert.Finding{Code: code, Name: name, Level: cert.Warning, Found: found, Remedy: remedy}, none)
	}
	if p.env.Sealing == sealane.SealingOptional {
		warn("loosened-sealing", "sealing", "unencrypted messages are accepted",
			"require sealing when the partner is ready")
	}
	if p.env.SenderAuth == sealane.SenderUnauthenticated {
		warn("loosened-caller", "caller", "the sender of unsigned messages is not authenticated", "use mutual TLS")
	}
	if p.env.AcceptRSAOAEP != "" {
		warn("loosened-oaep", "RSA-OAEP with SHA-1", "accepted, because "+p.env.AcceptRSAOAEP,
			"have the partner use RSA-OAEP-256")
	}
	if registry.Production(p.env.Name) && p.env.ApprovalsNeeded() < 2 {
		warn("loosened-approvals", "approvals", "one person alone may decide in this environment", "raise it to two")
	}
	if p.partner.Side != sealane.ServerSide || p.env.Sealing == sealane.SealingOptional {
		return nil
	}
	keys, err := tx.APIKeys(p.name.Partner, p.name.Environment)
	for _, k := range keys {
		if k.Revoked.IsZero() && k.Sealing == sealane.SealingOptional {
			warn("loosened-api-key", "API key "+k.ID,
				fmt.Sprintf("accepts unencrypted messages, although the environment requires sealing (%s)", k.Label),
				"replace it by one that requires sealing")
		}
	}
	return err
}
