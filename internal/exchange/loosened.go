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
	loosenedRotation(env, warn)
	return found
}

// loosenedRotation passes the rules of an environment's rotation that were loosened to warn.
func loosenedRotation(env registry.Environment, warn func(code, name, what, remedy string)) {
	r := env.Rotation
	if lead := r.LeadDays(); registry.Production(env.Name) && lead < registry.NoticeAsked {
		warn("loosened-lead", "lead", fmt.Sprintf("a successor is due %d days before the end, and the vendor's "+
			"specification asks for a notice of at least %d", lead, registry.NoticeAsked), "lengthen it")
	}
	if overlap := r.OverlapDays(); overlap < registry.DefaultOverlap {
		warn("loosened-overlap", "overlap", fmt.Sprintf("the old key counts for %d days after the new one is active, "+
			"not %d", overlap, registry.DefaultOverlap), "lengthen it")
	}
	if quiet := r.QuietDays(); quiet < registry.DefaultQuiet {
		warn("loosened-quiet", "quiet", fmt.Sprintf("a key may be retired after %d days without use, not %d",
			quiet, registry.DefaultQuiet), "lengthen it")
	}
	if r.RetireAs() == registry.RetireDo {
		warn("loosened-retire", "retire", "keys that another has followed are retired without a person",
			"have it proposed")
	}
}

// loosened adds a warning for each rule that was loosened, so that every status shows it.
func (p *preflight) loosened(tx registry.Reader) error {
	for _, f := range loosened(p.env) {
		p.add(f, none)
	}
	unspecified := p.env
	unspecified.Rotation.Slots = 0
	if slots := p.env.SlotsOf(p.profile); slots > unspecified.SlotsOf(p.profile) {
		p.add(cert.Finding{
			Code: "loosened-slots", Name: "slots", Level: cert.Warning,
			Found: fmt.Sprintf("the partner is taken to hold %d certificates at a time, more than the profile says",
				slots),
			Remedy: "set it to the profile's, unless the partner has confirmed it",
		}, none)
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
