package lanes

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/fault"
	"github.com/sealane/sealane/keyring"
	"github.com/sealane/sealane/profile"
)

// MostOutside is how many keys of each kind [Store].Outside returns at most, and those are the newest: the partner's
// own pairs, pairs that partners share, and certificates.
const MostOutside = 8

// Outside are keys that belong to a lane and do not count in it. Nothing is opened or verified with them: they tell
// only why a message was refused.
type Outside struct {
	// Pairs are key pairs of ours that are retired, and whose private keys are still there. None of them is blocked.
	Pairs []RetiredPair
	// Certificates are the partner's that are on their way in: nobody has put them to use yet.
	Certificates []IncomingCertificate
}

// RetiredPair is a key pair of ours that opens no messages any more. It has no state of a lane.
type RetiredPair struct {
	KeyPair
	Retired time.Time
}

// IncomingCertificate is a partner's certificate that verifies no messages yet.
type IncomingCertificate struct {
	ID, KeyID string
	State     string // such as "received"
	Since     time.Time
	SPKI      []byte // SubjectPublicKeyInfo, DER
}

// OutsideKey is a key that does not count, and for which a refused message was made.
type OutsideKey struct {
	ID     string // the identity of the key pair or certificate
	KeyID  string
	State  string
	Since  time.Time // when it got that state
	Shared bool      // it is a pair that partners share
	// Named means that the message has the key ID of the pair, and that the pair does not decrypt it.
	Named bool
}

// Explainable reports whether [Reader.Explain] can find a reason for an error with which a lane has refused a
// message: it could not be decrypted, or else its signature was wrong.
func Explainable(refused error) (pairs, certificates bool) {
	on := sealane.OutcomeOf(refused)
	return on == sealane.ErrDecryption, on == sealane.ErrSignature
}

// Explain looks for the key for which a message was made that a lane has refused: after [sealane.ErrDecryption]
// among our retired key pairs, and after [sealane.ErrSignature] among the certificates of the partner that are on
// their way in. It returns nil if there is none. It calls enter before each key that it tries, and leave after it.
// The message stays refused.
func (r *Reader) Explain(
	ctx context.Context, s *Snapshot, name Name, token []byte, refused error,
	enter func(context.Context) (leave func(), err error),
) (*OutsideKey, error) {
	pairs, certificates := Explainable(refused)
	p, entry := s.find(name)
	if !pairs && !certificates || entry == nil {
		return nil, nil
	}
	outside, err := r.Store.Outside(ctx, name)
	if err != nil {
		return nil, fmt.Errorf("read the keys of %s that do not count: %w", name, err)
	}
	t := trial{ctx, token, enter, r}
	if certificates {
		return t.certificates(s, p, entry, outside.Certificates)
	}
	return t.pairs(s, p, entry, outside.Pairs, sealane.FaultOf(refused) == fault.KidUnknown.In(fault.JWE))
}

// trial opens a message with other keys.
type trial struct {
	ctx    context.Context
	token  []byte
	enter  func(context.Context) (func(), error)
	reader *Reader
}

// pairs returns the pair that decrypts the message, else one that the message names, where the lane does not know
// the key ID.
func (t trial) pairs(
	s *Snapshot, p *partnerEntry, entry *laneEntry, pairs []RetiredPair, byName bool,
) (named *OutsideKey, err error) {
	var failed []error
	for _, pair := range pairs {
		found := &OutsideKey{pair.ID, pair.KeyID, "retired", pair.Retired, pair.Partner == "", false}
		private, err := t.reader.Open(pair.KeyPair)
		if err != nil {
			failed = append(failed, err)
			continue
		}
		refused, err := t.open(s, p, entry, func(c *sealane.Config) (err error) {
			c.Ours, err = keyring.New(keyring.Key{ID: pair.KeyID, State: keyring.Retiring, Private: private})
			return err
		})
		if err != nil {
			failed = append(failed, err)
			continue
		}
		reason, _ := errors.AsType[*sealane.Error](refused)
		if refused == nil || reason != nil && reason.OpenedBy != nil {
			return found, nil
		}
		if byName && named == nil && sealane.FaultOf(refused) != fault.KidUnknown.In(fault.JWE) {
			found.Named = true
			named = found
		}
	}
	if named != nil {
		return named, nil
	}
	return nil, errors.Join(failed...)
}

// certificates returns the certificate that verifies the message.
func (t trial) certificates(
	s *Snapshot, p *partnerEntry, entry *laneEntry, certificates []IncomingCertificate,
) (*OutsideKey, error) {
	var failed []error
	for _, c := range certificates {
		refused, err := t.open(s, p, entry, func(to *sealane.Config) error {
			public, err := ParsePublicKey(c.SPKI)
			if err != nil {
				return err
			}
			to.Theirs, err = keyring.New(keyring.Key{ID: c.KeyID, State: keyring.Staged, Public: public})
			return err
		})
		if err != nil {
			failed = append(failed, err)
		} else if refused == nil {
			return &OutsideKey{ID: c.ID, KeyID: c.KeyID, State: c.State, Since: c.Since}, nil
		}
	}
	return nil, errors.Join(failed...)
}

// open opens the message on the lane with other keys, and returns why it was refused. Any other error is one of the
// keys, or of the lane.
func (t trial) open(
	s *Snapshot, p *partnerEntry, entry *laneEntry, change func(*sealane.Config) error,
) (refused, err error) {
	loaded := s.profiles[p.Profile]
	if loaded == nil || loaded.err != nil {
		return nil, fmt.Errorf("profile %q can't be used", p.Profile)
	}
	config, err := s.config(p, entry, loaded.compiled)
	if err == nil {
		err = change(&config)
	}
	if err != nil {
		return nil, err
	}
	lane, err := sealane.New(config)
	if err != nil {
		return nil, err
	}
	leave, err := t.enter(t.ctx)
	if err != nil {
		return nil, err
	}
	defer leave()
	m, refused := lane.OpenMessage(t.ctx, t.token)
	if refused == nil {
		clear(m.Payload()) // nobody may read it
	}
	return refused, nil
}

// config returns the agreement for a lane, with the keys that count.
func (s *Snapshot) config(p *partnerEntry, entry *laneEntry, agreed *profile.Compiled) (c sealane.Config, err error) {
	c = Config(p.Partner, entry.environment, agreed)
	c.Now = s.now
	if c.Ours, err = s.ring(s.ourKeys(p, entry)); err != nil {
		return c, err
	}
	c.Theirs, err = s.ring(entry.theirKeys())
	return c, err
}
