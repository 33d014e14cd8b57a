package sealane

import (
	"context"
	"crypto"
	"errors"
	"fmt"
	"slices"

	"github.com/sealane/sealane/fault"
	"github.com/sealane/sealane/internal/alg"
	"github.com/sealane/sealane/internal/jose"
	"github.com/sealane/sealane/keyring"
	"github.com/sealane/sealane/profile"
)

// Message is an opened message: a [*Verified] or an [*Unverified], and nothing else.
type Message interface {
	// Payload returns the payload, byte for byte as it was sealed.
	Payload() []byte
	// OpenedBy describes our key pair that opened the message.
	OpenedBy() keyring.KeyInfo

	openedBy() keyring.Key
	signedBy() *keyring.Key // nil for an Unverified
}

// Verified is a message that the partner has signed.
type Verified struct {
	payload    []byte
	by, signer keyring.Key
}

// Payload returns the payload, byte for byte as it was sealed.
func (v *Verified) Payload() []byte { return v.payload }

// OpenedBy describes our key pair that opened the message.
func (v *Verified) OpenedBy() keyring.KeyInfo { return v.by.Info() }

// Signer describes the partner's key that verified the signature. The certificate is nil if
// the ring was made without it.
func (v *Verified) Signer() keyring.KeyInfo { return v.signer.Info() }

func (v *Verified) openedBy() keyring.Key  { return v.by }
func (v *Verified) signedBy() *keyring.Key { return &v.signer }

// Unverified is a message that was encrypted and not signed. Anyone who has our certificate
// can have made it.
type Unverified struct {
	payload []byte
	by      keyring.Key
	auth    SenderAuth
}

// Payload returns the payload, byte for byte as it was sealed.
func (u *Unverified) Payload() []byte { return u.payload }

// OpenedBy describes our key pair that opened the message.
func (u *Unverified) OpenedBy() keyring.KeyInfo { return u.by.Info() }

// SenderAuth returns the lane's SenderAuth.
func (u *Unverified) SenderAuth() SenderAuth { return u.auth }

func (u *Unverified) openedBy() keyring.Key  { return u.by }
func (u *Unverified) signedBy() *keyring.Key { return nil }

// Open decrypts the token and verifies the signature of its content. It refuses a lane
// whose messages are not signed: see [Lane.OpenUnverified]. The token is not changed. If
// there is an error, the message is nil.
func (l *Lane) Open(ctx context.Context, token []byte) (*Verified, error) {
	if l.in.Sealed() && l.in.Sign == nil {
		return nil, l.fail(OpOpen, ErrUnavailable, fault.NotSigning, "", nil)
	}
	content, by, err := l.decrypt(ctx, token)
	if err != nil {
		return nil, err
	}
	payload, signer, err := l.verify(ctx, content)
	if err != nil {
		clear(content) // do not leave unverified plaintext behind
		return nil, openedBy(err, by)
	}
	return &Verified{slices.Clip(payload), by, signer}, nil
}

// OpenUnverified decrypts the token on a lane whose messages are not signed. The message
// proves nothing about its sender. If there is an error, the message is nil.
func (l *Lane) OpenUnverified(ctx context.Context, token []byte) (*Unverified, error) {
	if l.in.Sign != nil {
		return nil, l.fail(OpOpen, ErrUnavailable, fault.Signing, "", nil)
	}
	content, by, err := l.decrypt(ctx, token)
	if err != nil {
		return nil, err
	}
	if err := l.checkSize(content); err != nil {
		clear(content)
		return nil, openedBy(err, by)
	}
	return &Unverified{slices.Clip(content), by, l.c.SenderAuth}, nil
}

// OpenMessage opens a token on any lane: the message is a *Verified if the lane's messages
// are signed, and an *Unverified otherwise. It is for programs that serve lanes of both
// kinds and pass the difference on.
func (l *Lane) OpenMessage(ctx context.Context, token []byte) (Message, error) {
	if l.in.Sign != nil {
		m, err := l.Open(ctx, token)
		if err != nil {
			return nil, err
		}
		return m, nil
	}
	m, err := l.OpenUnverified(ctx, token)
	if err != nil {
		return nil, err
	}
	return m, nil
}

// openedBy notes in an error which key of ours had decrypted the message.
func openedBy(err error, by keyring.Key) error {
	if e, is := errors.AsType[*Error](err); is {
		info := by.Info()
		e.OpenedBy = &info
	}
	return err
}

// decrypt returns the content, and our key that decrypted it.
func (l *Lane) decrypt(ctx context.Context, token []byte) (content []byte, by keyring.Key, err error) {
	if err := ctx.Err(); err != nil {
		return nil, by, fmt.Errorf("open %s: %w", l.Name(), err)
	}
	if !l.in.Sealed() {
		return nil, by, l.fail(OpOpen, ErrUnavailable, fault.NotSealing, "", nil)
	}
	if err := l.openingKeys(); err != nil {
		return nil, by, err
	}
	if len(token) > l.MaxToken() {
		return nil, by, l.fail(OpOpen, ErrTooLarge, fault.TooLarge.In(fault.JWE),
			fmt.Sprintf("token has %d bytes, more than %d", len(token), l.MaxToken()), nil)
	}
	encrypted, err := jose.ParseEncrypted(nil, token, l.MaxToken(), l.accept.keys, l.accept.contents)
	if err != nil {
		return nil, by, l.fromCodec(OpOpen, err)
	}
	openers, err := l.openers(encrypted.Header)
	if err != nil {
		return nil, by, err
	}
	content, which, err := encrypted.Decrypt(decrypters(ctx, openers))
	if err != nil {
		return nil, by, l.fromCodec(OpOpen, err)
	}
	return content, openers[which], nil
}

