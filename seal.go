package sealane

import (
	"context"
	"fmt"
	"reflect"
	"slices"

	"github.com/sealane/sealane/fault"
	"github.com/sealane/sealane/internal/jose"
	"github.com/sealane/sealane/keyring"
	"github.com/sealane/sealane/profile"
)

// Seal signs the payload if the profile says so, encrypts it to the partner, and returns
// the compact serialization. The payload is sealed byte for byte.
func (l *Lane) Seal(ctx context.Context, payload []byte) ([]byte, error) {
	return l.AppendSeal(ctx, nil, payload)
}

// AppendSeal appends the compact serialization to dst. It uses dst's buffer, and allocates
// a new one if the capacity is below [Lane.SealedLen] or the payload is in the buffer.
func (l *Lane) AppendSeal(ctx context.Context, dst, payload []byte) ([]byte, error) {
	keys, err := l.SealKeys()
	if err != nil {
		return nil, err
	}
	return l.AppendSealWith(ctx, dst, payload, keys)
}

// SealReply seals a response to a request with the keys of [Lane.ReplyKeys]: those that the
// request used. The lane must be the one that opened the request, or a later one.
func (l *Lane) SealReply(ctx context.Context, request Message, payload []byte) ([]byte, error) {
	keys, err := l.ReplyKeys(request)
	if err != nil {
		return nil, err
	}
	return l.AppendSealWith(ctx, nil, payload, keys)
}

// AppendSealWith is [Lane.AppendSeal] with keys of [Lane.SealKeys], [Lane.ReplyKeys] or
// [Lane.OtherKeys], of this lane or an earlier one. It does not judge again whether their
// certificates have ended.
func (l *Lane) AppendSealWith(ctx context.Context, dst, payload []byte, keys SealKeys) ([]byte, error) {
	signer, recipient, err := l.choose(keys)
	if err != nil {
		return nil, err
	}
	return l.appendSeal(ctx, dst, payload, signer, recipient)
}

func (l *Lane) appendSeal(
	ctx context.Context,
	dst, payload []byte,
	signer *signingKey,
	recipient *recipientKey,
) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("seal %s: %w", l.Name(), err)
	}
	if len(payload) > l.c.MaxPayload {
		return nil, l.fail(OpSeal, ErrTooLarge, fault.PayloadLarge,
			fmt.Sprintf("payload has %d bytes, more than %d", len(payload), l.c.MaxPayload), nil)
	}
	if overlap(dst, payload) {
		dst = slices.Clip(slices.Clone(dst))
	}
	buffer, place := jose.Reserve(dst, contentLen(len(payload), signer), recipient.head, public(recipient.Key))
	var content []byte
	var err error
	if signer == nil {
		content = append(place, payload...)
	} else if content, err = jose.Sign(place, payload, signer.head, withContext(ctx, signer.Private)); err != nil {
		clear(place[:cap(place)])
		return nil, l.fromCodec(OpSeal, err)
	}
	if err := ctx.Err(); err != nil {
		clear(content)
		return nil, fmt.Errorf("seal %s: %w", l.Name(), err)
	}
	token, err := jose.Encrypt(buffer, content, recipient.head, public(recipient.Key))
	if err != nil {
		clear(content)
		return nil, l.fromCodec(OpSeal, err)
	}
	return token, nil
}

// overlap reports whether the buffer of a, up to its capacity, and b share memory.
func overlap(a, b []byte) bool {
	if cap(a) == 0 || len(b) == 0 {
		return false
	}
	startA, startB := reflect.ValueOf(a).Pointer(), reflect.ValueOf(b).Pointer()
	return startA < startB+uintptr(len(b)) && startB < startA+uintptr(cap(a))
}

// SealedLen returns the capacity that AppendSeal needs after dst for a payload of n bytes,
// whichever keys of the lane seal it, or 0 if a key is missing. The token is a little shorter.
func (l *Lane) SealedLen(n int) int {
	signer, _, err := l.sealingKeys()
	if err != nil {
		return 0
	}
	content, most := n, 0
	if signer != nil {
		for i := range l.signers {
			content = max(content, contentLen(n, &l.signers[i]))
		}
	}
	for i := range l.recipients {
		k := &l.recipients[i]
		most = max(most, jose.ReservedLen(content, k.head, public(k.Key)))
	}
	return most
}

