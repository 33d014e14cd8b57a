package exchange

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/sealane/sealane/internal/registry"
	"github.com/sealane/sealane/keyfile"
)

// leaks are the private keys that came in a file or mail.
type leaks struct {
	keys []keyfile.Leak
	// siblings are the public keys that came with a private key that does not show its public
	// key: each of them may be that. It is empty where all private keys show theirs.
	siblings []keyfile.SPKIHash
}

func (l *leaks) Error() string {
	texts := make([]string, len(l.keys))
	for i, one := range l.keys {
		texts[i] = (&keyfile.PrivateKeyError{Leak: one}).Error()
	}
	return strings.Join(texts, "\n")
}

// add adds keys that are not there yet. Those that don't show their public key can't be told
// from each other.
func (l *leaks) add(keys []keyfile.Leak) {
	for _, k := range keys {
		same := func(other keyfile.Leak) bool { return other.PublicKey == k.PublicKey }
		if k.PublicKey.IsZero() || !slices.ContainsFunc(l.keys, same) {
			l.keys = append(l.keys, k)
		}
	}
}

// among returns nil where no private key was found, or else the leaks, with the siblings that
// it finds in all parts of the message.
func (l *leaks) among(parts ...[]byte) error {
	if len(l.keys) == 0 {
		return nil
	}
	if !slices.ContainsFunc(l.keys, func(k keyfile.Leak) bool { return k.PublicKey.IsZero() }) {
		return l
	}
	for _, data := range parts {
		for _, sum := range keyfile.FindPublicKeys(data) {
			if len(l.siblings) < maxSiblings && !slices.Contains(l.siblings, sum) {
				l.siblings = append(l.siblings, sum)
			}
		}
	}
	return l
}

// recordLeak records one private key, and returns what the sender is told. Where the key does
// not show whose it is, every public key that came with it counts as leaked.
func (e Exchange) recordLeak(ctx context.Context, in Incoming, leak keyfile.Leak, siblings []keyfile.SPKIHash) error {
	known := !leak.PublicKey.IsZero()
	if known {
		siblings = []keyfile.SPKIHash{leak.PublicKey}
	}
	leaked := registry.LeakedKey{Partner: in.Partner, Environment: in.Environment, Leak: leak}
	var names []string
	for _, hash := range siblings {
		leaked.SPKISHA256, names = append(leaked.SPKISHA256, hash[:]), append(names, hash.String())
	}
	kept, err := e.session.RecordLeak(ctx, leaked)
	if err != nil {
		return fmt.Errorf("the alarm could not be recorded: %w", err)
	}
	if len(kept.InUse) > 0 {
		return inUseStill(kept, known)
	}
	ended := ""
	if out := kept.Ended(); len(out) > 0 {
		ended = fmt.Sprintf(". It was on its way in: %s can't be used any more", strings.Join(out, ", "))
	}
	block := registry.Advice{Action: registry.ActionKeyBlock}
	switch {
	case known:
		return registry.Refuse("the alarm is recorded, and this key can't come in any more%s", ended)
	case len(names) == 0:
		return registry.Refuse("the alarm is recorded. The key's owner is unknown: ask the partner which key it is, " +
			"and block it").Then(block)
	}
	if len(names) == maxSiblings {
		ended += fmt.Sprintf(". Of the keys that came with it only %d are blocked; block the others", maxSiblings)
	}
	return registry.Refuse("the alarm is recorded. The key's owner is unknown, so every public key in this message "+
		"is now blocked, except keys that are registered for another partner or for us (SHA-256 of the public keys: "+
		"%s)%s. If it is another key, ask the partner which, and block that too",
		strings.Join(names, ", "), ended).Then(block)
}

// inUseStill tells that a file accuses what is in use, which only a person can end.
func inUseStill(kept registry.KeptOut, certain bool) error {
	var names []string
	for _, one := range kept.InUse {
		names = append(names, describeUse(one))
	}
	first := kept.InUse[0]
	revoke := registry.Advice{
		Action: registry.ActionExchangeRevoke, ID: first.ID, Partner: first.Partner, Environment: first.Environment,
		Needs: []registry.Need{registry.Reason},
	}
	used := strings.Join(names, " and ")
	if certain {
		return registry.Refuse("the alarm is recorded, and this key can't come in any more. It is the key of %s, "+
			"which is still in use: call the owner, and revoke it", used).Then(revoke)
	}
	return registry.Refuse("the alarm is recorded. Nobody can see whose private key it is. It may be that of %s, "+
		"which is still in use: call the owner at a number that you knew before; if it is theirs, revoke it; if not, "+
		"dismiss the alarm", used).Then(revoke)
}

// describeUse names what an alarm is about, and for whom it is in use.
func describeUse(u registry.InUse) string {
	what, whom := "certificate ", u.Partner
	if IsKeyPair(u.ID) {
		what = "key pair "
		if whom == "" {
			whom = "all partners"
		}
	}
	return fmt.Sprintf("%s%s (%s in %s)", what, u.ID, whom, u.Environment)
}
