package exchange

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/sealane/sealane/keyfile"
)

// leaks are the private keys that came in a file or mail.
type leaks struct {
	keys []keyfile.Leak
	// beside are the public keys that came along, each of which may be that of a
	// private key whose public part can't be seen; empty where all can.
	siblings []keyfile.SPKIHash
}

func (l *leaks) Error() string {
	texts := make([]string, len(l.keys))
	for i, one := range l.keys {
		texts[i] = (&keyfile.PrivateKeyError{Leak: one}).Error()
	}
	return strings.Join(texts, "\n")
}

// add takes keys that are not there yet. Hidden ones can't be told from each other.
func (l *leaks) add(keys []keyfile.Leak) {
	for _, k := range keys {
		same := func(other keyfile.Leak) bool { return other.PublicKey == k.PublicKey }
		if k.PublicKey.IsZero() || !slices.ContainsFunc(l.keys, same) {
			l.keys = append(l.keys, k)
		}
	}
}

// among gives nil where no private key was found, and else finds what is beside them
// in all that came.
func (l *leaks) among(came ...[]byte) error {
	if len(l.keys) == 0 {
		return nil
	}
	if !slices.ContainsFunc(l.keys, func(k keyfile.Leak) bool { return k.PublicKey.IsZero() }) {
		return l
	}
	for _, data := range came {
		for _, sum := range keyfile.FindPublicKeys(data) {
			if len(l.siblings) < maxSiblings && !slices.Contains(l.siblings, sum) {
				l.siblings = append(l.siblings, sum)
			}
		}
	}
	return l
}

// leaked raises the alarm for one private key. Where nobody can see which it is,
// every key that came beside it counts as leaked.
func (e Exchange) leaked(ctx context.Context, in Incoming, leak keyfile.Leak, beside []keyfile.SPKIHash) error {
	known := !leak.PublicKey.IsZero()
	if known {
		beside = []keyfile.SPKIHash{leak.PublicKey}
	}
	var sums [][]byte
	var names []string
	for _, hash := range beside {
		sums, names = append(sums, hash[:]), append(names, hash.String())
	}
	ended, err := e.session.RecordLeak(ctx, in.Partner, in.Environment, leak, sums)
	if err != nil {
		return fmt.Errorf("the alarm could not be recorded: %w", err)
	}
	used := ""
	if len(ended) > 0 {
		used = fmt.Sprintf(". It was known here: %s is out of use now", strings.Join(ended, ", "))
	}
	switch {
	case known:
		return errors.New("the alarm is recorded, and this key can't come in any more" + used)
	case len(sums) == 0:
		return errors.New("the alarm is recorded. Which key it is can't be seen: ask the partner, and block it (sealane key block)")
	}
	if len(sums) == maxSiblings {
		used += fmt.Sprintf(". Of the keys that came with it only %d are blocked; block the others (sealane key block)", maxSiblings)
	}
	return fmt.Errorf("the alarm is recorded. Which key it is can't be seen, so no certificate that came with it can come in any more, but one that another partner or we have already (SHA-256 of their public keys: %s)%s. If it is the key of another, ask the partner which, and block that too (sealane key block)", strings.Join(names, ", "), used)
}
