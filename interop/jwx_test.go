package interop

import (
	"fmt"
	"testing"

	"github.com/lestrrat-go/jwx/v3/jwa"
	"github.com/lestrrat-go/jwx/v3/jwe"
	"github.com/lestrrat-go/jwx/v3/jws"
)

// jwxPeer is github.com/lestrrat-go/jwx/v3.
type jwxPeer struct{}

func (jwxPeer) Name() string { return "jwx" }

func (jwxPeer) Ready(testing.TB) {}

// jwxNames returns a job's algorithms as values of jwx.
func jwxNames(j job) (
	key jwa.KeyEncryptionAlgorithm, enc jwa.ContentEncryptionAlgorithm, sign jwa.SignatureAlgorithm, err error,
) {
	key, okKey := jwa.LookupKeyEncryptionAlgorithm(j.KeyEncryption)
	enc, okEnc := jwa.LookupContentEncryptionAlgorithm(j.Content)
	sign, okSign := jwa.LookupSignatureAlgorithm(j.Signature)
	if !okKey || !okEnc || !okSign {
		err = fmt.Errorf("jwx does not know %q, %q or %q", j.KeyEncryption, j.Content, j.Signature)
	}
	return key, enc, sign, err
}

func (jwxPeer) Seal(j job) ([]byte, error) {
	alg, enc, sign, err := jwxNames(j.complete())
	if err != nil {
		return nil, err
	}
	content := j.Input
	if j.Signed {
		h := jws.NewHeaders()
		if err := setMembers(h, j.Inner); err != nil {
			return nil, err
		}
		if content, err = jws.Sign(j.Input, jws.WithKey(sign, j.Private, jws.WithProtectedHeaders(h))); err != nil {
			return nil, err
		}
	}
	h := jwe.NewHeaders()
	if err := setMembers(h, j.Outer); err != nil {
		return nil, err
	}
	return jwe.Encrypt(content, jwe.WithKey(alg, j.Public), jwe.WithContentEncryption(enc),
		jwe.WithProtectedHeaders(h))
}

func (jwxPeer) Open(j job) (opened, error) {
	var o opened
	alg, due, sign, err := jwxNames(j.complete())
	if err != nil {
		return opened{}, err
	}
	message := jwe.NewMessage()
	content, err := jwe.Decrypt(j.Input, jwe.WithKey(alg, j.Private), jwe.WithMessage(message))
	if err != nil {
		return opened{}, fmt.Errorf("decrypt: %w", err)
	}
	// jwx takes the content encryption algorithm from the message.
	if enc, ok := message.ProtectedHeaders().ContentEncryption(); !ok || enc != due {
		return opened{}, fmt.Errorf("content encryption is %v", enc)
	}
	o.OuterKid, _ = message.ProtectedHeaders().KeyID()
	if !j.Signed {
		o.Payload = content
		return o, nil
	}
	signed := jws.NewMessage()
	if o.Payload, err = jws.Verify(content, jws.WithKey(sign, j.Public), jws.WithMessage(signed)); err != nil {
		return opened{}, fmt.Errorf("verify: %w", err)
	}
	o.InnerKid, _ = signed.Signatures()[0].ProtectedHeaders().KeyID()
	return o, nil
}

// setMembers sets the members in the headers of either layer.
func setMembers(h interface{ Set(string, any) error }, m members) error {
	values := headerValues(m)
	if m.Kid != "" {
		values["kid"] = m.Kid
	}
	for name, value := range values {
		if err := h.Set(name, value); err != nil {
			return err
		}
	}
	return nil
}
