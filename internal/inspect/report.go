// Package inspect explains a message that the strict reader, internal/jose, refuses. It
// reads leniently, continues after a fault as far as that makes sense, and names faults by
// the codes of package fault. It is for people who examine one message. Code that serves
// messages must not use it, because a partner must not learn what it finds out.
//
// A report holds no key, and no payload unless Options.Reveal is set.
package inspect

import (
	"crypto"
	"crypto/rsa"

	"github.com/sealane/sealane/cert"
	"github.com/sealane/sealane/fault"
	"github.com/sealane/sealane/profile"
)

// Key is a key to try. Ours need Private, theirs Public.
type Key struct {
	Name        string // name in the report: a file, an alias
	ID          string // the key ID that was exchanged, or empty
	Environment string // DEV, STAG, PROD, or empty
	Private     crypto.Decrypter
	Public      *rsa.PublicKey
}

// Options says what a message is compared with. The zero value is valid.
type Options struct {
	// Each of Profiles gets a verdict. If there are several and the message fits none, the
	// one that it fits best decides which faults count.
	Profiles []*profile.Profile
	Ours     []Key // open the outer token
	Theirs   []Key // verify the inner one
	// AcceptRSAOAEP is a lane's decision to open RSA-OAEP (SHA-1) where its profile lets it.
	AcceptRSAOAEP bool
	Reveal        bool // put the payload into the report
	MaxToken      int  // bytes to examine; the default fits a payload of 64 MiB
}

// Kind is the kind of a message.
type Kind string

const (
	KindJWE    Kind = "jwe"
	KindJWS    Kind = "jws"          // alone, without a JWE around it
	KindAnswer Kind = "error-answer" // a profile's error body
	KindJSON   Kind = "json"         // JSON without a token in it
	KindOther  Kind = "other"
)

// The levels of findings, and of the parts and members of a token. Warning is for what is worth
// knowing, or can't be decided.
const (
	OK   = cert.OK
	Bad  = cert.Refused
	Note = cert.Warning
)

// Report is the result of [Examine].
type Report struct {
	Fault     fault.Code     `json:"fault,omitempty"` // the first fault, or empty
	Summary   string         `json:"summary"`
	Next      string         `json:"next,omitempty"`
	Kind      Kind           `json:"kind"`
	Bytes     int            `json:"bytes"`
	Around    []string       `json:"around,omitempty"` // what surrounds the token, from the outside in
	Outer     *Token         `json:"outer,omitempty"`
	Opening   *Opening       `json:"opening,omitempty"`
	Inner     *Token         `json:"inner,omitempty"`
	Signature *Signature     `json:"signature,omitempty"`
	Payload   *Payload       `json:"payload,omitempty"`
	Answer    *Answer        `json:"error_answer,omitempty"`
	Profiles  []Verdict      `json:"profiles,omitempty"`
	Findings  []cert.Finding `json:"findings"` // in the order in which the strict reader would meet them
}

// Token is one compact serialization, or what is in its place.
type Token struct {
	Kind    string   `json:"kind"` // "JWE" or "JWS"
	Parts   []Part   `json:"parts"`
	Members []Member `json:"header"`
	RSABits int      `json:"rsa_bits,omitempty"` // that the encrypted key or signature implies
}

// Part is one part of a token.
type Part struct {
	Name       string     `json:"name"`
	Characters int        `json:"characters"`
	Bytes      int        `json:"bytes"` // decoded
	Level      cert.Level `json:"level"`
	Text       string     `json:"text,omitempty"`
}

// Member is one member of a header. For members that this program does not know, only type
// and length are reported: their values may repeat the payload.
type Member struct {
	Name  string     `json:"name"`
	Value string     `json:"value"`
	Level cert.Level `json:"level"`
	Text  string     `json:"text,omitempty"`
}

// Opening is the result of decrypting with our keys.
type Opening struct {
	Tried   int    `json:"keys_tried"`
	Key     string `json:"key,omitempty"`         // that opens the encrypted key
	How     string `json:"how,omitempty"`         // the padding that was used
	Content string `json:"content,omitempty"`     // how the content opened, or why not
	Bytes   int    `json:"content_bytes"`         // length of the decrypted content
	Trouble string `json:"key_trouble,omitempty"` // a key that could not be used
}

// Signature is the result of verifying with the partner's keys.
type Signature struct {
	Tried int    `json:"keys_tried"`
	Holds bool   `json:"holds"`
	Key   string `json:"key,omitempty"` // that verifies it
	How   string `json:"how,omitempty"`
}

// Payload describes the payload. Text or Base64 is set only with Options.Reveal.
type Payload struct {
	Bytes    int    `json:"bytes"`
	SHA256   string `json:"sha256"`
	JSON     string `json:"json"` // "object", "array", "other value", "no"
	Verified bool   `json:"verified"`
	Text     string `json:"text,omitempty"`
	Base64   string `json:"base64,omitempty"`
}

// Answer is a profile's error body.
type Answer struct {
	Profile string `json:"profile"`
	Outcome string `json:"outcome,omitempty"` // empty: the text is not in the profile's table
	ID      string `json:"id,omitempty"`
	Text    string `json:"text,omitempty"`
}

// Verdict is the result for one profile.
type Verdict struct {
	Profile string         `json:"profile"`
	Legs    []string       `json:"legs"` // "request", "response"
	Fits    bool           `json:"fits"`
	Rules   []cert.Finding `json:"rules"`
}