// contentLen returns the length of the content that is encrypted for a payload of n bytes.
func contentLen(n int, signer *signingKey) int {
	if signer == nil {
		return n
	}
	return jose.SignedLen(n, signer.head, signer.Public)
}

// sealingKey is a key with the protected header of tokens that it signs, or that are
// encrypted to it.
type sealingKey[Header any] struct {
	keyring.Key
	head Header
	bare *keyring.Key // without what can be done with the key, for SealKeys
}

type (
	signingKey   = sealingKey[jose.SignedHeader]
	recipientKey = sealingKey[jose.EncryptedHeader]
)

// find returns the key with the same public key as k, or nil.
func find[Header any](keys []sealingKey[Header], k *keyring.Key) *sealingKey[Header] {
	if k == nil || k.Public == nil {
		return nil
	}
	i := slices.IndexFunc(keys, func(s sealingKey[Header]) bool { return s.Public.Equal(k.Public) })
	if i < 0 {
		return nil
	}
	return &keys[i]
}

// protect makes the protected headers of all keys that can seal.
func (l *Lane) protect() error {
	if !l.out.Sealed() {
		return nil
	}
	if l.out.Sign != nil {
		for _, k := range l.c.Ours.Keys() {
			if k.Private == nil || k.Use == keyring.UseEnc {
				continue
			}
			head, err := jose.ProtectSigned(sealHeader(l.out.Sign, k.ID))
			if err != nil {
				return fmt.Errorf("key %q: %w", k.ID, err)
			}
			l.signers = append(l.signers, signingKey{k, head, bare(k)})
		}
	}
	kid := l.out.Encrypt.Kid
	for _, k := range l.c.Theirs.Keys() {
		if k.Use == keyring.UseSig || k.ID == "" && kid.Seal == profile.KeyID && !kid.Accepts(nil) {
			continue // such a message would be refused: sealingKeys reports it
		}
		head, err := jose.ProtectEncrypted(sealHeader(l.out.Encrypt, k.ID))
		if err != nil {
			return fmt.Errorf("key %q: %w", k.ID, err)
		}
		l.recipients = append(l.recipients, recipientKey{k, head, bare(k)})
	}
	return nil
}

func bare(k keyring.Key) *keyring.Key {
	k.Private, k.PublicOps = nil, nil
	return &k
}

// sealingKeys returns the active keys: the one that signs, or nil if messages are not
// signed, and the one to encrypt to.
func (l *Lane) sealingKeys() (signer *signingKey, recipient *recipientKey, err error) {
	if !l.out.Sealed() {
		return nil, nil, l.fail(OpSeal, ErrUnavailable, fault.NotSealing, "", nil)
	}
	i := slices.IndexFunc(l.recipients, func(k recipientKey) bool { return k.State == keyring.Active })
	if _, exchanged := l.c.Theirs.Recipient(); !exchanged {
		return nil, nil, l.fail(OpSeal, ErrNotSupported, fault.NoKeyTheirs, "", nil)
	}
	if i < 0 {
		return nil, nil, l.fail(OpSeal, ErrNotSupported, fault.NoKeyID,
			"the profile puts the partner's key ID (alias) into every message, and the partner's key has none", nil)
	}
	if l.out.Sign == nil {
		return nil, &l.recipients[i], nil
	}
	j := slices.IndexFunc(l.signers, func(k signingKey) bool { return k.State == keyring.Active })
	if j < 0 {
		return nil, nil, l.fail(OpSeal, ErrNotSupported, fault.NoKeyOurs, "", nil)
	}
	return &l.signers[j], &l.recipients[i], nil
}

// sealHeader returns the header that the profile requires.
func sealHeader(layer *profile.Protection, keyID string) jose.Header {
	return jose.Header{
		Alg: layer.Alg.Seal,
		Enc: layer.Enc.Seal,
		Kid: layer.Kid.SealValue(keyID),
		Typ: layer.Typ.SealValue(keyID),
		Cty: layer.Cty.SealValue(keyID),
	}
}
