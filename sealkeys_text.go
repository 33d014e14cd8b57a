package sealane

import (
	"errors"
	"fmt"
	"strings"

	"github.com/sealane/sealane/keyring"
)

// ErrSealKeysText means that a text is not one of [SealKeys.MarshalText].
var ErrSealKeysText = errors.New("the text does not name keys")

// noKey stands for a key that is not named.
const noKey = "-"

// MarshalText returns a text that names the keys: the fingerprints of our key pair and of the
// partner's key, with a dot between. It contains no key. [Lane.ReadKeys] is its inverse.
func (k SealKeys) MarshalText() ([]byte, error) {
	return []byte(fingerprint(k.signer) + "." + fingerprint(k.recipient)), nil
}

func fingerprint(k *keyring.Key) string {
	if k == nil {
		return noKey
	}
	return k.Info().Fingerprint()
}

// ReadKeys returns the keys that a text of [SealKeys.MarshalText] names, for a response that is
// sealed after its request was kept somewhere. It judges them as [Lane.ReplyKeys] does: the active
// key is used in place of one that the lane does not have any more, or whose certificate has ended.
// The error is [ErrSealKeysText] for any other text, or that of [Lane.MaySeal].
func (l *Lane) ReadKeys(text []byte) (SealKeys, error) {
	signer, recipient, ok := strings.Cut(string(text), ".")
	if !ok || !namesKey(signer) || !namesKey(recipient) {
		return SealKeys{}, fmt.Errorf("%w: want two fingerprints with a dot between", ErrSealKeysText)
	}
	keys, err := l.Known(SealKeys{named(l, l.signers, signer), named(l, l.recipients, recipient)})
	if err != nil {
		return SealKeys{}, err
	}
	return keys, l.MaySeal(keys)
}

// namesKey reports whether a text is a fingerprint, or stands for none.
func namesKey(text string) bool { return text == noKey || keyring.IsFingerprint(text) }

// named returns the key with a fingerprint, or nil if nothing may be sealed with it.
func named[Header any](l *Lane, keys []sealingKey[Header], text string) *keyring.Key {
	for i := range keys {
		if k := keys[i].bare; fingerprint(k) == text && !l.ended(k) {
			return k
		}
	}
	return nil
}
