package registry

import (
	"cmp"
	"errors"
	"fmt"
	"strings"

	"github.com/sealane/sealane"
)

// second says why an act needs a second person, what the approval is bound to in addition to the
// rows, and the person whom the act is about.
type second struct{ why, what, about string }

// ApprovalsNeeded returns how many people decide on acts that loosen an environment or approve a
// certificate: two in production, one elsewhere, unless the environment says otherwise.
func (e Environment) ApprovalsNeeded() int {
	switch {
	case e.Approvals != 0:
		return e.Approvals
	case Production(e.Name):
		return 2
	}
	return 1
}

// needsSecond returns why an act needs a second person, or nil. Acts that stop something never do.
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
	case ActionAPIKeyIssue, ActionAPIKeyImport:
		return s.addsCaller(tx, entry)
	case ActionKeyExport, ActionKeyImport:
		return s.movesKey(tx, entry)
	case ActionPersonAdd, ActionPersonRoles, ActionPersonToken:
		return s.changesPerson(tx, entry)
	case ActionRenewalOrder:
		return entry.asks, nil
	case ActionProfileChange:
		return s.ifOthers(tx, &second{why: "the rules of a profile change for all who use it", what: entry.Subject})
	case ActionExchangeMigrate:
		return &second{why: "certificates are approved as of another system's record", what: entry.Subject}, nil
	case ActionRowsAccept:
		return s.ifOthers(tx, &second{
			why: "rows that differ from their records are recorded as they are", what: entry.Subject,
		})
	case ActionAnchorsSet, ActionRootKeyRotate, ActionEnvironmentRemove, ActionPartnerRemove, ActionKeyUnblock:
		if entry.asks == nil {
			return nil, nil
		}
		return s.ifOthers(tx, entry.asks)
	}
	return nil, nil
}

// loosens judges a change of an environment.
func (s *Session) loosens(tx Reader, entry *Entry) (*second, error) {
	after, is := entry.After.(Environment)
	if !is {
		return nil, nil
	}
	before, changed := entry.Before.(Environment)
	if !changed {
		before = Environment{
			Partner: after.Partner, Name: after.Name, Sealing: sealane.SealingRequired, Account: after.Account,
		}
		if after.ApprovalsNeeded() < before.ApprovalsNeeded() {
			return s.ifOthers(tx, &second{why: "one person alone may decide in this environment", what: entry.Subject})
		}
	}
	if before.ApprovalsNeeded() < 2 {
		return nil, nil
	}
	var why []string
	for _, rule := range []struct {
		loosened bool
		why      string
	}{
		{after.ApprovalsNeeded() < 2, "one person alone may decide in this environment"},
		{before.Sealing != after.Sealing && after.Sealing == sealane.SealingOptional,
			"unencrypted messages are accepted"},
		{before.SenderAuth != after.SenderAuth && after.SenderAuth == sealane.SenderUnauthenticated,
			"the sender of unsigned messages is not authenticated"},
		{after.AcceptRSAOAEP != "" && before.AcceptRSAOAEP != after.AcceptRSAOAEP, "OAEP with SHA-1 is accepted"},
		{after.Expired == sealane.ExpiredWarn && before.Expired != sealane.ExpiredWarn,
			"keys are used after their certificates have ended"},
		{after.Limits.LooserThan(before.Limits),
			"more requests are allowed: " + cmp.Or(after.Limits.String(), "no limit")},
		{after.Account != "" && before.Account != after.Account, "another account is the partner's"},
	} {
		if rule.loosened {
			why = append(why, rule.why)
		}
	}
	rotation, err := s.loosensRotation(tx, before, after)
	if why = append(why, rotation...); err != nil || len(why) == 0 {
		return nil, err
	}
	return &second{why: strings.Join(why, "; "), what: entry.Subject}, nil
}

// addsCaller judges a new API key. One that is imported was known to others before.
func (s *Session) addsCaller(tx Reader, entry *Entry) (*second, error) {
	k, is := entry.After.(APIKey)
	imported := entry.Action == ActionAPIKeyImport
	if !is || k.Sealing != sealane.SealingOptional && !imported {
		return nil, nil
	}
	env, err := tx.Environment(k.Partner, k.Environment)
	if err != nil || env.ApprovalsNeeded() < 2 {
		return nil, err
	}
	asked := &second{what: string(k.Sealing)}
	var why []string
	if k.Sealing == sealane.SealingOptional {
		why = append(why, "unencrypted messages are accepted with this API key")
	}
	if imported {
		why = append(why, "an API key that others have made and may know identifies the partner")
		asked.what += fmt.Sprintf(" %x", k.HMAC)
	}
	asked.why = strings.Join(why, "; ")
	return asked, nil
}

// movesKey judges the export or import of a private key. What leaves with a lane is judged by the
// lane's environment, and as each of its key pairs would be by itself.
func (s *Session) movesKey(tx Reader, entry *Entry) (*second, error) {
	asked := &second{why: "a private key for production leaves or enters the registry", what: entry.Subject}
	if k, is := entry.After.(KeyPair); is { // an import has another identity each time
		asked.what = fmt.Sprintf("%x", k.SPKISHA256)
	}
	for _, k := range entry.leaves {
		asked.what += fmt.Sprintf(" %x", k.SPKISHA256)
	}
	for _, k := range append([]KeyPair{{Partner: entry.Partner, Environment: entry.Environment}}, entry.leaves...) {
		if needed, err := s.ofKey(tx, k, asked); needed != nil || err != nil {
			return needed, err
		}
	}
	return nil, nil
}

// ofKey returns what is asked, if a private key of this partner and environment needs a second person.
func (s *Session) ofKey(tx Reader, k KeyPair, asked *second) (*second, error) {
	if k.Partner == "" { // shared by the partners of a profile
		if !Production(k.Environment) {
			return nil, nil
		}
		return s.ifOthers(tx, asked)
	}
	env, err := tx.Environment(k.Partner, k.Environment)
	if errors.Is(err, ErrNotFound) {
		env, err = Environment{Name: k.Environment}, nil
	}
	if err != nil || env.ApprovalsNeeded() < 2 {
		return nil, err
	}
	return asked, nil
}
