package sealane

import (
	"context"
	"crypto"
	"fmt"
	"slices"

	"github.com/sealane/sealane/fault"
	"github.com/sealane/sealane/internal/alg"
	"github.com/sealane/sealane/internal/jose"
	"github.com/sealane/sealane/keyring"
	"github.com/sealane/sealane/profile"
)

// Message is an opened message: a *Verified or an *Unverified, nothing else.
type Message interface {
	// Payload is byte for byte what was sealed.
	Payload() []byte
	// OpenedBy is the key of ours that opened it.
	OpenedBy() keyring.Key
	message()
}

// Verified is a message that the partner has signed.
type Verified struct {
	opened
	signer keyring.Key
}

// Signer is the partner's key under which the signature held.
func (v *Verified) Signer() keyring.Key { return v.signer }

// Unverified is a message that was encrypted only: anybody who has our
// certificate can have made it. SenderAuth says how else the sender is known.
type Unverified struct {
	opened
	SenderAuth SenderAuth
}

type opened struct {
	payload []byte
	by      keyring.Key
}

func (o *opened) Payload() []byte       { return o.payload }
func (o *opened) OpenedBy() keyring.Key { return o.by }
func (o *opened) message()              {}

// Open decrypts the token and, where the leg is signed, verifies what was in
// it. With any error the message is nil. The token is left as it is.
func (l *Lane) Open(ctx context.Context, token []byte) (Message, error) {
	return l.OpenInto(ctx, nil, token)
}

// OpenInto is Open in the capacity of buffer. The message's payload stands in it,
// so it may be used again only when the message is done with. len(token)*3/4 is
// enough; a smaller one, or one in which the token stands, is left alone.
func (l *Lane) OpenInto(ctx context.Context, buffer, token []byte) (Message, error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("open %s: %w", l.Name(), err)
	}
	if !l.in.Sealed() {
		return nil, l.fail("open", ErrFormat, fault.NotSealing, "the profile sends this leg in clear", nil)
	}
	if err := l.openingKeys(); err != nil {
		return nil, err
	}
	if overlap(buffer, token) {
		buffer = nil
	}
	if len(token) > l.MaxToken() {
		return nil, l.fail("open", ErrTooLarge, fault.TooLarge.In(fault.JWE), fmt.Sprintf("token has %d bytes, more than %d", len(token), l.MaxToken()), nil)
	}
	encrypted, err := jose.ParseEncrypted(buffer, token, l.MaxToken(), l.accept.keys, l.accept.contents)
	if err != nil {
		return nil, l.fromCodec("open", err)
	}
	openers, err := l.openers(encrypted.Header)
	if err != nil {
		return nil, err
	}
	content, which, err := encrypted.Decrypt(decrypters(ctx, openers))
	if err != nil {
		return nil, l.fromCodec("open", err)
	}
	by := openers[which]
	done := false
	defer func() {
		if !done {
			clear(content) // nobody is to find it in the buffer
		}
	}()
	if l.in.Sign == nil {
		if err := l.checkSize(content); err != nil {
			return nil, err
		}
		done = true
		return &Unverified{opened{slices.Clip(content), by}, l.c.SenderAuth}, nil
	}
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("open %s: %w", l.Name(), err)
	}
	signed, err := jose.ParseSigned(content, l.accept.signatures)
	if err != nil {
		return nil, l.fromCodec("open", err)
	}
	verifiers, err := l.verifiers(signed.Header)
	if err != nil {
		return nil, err
	}
	payload, which, err := signed.Verify(publics(verifiers))
	if err != nil {
		return nil, l.fromCodec("open", err)
	}
	if err := l.checkSize(payload); err != nil {
		return nil, err
	}
	done = true
	return &Verified{opened{slices.Clip(payload), by}, verifiers[which]}, nil
}

func (l *Lane) checkSize(payload []byte) error {
	if len(payload) <= l.c.MaxPayload {
		return nil
	}
	return l.fail("open", ErrTooLarge, fault.PayloadLarge, fmt.Sprintf("payload has %d bytes, more than %d", len(payload), l.c.MaxPayload), nil)
}

