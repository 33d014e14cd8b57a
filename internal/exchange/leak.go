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
	ended, err := e.session.RecordLeak(ctx, leaked)
	if err != nil {
		return fmt.Errorf("the alarm could not be recorded: %w", err)
	}
	used := ""
	if len(ended) > 0 {
		used = fmt.Sprintf(". It was known here: %s is out of use now", strings.Join(ended, ", "))
	}
	block := registry.Advice{Action: registry.ActionKeyBlock}
	switch {
	case known:
		return registry.Refuse("the alarm is recorded, and this key can't come in any more%s", used)
	case len(names) == 0:
		return registry.Refuse("the alarm is recorded. The key's owner is unknown: ask the partner which key it is, " +
			"and block it").Then(block)
	}
	if len(names) == maxSiblings {
		used += fmt.Sprintf(". Of the keys that came with it only %d are blocked; block the others", maxSiblings)
	}
	return registry.Refuse("the alarm is recorded. The key's owner is unknown, so every public key in this message is "+
		"now blocked, except keys that are registered for another partner or for us (SHA-256 of the public keys: "+
		"%s)%s. If it is another key, ask the partner which, and block that too",
		strings.Join(names, ", "), used).Then(block)
}
