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

// Seal signs the payload where the leg is signed, then encrypts it to the
// partner, and gives the compact serialization. The payload is sealed byte for
// byte as it is.
func (l *Lane) Seal(ctx context.Context, payload []byte) ([]byte, error) {
	return l.AppendSeal(ctx, nil, payload)
}

// AppendSeal appends the compact serialization to dst. All work is done in
// dst's buffer; a new one is taken where SealedLen does not fit, or where the
// payload stands in it.
func (l *Lane) AppendSeal(ctx context.Context, dst, payload []byte) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("seal %s: %w", l.Name(), err)
	}
	if !l.out.Sealed() {
		return nil, l.fail("seal", ErrFormat, fault.NotSealing, "the profile sends this leg in clear", nil)
	}
	if len(payload) > l.c.MaxPayload {
		return nil, l.fail("seal", ErrTooLarge, fault.PayloadLarge, fmt.Sprintf("payload has %d bytes, more than %d", len(payload), l.c.MaxPayload), nil)
	}
	signer, recipient, err := l.sealingKeys()
	if err != nil {
		return nil, err
	}
	if overlap(dst, payload) {
		dst = slices.Clip(slices.Clone(dst))
	}
	room, place := jose.Reserve(dst, l.contentLen(len(payload), signer), l.encryptHead, public(recipient))
	var content []byte
	if l.out.Sign == nil {
		content = append(place, payload...)
	} else if content, err = jose.Sign(place, payload, l.signHead, withContext(ctx, signer.Private)); err != nil {
		clear(place[:cap(place)])
		return nil, l.fromCodec("seal", err)
	}
	if err := ctx.Err(); err != nil {
		clear(content)
		return nil, fmt.Errorf("seal %s: %w", l.Name(), err)
	}
	token, err := jose.Encrypt(room, content, l.encryptHead, public(recipient))
	if err != nil {
		clear(content)
		return nil, l.fromCodec("seal", err)
	}
	return token, nil
}

// overlap reports whether a's buffer, to its capacity, and b share memory.
func overlap(a, b []byte) bool {
	if cap(a) == 0 || len(b) == 0 {
		return false
	}
	startA, startB := reflect.ValueOf(a).Pointer(), reflect.ValueOf(b).Pointer()
	return startA < startB+uintptr(len(b)) && startB < startA+uintptr(cap(a))
}

// SealedLen is the capacity that AppendSeal needs behind dst for a payload of n
// bytes; the token itself is a little shorter.
func (l *Lane) SealedLen(n int) int {
	signer, recipient, err := l.sealingKeys()
	if err != nil {
		return 0
	}
	return jose.ReservedLen(l.contentLen(n, signer), l.encryptHead, public(recipient))
}

// contentLen is the length of what is encrypted for a payload of n bytes.
func (l *Lane) contentLen(n int, signer keyring.Key) int {
	if l.out.Sign == nil {
		return n
	}
	return jose.SignedLen(n, l.signHead, signer.Public)
}

// protect makes the headers that every message of the lane carries.
func (l *Lane) protect() error {
	if !l.out.Sealed() {
		return nil
	}
	signer, recipient, err := l.sealingKeys()
	if err != nil {
		return nil // Seal says so
	}
	if l.out.Sign != nil {
		if l.signHead, err = jose.ProtectSigned(sealHeader(l.out.Sign, signer.ID)); err != nil {
			return fmt.Errorf("key %q: %w", signer.ID, err)
		}
	}
	if l.encryptHead, err = jose.ProtectEncrypted(sealHeader(l.out.Encrypt, recipient.ID)); err != nil {
		return fmt.Errorf("key %q: %w", recipient.ID, err)
	}
	return nil
}

// sealingKeys gives the key that signs (where the leg is signed) and the one to encrypt to.
func (l *Lane) sealingKeys() (signer, recipient keyring.Key, err error) {
	var ok bool
	if recipient, ok = l.c.Theirs.Recipient(); !ok {
		return signer, recipient, l.fail("seal", ErrNotSupported, fault.NoKeyTheirs, "", nil)
	}
	if kid := l.out.Encrypt.Kid; recipient.ID == "" && kid.Seal == profile.KeyID && !kid.Accepts(nil) {
		return signer, recipient, l.fail("seal", ErrNotSupported, fault.NoKeyID, "the profile puts the partner's key ID (alias) into every message, and the partner's key has none", nil)
	}
	if l.out.Sign != nil {
		if signer, ok = l.c.Ours.Signer(); !ok {
			return signer, recipient, l.fail("seal", ErrNotSupported, fault.NoKeyOurs, "", nil)
		}
	}
	return signer, recipient, nil
}

// sealHeader gives the protected header that the profile asks for.
func sealHeader(layer *profile.Protection, keyID string) jose.Header {
	return jose.Header{
		Alg: layer.Alg.Seal,
		Enc: layer.Enc.Seal,
		Kid: layer.Kid.SealValue(keyID),
		Typ: layer.Typ.SealValue(keyID),
		Cty: layer.Cty.SealValue(keyID),
	}
}
