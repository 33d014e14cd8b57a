// Package fault names what can be wrong with a message.
//
// # Codes
//
// Each fault has a short [Code], such as "jwe.header-crit", with its meaning and what to
// do next. The codec, package sealhttp and the command inspect name faults by these codes
// and by nothing else, so that a code in a log can be looked up here, by [Code.Meaning]
// and [Code.Next], or on the page docs/faults.md of the repository.
//
// # Outcomes
//
// A partner never learns the fault, only the outcome (profile.Outcome): many faults are
// one outcome, on purpose.
package fault

import (
	"slices"
	"strings"
)

// Code names one fault, as "layer.fault": "jwe.header-crit". Codes are part of
// the product's surface: they are never renamed, only added.
type Code string

// Layer is the part of a message in which a fault lies.
type Layer string

// The layers.
const (
	HTTP Layer = "http" // request or response line, headers
	Body Layer = "body" // the JSON around the token
	JWE  Layer = "jwe"  // outer token, what can be seen without a key
	Open Layer = "open" // decryption: what needs the private key
	JWS  Layer = "jws"  // inner token
	Sign Layer = "sign" // the signature over the payload
	Bind Layer = "bind" // identifiers that tie an answer to its request

	// Local is not a part of a message: it is about our own keys and limits.
	Local Layer = "local"
)

// Layer is the part of the code before the dot.
func (c Code) Layer() Layer {
	layer, _, _ := strings.Cut(string(c), ".")
	return Layer(layer)
}

// Meaning says what the fault is, in one sentence.
func (c Code) Meaning() string { return catalog[c].meaning }

// Next says what to do about it, in one sentence.
func (c Code) Next() string { return catalog[c].next }

// Known reports whether c is in the catalog.
func (c Code) Known() bool { _, ok := catalog[c]; return ok }

// All lists every code in the order of the layers.
func All() []Code { return slices.Clone(order) }

// In returns the code of a fault that both token layers can have.
func (t TokenFault) In(l Layer) Code { return Code(string(l) + "." + string(t)) }

// TokenFault is a fault that a JWE and a JWS can both have.
type TokenFault string

// Faults of a compact serialization and its header, either layer.
const (
	Empty             TokenFault = "empty"
	TooLarge          TokenFault = "too-large"
	JSONSerialization TokenFault = "json-serialization"
	Parts             TokenFault = "parts"
	Swapped           TokenFault = "swapped"
	Base64Standard    TokenFault = "base64-standard"
	Base64Padding     TokenFault = "base64-padding"
	Base64Space       TokenFault = "base64-space"
	Base64Character   TokenFault = "base64-character"
	Base64Length      TokenFault = "base64-length"
	Base64SpareBits   TokenFault = "base64-spare-bits"
	HeaderTooLarge    TokenFault = "header-too-large"
	HeaderUTF8        TokenFault = "header-utf8"
	HeaderNotJSON     TokenFault = "header-not-json"
	HeaderNotObject   TokenFault = "header-not-object"
	HeaderDepth       TokenFault = "header-depth"
	HeaderDuplicate   TokenFault = "header-duplicate"
	HeaderType        TokenFault = "header-type"
	HeaderZip         TokenFault = "header-zip"
	HeaderCrit        TokenFault = "header-crit"
	HeaderB64         TokenFault = "header-b64"
	HeaderJWK         TokenFault = "header-jwk"
	HeaderJKU         TokenFault = "header-jku"
	HeaderX5U         TokenFault = "header-x5u"
	HeaderX5C         TokenFault = "header-x5c"
	AlgMissing        TokenFault = "alg-missing"
	AlgNone           TokenFault = "alg-none"
	AlgNotAllowed     TokenFault = "alg-not-allowed"
	KidForm           TokenFault = "kid-form"
	KidMissing        TokenFault = "kid-missing"
	KidUnknown        TokenFault = "kid-unknown"
	KidNotAllowed     TokenFault = "kid-not-allowed"
	TypNotAllowed     TokenFault = "typ-not-allowed"
	CtyNotAllowed     TokenFault = "cty-not-allowed"
	Cut               TokenFault = "cut"
)

