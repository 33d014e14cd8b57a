package jose

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/sealane/sealane/cert"
	"github.com/sealane/sealane/fault"
	"github.com/sealane/sealane/internal/alg"
	"github.com/sealane/sealane/internal/strictjson"
)

const maxHeader = 4 << 10 // bytes of JSON

// Header holds the header parameters that this package uses (RFC 7515 section 4, RFC 7516
// section 4). Nil means that the parameter is absent. Only a JWE has Enc.
type Header struct {
	Alg string
	Enc string
	Kid *string
	Typ *string
	Cty *string
}

// KeyID is the key ID, or the empty string.
func (h Header) KeyID() string {
	if h.Kid == nil {
		return ""
	}
	return *h.Kid
}

// SignedHeader is the encoded protected header of a JWS, and the algorithm that it names.
// It is used for many messages.
type SignedHeader struct {
	text []byte
	alg  *alg.Signature
}

// ProtectSigned encodes the header of a JWS.
func ProtectSigned(h Header) (SignedHeader, error) {
	signature, ok := alg.Signatures.Find(h.Alg)
	if !ok || h.Enc != "" {
		return SignedHeader{}, fmt.Errorf("algorithm %q is not one of %q", h.Alg, alg.Signatures.Names())
	}
	text, err := h.protect()
	return SignedHeader{text, signature}, err
}

// EncryptedHeader is the encoded protected header of a JWE, and its algorithms.
type EncryptedHeader struct {
	text []byte
	key  *alg.KeyEncryption
	enc  *alg.Content
}

// ProtectEncrypted encodes the header of a JWE.
func ProtectEncrypted(h Header) (EncryptedHeader, error) {
	key, ok := alg.KeyEncryptions.Find(h.Alg)
	if !ok || key.OpenOnly {
		return EncryptedHeader{}, fmt.Errorf("algorithm %q is not a supported key encryption", h.Alg)
	}
	enc, ok := alg.Contents.Find(h.Enc)
	if !ok {
		return EncryptedHeader{}, fmt.Errorf("content encryption %q is not one of %q", h.Enc, alg.Contents.Names())
	}
	text, err := h.protect()
	return EncryptedHeader{text, key, enc}, err
}

func (h Header) protect() (text []byte, err error) {
	if h.Kid != nil {
		if err := cert.CheckKeyIDText(*h.Kid); err != nil {
			return nil, err
		}
	}
	var b bytes.Buffer
	w := json.NewEncoder(&b)
	w.SetEscapeHTML(false)
	err = w.Encode(struct {
		Alg string  `json:"alg"`
		Enc string  `json:"enc,omitempty"`
		Kid *string `json:"kid,omitempty"`
		Typ *string `json:"typ,omitempty"`
		Cty *string `json:"cty,omitempty"`
	}(h))
	text = bytes.TrimRight(b.Bytes(), "\n")
	if len(text) > maxHeader {
		return nil, fmt.Errorf("header has %d bytes, more than the %d that are opened", len(text), maxHeader)
	}
	return appendEncoded(nil, text), err
}

// refusedMembers change how a token must be read or contain a key. Every other well-formed
// member is ignored (RFC 7515 section 4).
var refusedMembers = map[string]fault.TokenFault{
	"zip":  fault.HeaderZip,
	"crit": fault.HeaderCrit,
	"b64":  fault.HeaderB64,
	"jwk":  fault.HeaderJWK,
	"jku":  fault.HeaderJKU,
	"x5u":  fault.HeaderX5U,
	"x5c":  fault.HeaderX5C,
}

// parseHeader reads the JSON of a protected header. layer and kind go into its errors.
func parseHeader(data []byte, layer fault.Layer, kind Kind) (Header, error) {
	r := headerReader{layer: layer, kind: kind}
	if err := r.read(data); err != nil {
		return Header{}, err
	}
	return r.Header, nil
}

// headerReader reads one protected header.
type headerReader struct {
	Header
	layer       fault.Layer
	kind        Kind
	keyAlg, enc *string
}

func (r *headerReader) refuse(f fault.TokenFault, format string, args ...any) error {
	return &Error{Kind: r.kind, Fault: f.In(r.layer), Detail: fmt.Sprintf(format, args...)}
}

func (r *headerReader) read(data []byte) error {
	members, err := r.members(data)
	if err != nil {
		return err
	}
	for _, m := range members {
		if err := r.member(m); err != nil {
			return err
		}
	}
	if r.keyAlg == nil {
		return r.refuse(fault.AlgMissing, "header has no alg")
	}
	if r.Kid != nil {
		if err := cert.CheckKeyIDText(*r.Kid); err != nil {
			return r.refuse(fault.KidForm, "%v", err)
		}
	}
	r.Alg = *r.keyAlg
	if r.kind == NotJWE {
		if r.enc == nil {
			return &Error{Kind: r.kind, Fault: fault.EncMissing, Detail: "header has no enc"}
		}
		r.Enc = *r.enc
	}
	return nil
}

func (r *headerReader) members(data []byte) ([]strictjson.Member, error) {
	if len(data) > maxHeader {
		return nil, r.refuse(fault.HeaderTooLarge, "header has %d bytes, more than %d", len(data), maxHeader)
	}
	members, err := strictjson.Object(data)
	switch {
	case errors.Is(err, strictjson.ErrUTF8):
		return nil, r.refuse(fault.HeaderUTF8, "header is %v", err)
	case errors.Is(err, strictjson.ErrNotObject):
		return nil, r.refuse(fault.HeaderNotObject, "header is %v", err)
	case errors.Is(err, strictjson.ErrDuplicate):
		return nil, r.refuse(fault.HeaderDuplicate, "header: %v", err)
	case errors.Is(err, strictjson.ErrDepth):
		return nil, r.refuse(fault.HeaderDepth, "header is %v", err)
	case err != nil:
		return nil, r.refuse(fault.HeaderNotJSON, "header is %v", err)
	}
	return members, nil
}

func (r *headerReader) member(m strictjson.Member) error {
	if f, refused := refusedMembers[m.Name]; refused {
		return r.refuse(f, "header has a %s member", m.Name)
	}
	value, isString := strictjson.String(m.Value)
	switch m.Name {
	case "alg":
		r.keyAlg = &value
	case "enc":
		if r.kind != NotJWE {
			return nil
		}
		r.enc = &value
	case "kid":
		r.Kid = &value
	case "typ":
		r.Typ = &value
	case "cty":
		r.Cty = &value
	default:
		return nil
	}
	if !isString {
		return r.refuse(fault.HeaderType, "header member %s is not a string", m.Name)
	}
	return nil
}
