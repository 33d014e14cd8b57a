package registry

import (
	"context"
	"fmt"
	"time"

	"github.com/sealane/sealane/cert"
	"github.com/sealane/sealane/keyfile"
)

// Alarm is a doubt about a key in use that came with a file from outside, such as its private
// key. Anyone can send a file, so an alarm ends nothing. It is open until a person revokes the
// key, or dismisses the alarm.
type Alarm struct {
	At   time.Time `json:"at"`
	From string    `json:"from"` // the partner whose file it was
	By   string    `json:"by"`   // who received the file
	What string    `json:"what"` // what was found
	// Certain means that the key itself is known to be unsafe, and is blocked for what comes in.
	// Otherwise it is only one of those that may be.
	Certain bool `json:"certain,omitempty"`
}

// InUse is a certificate or key pair that an alarm is about.
type InUse struct {
	ID          string `json:"id"`
	Partner     string `json:"partner,omitempty"` // empty: a pair of ours that partners share
	Environment string `json:"environment"`
}

// KeptOut says what happened to keys that must not come in.
type KeptOut struct {
	Blocked []Blocked `json:"blocked,omitempty"`
	// InUse is what has one of the keys and is still in use. Each has an open alarm.
	InUse []InUse `json:"in_use,omitempty"`
}

// Ended returns the identities of what was on its way in.
func (k KeptOut) Ended() (ended []string) {
	for _, b := range k.Blocked {
		ended = append(ended, b.Ended...)
	}
	return ended
}

// raise records the alarm for everything in use that has a public key, as part of a change. An alarm
// that is open already stays, unless the new one is certain and it is not.
func raise(tx Tx, spkiSHA256 []byte, a Alarm) (used []InUse, err error) {
	certificates, pairs, _, err := usedAs(tx, spkiSHA256)
	if err != nil {
		return nil, err
	}
	weaker := func(open *Alarm) bool { return open == nil || a.Certain && !open.Certain }
	for _, c := range certificates {
		used = append(used, InUse{c.ID, c.Partner, c.Environment})
		if !weaker(c.Alarm) {
			continue
		}
		c.Alarm = &a
		if err := tx.PutCertificate(&c); err != nil {
			return nil, err
		}
	}
	for _, k := range pairs {
		used = append(used, InUse{k.ID, k.Partner, k.Environment})
		if !weaker(k.Alarm) {
			continue
		}
		k.Alarm = &a
		if err := tx.PutKeyPair(&k); err != nil {
			return nil, err
		}
	}
	return used, nil
}

// WeakKey is a public key of a partner's that can't be secret.
type WeakKey struct {
	Partner, Environment string // from whom it came

	SPKISHA256 []byte
	Found      cert.Finding // why it is weak
}

// RecordWeakKey records that a key came in that can't be secret, and blocks it for what comes in.
func (s *Session) RecordWeakKey(ctx context.Context, k WeakKey) (kept KeptOut, err error) {
	entry := Entry{
		Action: ActionExchangeAlarm, Subject: "partner/" + k.Partner, Partner: k.Partner, Environment: k.Environment,
		Reason: k.Found.Found,
	}
	err = s.Change(ctx, entry, func(tx Tx, entry *Entry) error {
		kept = KeptOut{}
		alarm := s.alarm(k.Partner, k.Found.Found, true)
		if err := s.alarmAbout(tx, &kept, k.SPKISHA256, k.Found.Found, alarm); err != nil {
			return err
		}
		entry.After = kept
		return nil
	})
	return kept, err
}

// LeakedKey is a private key that a partner sent.
type LeakedKey struct {
	Partner, Environment string // from whom it came

	Leak keyfile.Leak
	// SPKISHA256 are the checksums of its public key; where the leak does not name it, of all
	// the public keys that it may be.
	SPKISHA256 [][]byte
}

// RecordLeak records that somebody sent a private key, and blocks its public key for what comes
// in. What is in use gets an alarm, and stays in use.
//
// Where the leak names no public key, all that it may be are blocked, but not those that are in
// use, or that somebody else has: anyone could have them blocked by sending them along.
func (s *Session) RecordLeak(ctx context.Context, k LeakedKey) (kept KeptOut, err error) {
	hidden := k.Leak.PublicKey.IsZero()
	said, why := (&keyfile.PrivateKeyError{Leak: k.Leak}).Error(), "its private key came in a file from %s on %s"
	if hidden && len(k.SPKISHA256) > 0 {
		why = "it came with a private key of which nobody can see whose it is, from %s on %s"
		said += "; blocked are those public keys that came with it which are not in use and which nobody else has, " +
			"by SHA-256:"
		for _, sum := range k.SPKISHA256 {
			said += fmt.Sprintf(" %x", sum)
		}
	}
	why = fmt.Sprintf(why, k.Partner, s.registry.now().Format(time.DateOnly))
	entry := Entry{
		Action: ActionExchangeAlarm, Subject: "partner/" + k.Partner, Partner: k.Partner, Environment: k.Environment,
		Reason: said,
	}
	err = s.Change(ctx, entry, func(tx Tx, entry *Entry) error {
		kept = KeptOut{}
		alarm := s.alarm(k.Partner, why, !hidden)
		for _, sum := range k.SPKISHA256 {
			if foreign, err := ofOthers(tx, sum, k.Partner); err != nil {
				return err
			} else if foreign && hidden {
				continue
			}
			if err := s.alarmAbout(tx, &kept, sum, why, alarm); err != nil {
				return err
			}
		}
		if kept.Blocked != nil || kept.InUse != nil {
			entry.After = kept
		}
		return nil
	})
	return kept, err
}

func (s *Session) alarm(from, what string, certain bool) Alarm {
	return Alarm{At: s.registry.now(), From: from, By: s.person.ID, What: what, Certain: certain}
}

// alarmAbout raises an alarm about a public key. It blocks the key for what comes in, unless the
// alarm is not certain and the key is in use.
func (s *Session) alarmAbout(tx Tx, kept *KeptOut, spkiSHA256 []byte, reason string, a Alarm) error {
	used, err := raise(tx, spkiSHA256, a)
	if err != nil {
		return err
	}
	kept.InUse = append(kept.InUse, used...)
	if len(used) > 0 && !a.Certain {
		return nil
	}
	b, err := s.keepOut(tx, spkiSHA256, reason)
	kept.Blocked = append(kept.Blocked, b)
	return err
}