// Faults of one layer only.
const (
	TriggerMissing  Code = "http.trigger-missing"
	TriggerValue    Code = "http.trigger-value"
	TriggerRepeated Code = "http.trigger-repeated"
	Endpoint        Code = "http.endpoint"
	ContentType     Code = "http.content-type"
	ContentEncoding Code = "http.content-encoding"
	BodyUnreadable  Code = "http.body-unreadable"
	AnswerNotSealed Code = "http.answer-not-sealed"
	Busy            Code = "http.busy"
	LaneGone        Code = "http.lane-gone"

	AnswerWithoutBody Code = "http.answer-without-body"
	AnswerRedirects   Code = "http.answer-redirects"
	AnswerCut         Code = "http.answer-cut"
	AnswerPanic       Code = "http.service-panicked"
	Query             Code = "http.query"

	BodyEmpty        Code = "body.empty"
	BodyTooLarge     Code = "body.too-large"
	BodyUTF8         Code = "body.utf8"
	BodyNotJSON      Code = "body.not-json"
	BodyNotObject    Code = "body.not-object"
	BodyDuplicate    Code = "body.duplicate-member"
	BodyMissing      Code = "body.member-missing"
	BodyType         Code = "body.member-not-string"
	BodyUnexpected   Code = "body.member-unexpected"
	BodyBareToken    Code = "body.bare-token"
	BodyWrapped      Code = "body.wrapped-token"
	BodyQuoted       Code = "body.quoted-token"
	BodyPercent      Code = "body.percent-encoded"
	BodyBearerPrefix Code = "body.bearer-prefix"
	BodyBOM          Code = "body.byte-order-mark"
	BodyNotSealed    Code = "body.not-sealed"
	BodyHTTPHeaders  Code = "body.http-headers"
	BodyEncodedTwice Code = "body.encoded-twice"
	BodyFormEncoded  Code = "body.form-encoded"

	EncMissing         Code = "jwe.enc-missing"
	EncNotAllowed      Code = "jwe.enc-not-allowed"
	AlgSHA1            Code = "jwe.alg-rsa-oaep-sha1"
	EncryptedKeyLength Code = "jwe.encrypted-key-length"
	IVLength           Code = "jwe.iv-length"
	TagLength          Code = "jwe.tag-length"
	CiphertextLength   Code = "jwe.ciphertext-length"
	PartsOrder         Code = "jwe.parts-order"

	OpenKey         Code = "open.key"
	OpenTag         Code = "open.tag"
	OpenKeySize     Code = "open.key-size"
	OpenKeyOther    Code = "open.key-of-other-id"
	OpenSHA1        Code = "open.oaep-sha1"
	OpenMGF1        Code = "open.oaep-mgf1-sha1"
	OpenOAEPSHA256  Code = "open.oaep-sha256"
	OpenPKCS1       Code = "open.pkcs1-v1_5"
	OpenLabel       Code = "open.oaep-other"
	OpenCEKLength   Code = "open.cek-length"
	OpenCEKText     Code = "open.cek-text"
	OpenIV16        Code = "open.iv-16-bytes"
	OpenTagShort    Code = "open.tag-cut"
	OpenAAD         Code = "open.additional-data"
	OpenCompressed  Code = "open.compressed"
	InnerNotSigned  Code = "jws.not-signed"
	SignatureLength Code = "jws.signature-length"

	OpenTagInCiphertext Code = "open.tag-in-ciphertext"
	InnerEncodedTwice   Code = "jws.encoded-twice"
	InnerQuoted         Code = "jws.quoted"

	SignatureWrong   Code = "sign.wrong"
	SignatureOther   Code = "sign.other-signer"
	SignatureHash    Code = "sign.other-algorithm"
	SignaturePayload Code = "sign.payload-not-encoded"

	SignatureContent  Code = "sign.other-content"
	SignatureDetached Code = "sign.payload-detached"

	BindContradiction Code = "bind.contradiction"

	NoKeyOurs      Code = "local.no-key-of-ours"
	NoKeyTheirs    Code = "local.no-key-of-partner"
	NoKeyID        Code = "local.no-key-id"
	KeyUnavailable Code = "local.key-unavailable"
	// CertificateEnded is for what is sealed, not for what is opened.
	CertificateEnded Code = "local.certificate-ended"
	NotSealing       Code = "local.leg-not-sealed"
	NotSigning       Code = "local.leg-not-signed"
	Signing          Code = "local.leg-signed"
	PayloadLarge     Code = "local.payload-too-large"
)