// openingKeys gives ErrNotSupported where nothing could be opened at all.
func (l *Lane) openingKeys() error {
	ours := l.c.Ours.Openers("", false)
	if len(ours) == 0 {
		return l.fail("open", ErrNotSupported, fault.NoKeyOurs, "", nil)
	}
	if l.in.Encrypt.Kid.Demands() && !slices.ContainsFunc(ours, func(k keyring.Key) bool { return k.ID != "" }) {
		return l.fail("open", ErrNotSupported, fault.NoKeyID, "the profile finds our key by its key ID (alias), and none of ours has one", nil)
	}
	if l.in.Sign != nil && len(l.c.Theirs.Verifiers("", false)) == 0 {
		return l.fail("open", ErrNotSupported, fault.NoKeyTheirs, "", nil)
	}
	return nil
}

// openers checks the outer header against the profile and gives our keys to try.
func (l *Lane) openers(h jose.Header) ([]keyring.Key, error) {
	if err := l.checkHeader(l.in.Encrypt, h, fault.JWE, ErrNotJWE); err != nil {
		return nil, err
	}
	known := l.in.Encrypt.Kid.Demands()
	keys := l.c.Ours.Openers(h.KeyID(), known && h.Kid != nil)
	if len(keys) == 0 {
		return nil, l.unknownKeyID(h, fault.JWE, ErrDecryption)
	}
	return keys, nil
}

// verifiers checks the inner header and gives the partner's keys to try.
func (l *Lane) verifiers(h jose.Header) ([]keyring.Key, error) {
	if err := l.checkHeader(l.in.Sign, h, fault.JWS, ErrNotJWS); err != nil {
		return nil, err
	}
	known := l.in.Sign.Kid.Demands()
	keys := l.c.Theirs.Verifiers(h.KeyID(), known && h.Kid != nil)
	if len(keys) == 0 {
		return nil, l.unknownKeyID(h, fault.JWS, ErrSignature)
	}
	return keys, nil
}

func (l *Lane) unknownKeyID(h jose.Header, layer fault.Layer, sentinel error) error {
	return l.fail("open", sentinel, fault.KidUnknown.In(layer), fmt.Sprintf("key ID %q is not known in %s", h.KeyID(), l.c.Environment), nil)
}

// checkHeader holds kid, typ and cty against what the profile accepts.
func (l *Lane) checkHeader(layer *profile.Protection, h jose.Header, in fault.Layer, sentinel error) error {
	for _, c := range []struct {
		name    string
		member  profile.HeaderParam
		value   *string
		refused fault.TokenFault
	}{
		{"kid", layer.Kid, h.Kid, fault.KidNotAllowed},
		{"typ", layer.Typ, h.Typ, fault.TypNotAllowed},
		{"cty", layer.Cty, h.Cty, fault.CtyNotAllowed},
	} {
		if c.member.Accepts(c.value) {
			continue
		}
		if c.value == nil {
			f := c.refused
			if c.name == "kid" {
				f = fault.KidMissing
			}
			return l.fail("open", sentinel, f.In(in), fmt.Sprintf("header has no %s, the profile accepts %q", c.name, c.member.Open), nil)
		}
		return l.fail("open", sentinel, c.refused.In(in), fmt.Sprintf("%s is %.140q, the profile accepts %q", c.name, *c.value, c.member.Open), nil)
	}
	return nil
}

func decrypters(ctx context.Context, keys []keyring.Key) []crypto.Decrypter {
	list := make([]crypto.Decrypter, len(keys))
	for i, k := range keys {
		list[i] = withContext(ctx, k.Private)
	}
	return list
}

func publics(keys []keyring.Key) []alg.PublicKey {
	list := make([]alg.PublicKey, len(keys))
	for i, k := range keys {
		list[i] = public(k)
	}
	return list
}

func public(k keyring.Key) alg.PublicKey {
	return alg.PublicKey{PublicKey: k.Public, By: k.PublicOps}
}
