package sealane

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/sealane/sealane/fault"
	"github.com/sealane/sealane/keyring"
	"github.com/sealane/sealane/profile"
)

// SealKeys names the keys that seal a message: our key pair that signs it, and the partner's key
// that it is encrypted to. The zero value stands for the active keys. A lane that does not have
// one of the keys any more uses the active one. It holds no private key, and may be kept.
type SealKeys struct{ signer, recipient *keyring.Key }

// Signer describes our key pair. It reports false if messages are not signed.
func (k SealKeys) Signer() (keyring.KeyInfo, bool) { return infoOf(k.signer) }

// Recipient describes the partner's key. It reports false for the zero value.
func (k SealKeys) Recipient() (keyring.KeyInfo, bool) { return infoOf(k.recipient) }

func infoOf(k *keyring.Key) (keyring.KeyInfo, bool) {
	if k == nil {
		return keyring.KeyInfo{}, false
	}
	return k.Info(), true
}

// SealKeys returns the keys that [Lane.Seal] uses, which are the active ones. The error is that of
// [Lane.MaySeal].
func (l *Lane) SealKeys() (SealKeys, error) {
	keys, err := l.Known(SealKeys{})
	if err != nil {
		return SealKeys{}, err
	}
	return keys, l.MaySeal(keys)
}

// Known returns the keys with which [Lane.AppendSealWith] seals: the active one in place of each
// that the lane does not have.
func (l *Lane) Known(keys SealKeys) (SealKeys, error) {
	signer, recipient, err := l.choose(keys)
	if err != nil {
		return SealKeys{}, err
	}
	known := SealKeys{nil, recipient.bare}
	if signer != nil {
		known.signer = signer.bare
	}
	return known, nil
}

// MaySeal returns [ErrUnavailable] if nothing is sealed with the keys any more, because a
// certificate has ended: see [Expired].
func (l *Lane) MaySeal(keys SealKeys) error {
	if keys.signer != nil && l.ended(keys.signer) {
		return l.failEnded("our certificate", keys.signer)
	}
	if keys.recipient != nil && l.ended(keys.recipient) {
		return l.failEnded("the partner's certificate", keys.recipient)
	}
	return nil
}

// ReplyKeys returns the keys that [Lane.SealReply] uses for the response to a request: the key
// pair that opened it, and the key that verified it. The partner has just used both. If the key
// pair is for encryption only, the one in the same state signs. If such a key cannot be used or its
// certificate has ended, or the request was not signed or is nil, the active one is used. The error
// is that of [Lane.MaySeal].
//
// Call it when the request is opened: a request that cannot be answered must not be processed.
func (l *Lane) ReplyKeys(request Message) (SealKeys, error) {
	if request == nil {
		return l.SealKeys()
	}
	by := request.openedBy()
	keys := SealKeys{&by, request.signedBy()}
	if find(l.signers, &by) == nil && by.Use == keyring.UseEnc {
		keys.signer = l.signerInState(by.State)
	}
	if keys.signer != nil && l.ended(keys.signer) {
		keys.signer = nil
	}
	if keys.recipient != nil && l.ended(keys.recipient) {
		keys.recipient = nil
	}
	keys, err := l.Known(keys)
	if err != nil {
		return SealKeys{}, err
	}
	return keys, l.MaySeal(keys)
}

// signerInState returns the key pair in a state that signs and does not decrypt, or nil: the keys
// of one renewal are in the same state.
func (l *Lane) signerInState(s keyring.State) *keyring.Key {
	i := slices.IndexFunc(l.signers, func(k signingKey) bool { return k.Use == keyring.UseSig && k.State == s })
	if i < 0 {
		return nil
	}
	return l.signers[i].bare
}

// OtherKeys returns the keys with which to seal a message again that the partner has refused.
// After [ErrDecryption] it is encrypted to another key of the partner: the active one, else one that
// the partner may still use, else one that it may use already. After [ErrSignature] it is signed by
// another key pair of ours: the active one, which the partner has had, else one that it may have
// already, else one that it may still have. It reports false after any other refusal, and if there is no
// other key. The keys may be those of an earlier lane with the same partner.
func (l *Lane) OtherKeys(keys SealKeys, refused profile.Outcome) (SealKeys, bool) {
	other, err := l.Known(keys)
	if err != nil {
		return SealKeys{}, false
	}
	switch {
	case refused == ErrDecryption:
		other.recipient = otherKey(l, l.recipients, cmp.Or(keys.recipient, other.recipient),
			keyring.Active, keyring.Retiring, keyring.Staged)
		return other, other.recipient != nil
	case refused == ErrSignature && other.signer != nil:
		other.signer = otherKey(l, l.signers, cmp.Or(keys.signer, other.signer),
			keyring.Active, keyring.Staged, keyring.Retiring)
		return other, other.signer != nil
	}
	return SealKeys{}, false
}

// otherKey returns the key to try after the used one, in the order of their states, or nil. Of several
// in one state it is the newest.
func otherKey[Header any](
	l *Lane, keys []sealingKey[Header], used *keyring.Key, order ...keyring.State,
) *keyring.Key {
	for _, s := range order {
		var last *keyring.Key
		for i := range keys {
			k := keys[i].bare
			if k.State == s && !k.Public.Equal(used.Public) && !l.ended(k) &&
				(last == nil || newer(k, last)) {
				last = k
			}
		}
		if last != nil {
			return last
		}
	}
	return nil
}

// newer reports whether a key's certificate began after another's, or ends after it where both began together.
func newer(k, than *keyring.Key) bool {
	return cmp.Or(k.NotBefore.Compare(than.NotBefore), k.NotAfter.Compare(than.NotAfter)) > 0
}

// choose returns the keys with their headers. The signer is nil if messages are not signed.
func (l *Lane) choose(keys SealKeys) (signer *signingKey, recipient *recipientKey, err error) {
	s, r := find(l.signers, keys.signer), find(l.recipients, keys.recipient)
	if l.out.Sealed() && r != nil && (s != nil || l.out.Sign == nil) {
		if l.out.Sign == nil {
			s = nil
		}
		return s, r, nil // also where none is active, such as after a revocation
	}
	signer, recipient, err = l.sealingKeys()
	if err != nil {
		return nil, nil, err
	}
	if s != nil && signer != nil {
		signer = s
	}
	if r != nil {
		recipient = r
	}
	return signer, recipient, nil
}

// expiredGrace is for how long [ExpiredGrace] goes on.
const expiredGrace = 336 * time.Hour // 14 days

// ended reports whether nothing may be sealed with a key any more.
func (l *Lane) ended(k *keyring.Key) bool {
	if k.NotAfter.IsZero() || l.c.Expired == ExpiredWarn {
		return false
	}
	end := k.NotAfter
	if l.c.Expired == ExpiredGrace {
		end = end.Add(expiredGrace)
	}
	return l.c.Now().After(end)
}

func (l *Lane) failEnded(whose string, k *keyring.Key) error {
	return l.fail(OpSeal, ErrUnavailable, fault.CertificateEnded,
		fmt.Sprintf("%s (key ID %q) has ended on %s", whose, k.ID, k.NotAfter.UTC().Format(time.RFC3339)), nil)
}
