package registry

import (
	"errors"
	"fmt"
	"slices"

	"github.com/sealane/sealane"
)

// second says why an act needs a second person, and what the approval is bound to.
type second struct{ why, what string }

// Approvals returns how many people decide on what loosens an environment or lets a certificate
// in: two in production, one elsewhere, unless the environment says otherwise.
func (e Environment) ApprovalsNeeded() int {
	switch {
	case e.Approvals != 0:
		return e.Approvals
	case Production(e.Name):
		return 2
	}
	return 1
}

// needsSecond returns why an act needs a second person, or nil. Acts that stop something never
// do.
func (s *Session) needsSecond(tx Reader, entry *Entry) (*second, error) {
	switch entry.Action {
	case ActionEnvironmentAdd, ActionEnvironmentChange:
		return s.loosens(tx, entry)
	case ActionURLSet:
		return s.redirects(entry), nil
	case ActionPartnerAdd:
		if entry.first == nil {
			return nil, nil
		}
		of := *entry
		of.Before, of.After = nil, *entry.first
		return s.loosens(tx, &of)
	case ActionAPIKeyIssue:
		return s.loosensCaller(tx, entry)
	case ActionKeyExport, ActionKeyImport:
		return s.movesKey(tx, entry)
	case ActionPersonAdd, ActionPersonRoles:
		return s.addsApprover(tx, entry)
	case ActionExchangeMigrate:
		return s.ifOthers(tx, &second{"certificates are approved as of another system's record", entry.Subject})
	case ActionKeyUnblock:
		return s.ifOthers(tx, &second{"a blocked key may be used again", entry.Subject})
	}
	return nil, nil
}

// ifOthers returns what is asked, if there is somebody else who could approve: a company of one
// has nobody. The person whom the act is about does not count.
func (s *Session) ifOthers(tx Reader, asked *second, about ...string) (*second, error) {
	others, err := othersWho(tx, Approver, append(about, s.person.ID)...)
	if err != nil || others == 0 {
		return nil, err
	}
	return asked, nil
}

// loosens judges a change of an environment.
func (s *Session) loosens(tx Reader, entry *Entry) (*second, error) {
	after, is := entry.After.(Environment)
	if !is {
		return nil, nil
	}
	before, changed := entry.Before.(Environment)
	if !changed {
		before = Environment{Name: after.Name, Sealing: sealane.SealingRequired, Account: after.Account}
		if after.ApprovalsNeeded() < before.ApprovalsNeeded() {
			return s.ifOthers(tx, &second{"one person alone may decide in this environment", fmt.Sprint(after.Approvals)})
		}
	}
	if before.ApprovalsNeeded() < 2 {
		return nil, nil
	}
	for _, rule := range []struct {
		loosened bool
		why      string
		what     string
	}{
		{after.ApprovalsNeeded() < 2, "one person alone may decide in this environment", fmt.Sprint(after.Approvals)},
		{before.Sealing != after.Sealing && after.Sealing == sealane.SealingOptional,
			"unencrypted messages are accepted", string(after.Sealing)},
		{before.SenderAuth != after.SenderAuth && after.SenderAuth == sealane.SenderUnauthenticated,
			"the sender of unsigned messages is not authenticated", string(after.SenderAuth)},
		{after.AcceptRSAOAEP != "" && before.AcceptRSAOAEP != after.AcceptRSAOAEP,
			"RSA-OAEP with SHA-1 is accepted", after.AcceptRSAOAEP},
		{after.Account != "" && before.Account != after.Account, "another account is the partner's", after.Account},
	} {
		if rule.loosened {
			return &second{rule.why, rule.what}, nil
		}
	}
	return nil, nil
}

// loosensCaller judges a new API key.
func (s *Session) loosensCaller(tx Reader, entry *Entry) (*second, error) {
	k, is := entry.After.(APIKey)
	if !is || k.Sealing != sealane.SealingOptional {
		return nil, nil
	}
	env, err := tx.Environment(k.Partner, k.Environment)
	if err != nil || env.ApprovalsNeeded() < 2 {
		return nil, err
	}
	return &second{"unencrypted messages are accepted with this API key", string(k.Sealing)}, nil
}

// movesKey judges the export or import of a private key.
func (s *Session) movesKey(tx Reader, entry *Entry) (*second, error) {
	what := entry.Subject
	if k, is := entry.After.(KeyPair); is { // an import has another identity each time
		what = fmt.Sprintf("%x", k.SPKISHA256)
	}
	asked := &second{"a private key for production leaves or enters the registry", what}
	if entry.Partner == "" { // shared by the partners of a profile
		if !Production(entry.Environment) {
			return nil, nil
		}
		return s.ifOthers(tx, asked)
	}
	env, err := tx.Environment(entry.Partner, entry.Environment)
	if errors.Is(err, ErrNotFound) {
		env, err = Environment{Name: entry.Environment}, nil
	}
	if err != nil || env.ApprovalsNeeded() < 2 {
		return nil, err
	}
	return asked, nil
}

// addsApprover judges a person who becomes an approver or administrator, who could make one.
func (s *Session) addsApprover(tx Reader, entry *Entry) (*second, error) {
	after, is := entry.After.(Person)
	if !is {
		return nil, nil
	}
	before, _ := entry.Before.(Person)
	for _, role := range []Role{Approver, Administrator} {
		if slices.Contains(after.Roles, role) && !slices.Contains(before.Roles, role) {
			return s.ifOthers(tx, &second{
				fmt.Sprintf("%s becomes %s", after.ID, role), fmt.Sprintf("%s %s", after.ID, alternatives(after.Roles)),
			}, after.ID)
		}
	}
	return nil, nil
}