// verify returns the payload of the content, and the partner's key that verified it.
func (l *Lane) verify(ctx context.Context, content []byte) (payload []byte, signer keyring.Key, err error) {
	if err := ctx.Err(); err != nil {
		return nil, signer, fmt.Errorf("open %s: %w", l.Name(), err)
	}
	signed, err := jose.ParseSigned(content, l.accept.signatures)
	if err != nil {
		return nil, signer, l.fromCodec(OpOpen, err)
	}
	verifiers, err := l.verifiers(signed.Header)
	if err != nil {
		return nil, signer, err
	}
	payload, which, err := signed.Verify(publics(verifiers))
	if err != nil {
		return nil, signer, l.fromCodec(OpOpen, err)
	}
	return payload, verifiers[which], l.checkSize(payload)
}

func (l *Lane) checkSize(payload []byte) error {
	if len(payload) <= l.c.MaxPayload {
		return nil
	}
	return l.fail(OpOpen, ErrTooLarge, fault.PayloadLarge,
		fmt.Sprintf("payload has %d bytes, more than %d", len(payload), l.c.MaxPayload), nil)
}

// openingKeys returns ErrNotSupported if no key can open messages.
func (l *Lane) openingKeys() error {
	ours := l.c.Ours.Openers("")
	if len(ours) == 0 {
		return l.fail(OpOpen, ErrNotSupported, fault.NoKeyOurs, "", nil)
	}
	if l.in.Encrypt.Kid.Demands() && !slices.ContainsFunc(ours, func(k keyring.Key) bool { return k.ID != "" }) {
		return l.fail(
			OpOpen,
			ErrNotSupported,
			fault.NoKeyID,
			"the profile finds our key by its key ID (alias), and none of ours has one",
			nil,
		)
	}
	if l.in.Sign != nil && len(l.c.Theirs.Verifiers("")) == 0 {
		return l.fail(OpOpen, ErrNotSupported, fault.NoKeyTheirs, "", nil)
	}
	return nil
}

// openers checks the outer header against the profile and returns our keys to try.
func (l *Lane) openers(h jose.Header) ([]keyring.Key, error) {
	if err := l.checkHeader(l.in.Encrypt, h, fault.JWE, ErrNotJWE); err != nil {
		return nil, err
	}
	keys := l.c.Ours.Openers(h.KeyID())
	if h.Kid != nil && l.in.Encrypt.Kid.Demands() {
		keys = l.c.Ours.OpenersNamed(h.KeyID())
	}
	if len(keys) == 0 {
		return nil, l.unknownKeyID(h, fault.JWE, ErrDecryption)
	}
	return keys, nil
}

// verifiers checks the inner header and returns the partner's keys to try.
func (l *Lane) verifiers(h jose.Header) ([]keyring.Key, error) {
	if err := l.checkHeader(l.in.Sign, h, fault.JWS, ErrNotJWS); err != nil {
		return nil, err
	}
	keys := l.c.Theirs.Verifiers(h.KeyID())
	if h.Kid != nil && l.in.Sign.Kid.Demands() {
		keys = l.c.Theirs.VerifiersNamed(h.KeyID())
	}
	if len(keys) == 0 {
		return nil, l.unknownKeyID(h, fault.JWS, ErrSignature)
	}
	return keys, nil
}

func (l *Lane) unknownKeyID(h jose.Header, layer fault.Layer, on profile.Outcome) error {
	return l.fail(OpOpen, on, fault.KidUnknown.In(layer),
		fmt.Sprintf("key ID %q is not known in %s", h.KeyID(), l.c.Environment), nil)
}

// checkHeader compares kid, typ and cty with the values that the profile accepts.
func (l *Lane) checkHeader(layer *profile.Protection, h jose.Header, in fault.Layer, on profile.Outcome) error {
	for _, c := range []struct {
		name    string
		param   profile.HeaderParam
		value   *string
		refused fault.TokenFault
	}{
		{"kid", layer.Kid, h.Kid, fault.KidNotAllowed},
		{"typ", layer.Typ, h.Typ, fault.TypNotAllowed},
		{"cty", layer.Cty, h.Cty, fault.CtyNotAllowed},
	} {
		if c.param.Accepts(c.value) {
			continue
		}
		if c.value == nil {
			f := c.refused
			if c.name == "kid" {
				f = fault.KidMissing
			}
			return l.fail(OpOpen, on, f.In(in),
				fmt.Sprintf("header has no %s, the profile accepts %q", c.name, c.param.Open), nil)
		}
		return l.fail(OpOpen, on, c.refused.In(in),
			fmt.Sprintf("%s is %.140q, the profile accepts %q", c.name, *c.value, c.param.Open), nil)
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
