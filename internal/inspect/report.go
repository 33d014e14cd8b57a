// Package inspect is the doctor: it explains a message that strict
// internal/jose refuses. It reads leniently, goes on behind a fault as far as
// that makes sense, and names what is wrong by the codes of internal/fault. It
// is for people at a command line or console, never for traffic: what it finds
// out is what an opener must not tell the network.
//
// A report holds no key, and no payload unless Options.Reveal is set.
package inspect

import (
	"crypto"
	"crypto/rsa"

	"github.com/sealane/sealane/fault"
	"github.com/sealane/sealane/profile"
)

// Key is a key to try. Ours need Private, theirs Public.
type Key struct {
	Name        string // what the report calls it: a file, an alias
	ID          string // the key ID that was exchanged; empty where not known
	Environment string // DEV, STAG, PROD; empty where not known
	Private     crypto.Decrypter
	Public      *rsa.PublicKey
}

// Options says what a message is held against. All may be empty.
type Options struct {
	// Profiles get a verdict each. Where there are several and the message fits
	// none, the one it fits best decides what the fault is.
	Profiles []*profile.Profile
	Ours     []Key // open the outer token
	Theirs   []Key // verify the inner one
	// AcceptRSAOAEP is a lane's decision to open RSA-OAEP (SHA-1) where its profile lets it.
	AcceptRSAOAEP bool
	Reveal        bool // put the payload into the report
	MaxToken      int  // bytes that are looked at; default what a payload of 64 MiB becomes
}

// Kind is what a message turned out to be.
type Kind string

const (
	KindJWE    Kind = "jwe"
	KindJWS    Kind = "jws"          // alone, without a JWE around it
	KindAnswer Kind = "error-answer" // a profile's error body
	KindJSON   Kind = "json"         // JSON without a token in it
	KindOther  Kind = "other"
)

// Mark is how one thing fared.
type Mark string

const (
	OK   Mark = "ok"
	Bad  Mark = "fault"
	Note Mark = "note" // worth knowing, or not to be decided
)

// Report is the outcome of an examination.
type Report struct {
	Fault     fault.Code `json:"fault,omitempty"` // the first fault; empty: none was found
	Summary   string     `json:"summary"`
	Next      string     `json:"next,omitempty"`
	Kind      Kind       `json:"kind"`
	Bytes     int        `json:"bytes"`
	Around    []string   `json:"around,omitempty"` // what stands around the token, from the outside in
	Outer     *Token     `json:"outer,omitempty"`
	Opening   *Opening   `json:"opening,omitempty"`
	Inner     *Token     `json:"inner,omitempty"`
	Signature *Signature `json:"signature,omitempty"`
	Payload   *Payload   `json:"payload,omitempty"`
	Answer    *Answer    `json:"error_answer,omitempty"`
	Profiles  []Verdict  `json:"profiles,omitempty"`
	Findings  []Finding  `json:"findings"` // in the order in which a strict opener would meet them
}

// Finding is one thing that was found. A note has a code only where it names a
// fault that does not count here.
type Finding struct {
	Code  fault.Code `json:"code,omitempty"`
	Level Mark       `json:"level"` // Bad or Note
	Where string     `json:"where"`
	Text  string     `json:"text"`
	Next  string     `json:"next,omitempty"`
}

// Token is one compact serialization, or what stands for it.
type Token struct {
	Kind    string   `json:"kind"` // "JWE" or "JWS"
	Parts   []Part   `json:"parts"`
	Members []Member `json:"header"`
	RSABits int      `json:"rsa_bits,omitempty"` // that the encrypted key or signature implies
}

// Part is one part of a token.
type Part struct {
	Name       string `json:"name"`
	Characters int    `json:"characters"`
	Bytes      int    `json:"bytes"` // decoded
	Mark       Mark   `json:"mark"`
	Text       string `json:"text,omitempty"`
}

// Member is one member of a header. The values of members that this program
// does not know are told only by type and length: they may repeat the payload.
type Member struct {
	Name  string `json:"name"`
	Value string `json:"value"`
	Mark  Mark   `json:"mark"`
	Text  string `json:"text,omitempty"`
}

// Opening is what came of the keys of ours.
type Opening struct {
	Tried   int    `json:"keys_tried"`
	Key     string `json:"key,omitempty"`         // that opens the encrypted key
	How     string `json:"how,omitempty"`         // the padding with which it does
	Content string `json:"content,omitempty"`     // how the content opened, or why not
	Bytes   int    `json:"content_bytes"`         // what was encrypted
	Trouble string `json:"key_trouble,omitempty"` // a key that could not be used
}

// Signature is what came of the partner's keys.
type Signature struct {
	Tried int    `json:"keys_tried"`
	Holds bool   `json:"holds"`
	Key   string `json:"key,omitempty"` // under which it holds
	How   string `json:"how,omitempty"`
}

// Payload describes what was sealed. Text or Base64 is there only with Options.Reveal.
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
	Outcome string `json:"outcome,omitempty"` // empty: the profile's table does not have the text
	ID      string `json:"id,omitempty"`
	Text    string `json:"text,omitempty"`
}

// Verdict is what one profile says.
type Verdict struct {
	Profile string   `json:"profile"`
	Legs    []string `json:"legs"` // "request", "response"
	Fits    bool     `json:"fits"`
	Rules   []Rule   `json:"rules"`
}

// Rule is one rule of a profile.
type Rule struct {
	Name   string     `json:"name"`
	Mark   Mark       `json:"mark"`
	Code   fault.Code `json:"code,omitempty"`
	Found  string     `json:"found"`
	Wanted string     `json:"wanted,omitempty"`
	Text   string     `json:"text,omitempty"`
}
