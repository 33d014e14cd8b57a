package interop

import "crypto/rsa"

// members are the optional header members that a peer writes. Empty: not there.
type members struct {
	Kid, Typ, Cty string
	Extra         map[string]any // further members, which a reader ignores
}

// job is one message for a peer to make or to read. All of it can be written
// as JSON, keys as PKCS #8 and SubjectPublicKeyInfo, so that a peer may live
// in another process.
type job struct {
	Signed        bool   // RS256 inside; else the payload itself is encrypted
	KeyEncryption string // "RSA-OAEP-256" or "RSA-OAEP", with A256GCM
	Outer, Inner  members

	Private *rsa.PrivateKey // the peer's: signs what it seals, opens what it gets
	Public  *rsa.PublicKey  // ours: encrypts what it seals, verifies what it gets
	Input   []byte          // Seal: the payload; Open: the token
}

// opened is what a peer read.
type opened struct {
	Payload            []byte
	OuterKid, InnerKid string
}

// peer is another JOSE implementation. It must use its library the way that
// the library's documentation shows, allow exactly the job's algorithms, and
// give no payload of a signed message before it has verified the signature.
type peer interface {
	Name() string
	Seal(job) (token []byte, err error)
	Open(job) (opened, error)
}

// peers are all implementations in the matrix.
func peers() []peer { return []peer{goJOSE{}, jwxPeer{}} }
