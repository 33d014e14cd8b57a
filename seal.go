package sealane

import (
	"context"
	"fmt"

	"github.com/sealane/sealane/internal/fault"
	"github.com/sealane/sealane/internal/jose"
	"github.com/sealane/sealane/keyring"
	"github.com/sealane/sealane/profile"
)

// Seal signs the payload where the leg is signed, then encrypts it to the
// partner, and gives the compact serialization. The payload is sealed byte for
// byte as it is.
func (l *Lane) Seal(ctx context.Context, payload []byte) ([]byte, error) {
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
	content := payload
	if l.out.Sign != nil {
		if content, err = jose.Sign(payload, sealHeader(l.out.Sign, signer.ID), signer.Private); err != nil {
			return nil, l.fromCodec("seal", err)
		}
	}
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("seal %s: %w", l.Name(), err)
	}
	token, err := jose.Encrypt(content, sealHeader(l.out.Encrypt, recipient.ID), recipient.Public)
	if err != nil {
		return nil, l.fromCodec("seal", err)
	}
	return token, nil
}

// sealingKeys gives the key that signs (where the leg is signed) and the one to encrypt to.
func (l *Lane) sealingKeys() (signer, recipient keyring.Key, err error) {
	var ok bool
	if recipient, ok = l.c.Theirs.Recipient(); !ok {
		return signer, recipient, l.fail("seal", ErrNotSupported, fault.NoKeyTheirs, "", nil)
	}
	if l.out.Sign != nil {
		if signer, ok = l.c.Ours.Signer(); !ok {
			return signer, recipient, l.fail("seal", ErrNotSupported, fault.NoKeyOurs, "", nil)
		}
	}
	return signer, recipient, nil
}

// sealHeader gives the protected header that the profile asks for.
func sealHeader(layer *profile.Layer, keyID string) jose.Header {
	return jose.Header{
		Alg: layer.Alg.Seal,
		Enc: layer.Enc.Seal,
		Kid: layer.Kid.SealValue(keyID),
		Typ: layer.Typ.SealValue(keyID),
		Cty: layer.Cty.SealValue(keyID),
	}
}
