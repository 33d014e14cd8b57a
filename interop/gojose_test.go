package interop

import (
	"fmt"
	"testing"

	gojose "github.com/go-jose/go-jose/v4"
)

// goJOSE is github.com/go-jose/go-jose/v4.
type goJOSE struct{}

func (goJOSE) Name() string { return "go-jose" }

func (goJOSE) Ready(testing.TB) {}

func (goJOSE) Seal(j job) ([]byte, error) {
	j = j.complete()
	content := j.Input
	if j.Signed {
		o := new(gojose.SignerOptions)
		for name, value := range headerValues(j.Inner) {
			o.WithHeader(gojose.HeaderKey(name), value)
		}
		signer, err := gojose.NewSigner(gojose.SigningKey{
			Algorithm: gojose.SignatureAlgorithm(j.Signature),
			Key:       gojose.JSONWebKey{Key: j.Private, KeyID: j.Inner.Kid},
		}, o)
		if err != nil {
			return nil, err
		}
		signed, err := signer.Sign(j.Input)
		if err != nil {
			return nil, err
		}
		text, err := signed.CompactSerialize()
		if err != nil {
			return nil, err
		}
		content = []byte(text)
	}
	o := new(gojose.EncrypterOptions)
	for name, value := range headerValues(j.Outer) {
		o.WithHeader(gojose.HeaderKey(name), value)
	}
	encrypter, err := gojose.NewEncrypter(gojose.ContentEncryption(j.Content), gojose.Recipient{
		Algorithm: gojose.KeyAlgorithm(j.KeyEncryption), Key: j.Public, KeyID: j.Outer.Kid,
	}, o)
	if err != nil {
		return nil, err
	}
	encrypted, err := encrypter.Encrypt(content)
	if err != nil {
		return nil, err
	}
	text, err := encrypted.CompactSerialize()
	return []byte(text), err
}

func (goJOSE) Open(j job) (opened, error) {
	j = j.complete()
	var o opened
	encrypted, err := gojose.ParseEncryptedCompact(string(j.Input),
		[]gojose.KeyAlgorithm{gojose.KeyAlgorithm(j.KeyEncryption)},
		[]gojose.ContentEncryption{gojose.ContentEncryption(j.Content)})
	if err != nil {
		return opened{}, fmt.Errorf("JWE: %w", err)
	}
	o.OuterKid = encrypted.Header.KeyID
	content, err := encrypted.Decrypt(j.Private)
	if err != nil {
		return opened{}, fmt.Errorf("decrypt: %w", err)
	}
	if !j.Signed {
		o.Payload = content
		return o, nil
	}
	signed, err := gojose.ParseSignedCompact(string(content),
		[]gojose.SignatureAlgorithm{gojose.SignatureAlgorithm(j.Signature)})
	if err != nil {
		return opened{}, fmt.Errorf("JWS: %w", err)
	}
	o.InnerKid = signed.Signatures[0].Header.KeyID
	if o.Payload, err = signed.Verify(j.Public); err != nil {
		return opened{}, fmt.Errorf("verify: %w", err)
	}
	return o, nil
}

// headerValues are the members that go-jose takes as extra headers; it takes kid from the
// key.
func headerValues(m members) map[string]any {
	values := map[string]any{}
	for name, value := range m.Extra {
		values[name] = value
	}
	if m.Typ != "" {
		values["typ"] = m.Typ
	}
	if m.Cty != "" {
		values["cty"] = m.Cty
	}
	return values
}
