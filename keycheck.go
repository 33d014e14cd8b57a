package sealane

import (
	"fmt"
	"slices"
	"time"

	"github.com/sealane/sealane/cert"
	"github.com/sealane/sealane/keyring"
)

// KeyProblem is a reason why a key should not be used on a lane.
type KeyProblem struct {
	// Ours reports whether the key is ours, and not the partner's.
	Ours bool
	// KeyID is the key's ID, or empty.
	KeyID string
	// Rule is "validity-now", "key-usage", "not-ca" or "key-id".
	Rule string
	// Text says what is wrong and what to do.
	Text string
}

func (p KeyProblem) Error() string {
	whose := "the partner's key"
	if p.Ours {
		whose = "our key"
	}
	if p.KeyID != "" {
		whose += fmt.Sprintf(" %q", p.KeyID)
	}
	return fmt.Sprintf("%s: %s [%s]", whose, p.Text, p.Rule)
}

// CheckKeys returns the problems of the lane's keys at a time: a certificate that has
// expired or is not valid yet, whose key usage is not the profile's, or that is a CA's; and
// a six-part key ID that names another environment or key size (vendor's specification of
// VCAS RDX, "Additional JWE Information").
//
// Sealing and opening check none of this: a key is used until it is removed from the ring.
// A key without a certificate has no dates and no usage to check.
func (l *Lane) CheckKeys(now time.Time) []KeyProblem {
	var problems []KeyProblem
	policy := l.profile.Profile().Certificate
	for _, side := range []struct {
		ours, used bool
		keys       []keyring.KeyInfo
	}{
		{true, l.in.Sealed() || l.out.Sign != nil, l.Ours()},
		{false, l.out.Sealed() || l.in.Sign != nil, l.Theirs()},
	} {
		for _, k := range side.keys {
			if !side.used {
				continue
			}
			add := func(rule, text string) {
				problems = append(problems, KeyProblem{side.ours, k.ID, rule, text})
			}
			if k.Certificate != nil {
				for _, f := range cert.Check(k.Certificate, policyOf(policy, k.Use), now) {
					if f.Code == "validity-now" && k.State == keyring.Retiring {
						continue // it opens messages that are still on their way
					}
					if f.Level == cert.Refused &&
						slices.Contains([]string{"validity-now", "key-usage", "not-ca"}, f.Code) {
						add(f.Code, fmt.Sprintf("%s: %s, wanted is %s", f.Name, f.Found, f.Wanted))
					}
				}
			}
			if policy.KeyIDFormat == cert.KeyIDSixPart && k.ID != "" {
				id, err := cert.ParseKeyID(k.ID)
				if err == nil {
					err = id.Check(k.Public, l.c.Environment)
				}
				if err != nil {
					add("key-id", err.Error())
				}
			}
		}
	}
	return problems
}

// policyOf narrows the key usages that a profile requires to those of a key.
func policyOf(p cert.Policy, use keyring.Use) cert.Policy {
	other := map[keyring.Use][]string{
		keyring.UseSig: {"keyEncipherment", "dataEncipherment"},
		keyring.UseEnc: {"digitalSignature", "nonRepudiation"},
	}[use]
	required := slices.Clone(p.KeyUsage.Required)
	p.KeyUsage.Required = slices.DeleteFunc(required, func(u string) bool { return slices.Contains(other, u) })
	p.KeyUsage.Allowed = append(slices.Clone(p.KeyUsage.Allowed), p.KeyUsage.Required...)
	return p
}
