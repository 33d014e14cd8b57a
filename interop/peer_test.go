package interop

import (
	"bytes"
	"cmp"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/sha512"
	"strings"
	"testing"

	"github.com/sealane/sealane/internal/alg"
	"github.com/sealane/sealane/internal/malform"
	"github.com/sealane/sealane/internal/testkey"
)

// members are the optional header members that a peer writes. Empty ones are omitted.
type members struct {
	Kid, Typ, Cty string
	Extra         map[string]any // further members, which a reader ignores
}

// job is one message for a peer to seal or open. It has no types that only Go has, so that
// a peer may be in another process.
type job struct {
	Signed        bool   // a JWS inside; else the payload itself is encrypted
	KeyEncryption string // "RSA-OAEP-256" or "RSA-OAEP"
	Signature     string // the JWS's alg; empty: RS256
	Content       string // the JWE's enc; empty: A256GCM
	Outer, Inner  members

	Private *rsa.PrivateKey // the peer's: signs what it seals, opens what it gets
	Public  *rsa.PublicKey  // ours: encrypts what it seals, verifies what it gets
	Input   []byte          // Seal: the payload; Open: the token
}

// complete fills in the algorithms that are empty.
func (j job) complete() job {
	j.Signature, j.Content = cmp.Or(j.Signature, alg.RS256.Name), cmp.Or(j.Content, alg.A256GCM.Name)
	return j
}

// opened is the result of a peer.
type opened struct {
	Payload            []byte
	OuterKid, InnerKid string
}

// peer is another JOSE implementation. It must use its library as the library's
// documentation shows, allow exactly the job's algorithms, and return no payload of a
// signed message before it has verified the signature.
type peer interface {
	Name() string
	Ready(testing.TB) // skips the test, by name, if the peer is not available
	Seal(job) (token []byte, err error)
	Open(job) (opened, error)
}

// peers lists all implementations in the matrix.
func peers() []peer {
	all := []peer{goJOSE{}, jwxPeer{}}
	for _, f := range foreignPeers {
		all = append(all, f)
	}
	return all
}

// TestPeersAreStrict checks that peers fulfil their contract: one that returned a payload
// for any input would pass half of the matrix. They must answer a refusal with an error:
// the peer opens the last message, which is correct.
func TestPeersAreStrict(t *testing.T) {
	ours, theirs, other := testkey.RSA(t, "ours", 2048), testkey.RSA(t, "peer", 2048), testkey.RSA(t, "other", 2048)
	payload := []byte(`{"n":1.10}`)
	rs256 := b64([]byte(`{"alg":"RS256"}`))
	signed := rawJWS(t, rs256, b64(payload), ours)
	seal := func(inner string) string { return sealTo(t, &theirs.PublicKey, inner) }
	good := seal(signed)

	for _, p := range peers() {
		t.Run(p.Name(), func(t *testing.T) {
			p.Ready(t)
			for _, c := range []struct{ name, token string }{
				{"encrypted to another key", sealTo(t, &other.PublicKey, signed)},
				{"RSA-OAEP", sealSHA1(t, &theirs.PublicKey, signed)},
				{"A128GCM", sealA128(t, &theirs.PublicKey, signed)},
				{"another tag", changeTag(good)},
				{"signed by another key", seal(rawJWS(t, rs256, b64(payload), other))},
				{"another payload", seal(strings.Replace(signed, b64(payload), b64([]byte("{}")), 1))},
				{"RS512", seal(signRS512(t, payload, ours))},
				{"alg none", seal(b64([]byte(`{"alg":"none"}`)) + "." + b64(payload) + ".")},
				{"not signed", seal(string(payload))},
				{"not encrypted", signed},
				{"nothing", ""},
			} {
				got, err := p.Open(strictJob(theirs, ours, c.token))
				if err == nil || got.Payload != nil {
					t.Errorf("%s: %q, %v", c.name, got.Payload, err)
				}
			}
			got, err := p.Open(strictJob(theirs, ours, good))
			if err != nil || !bytes.Equal(got.Payload, payload) {
				t.Errorf("as it should be: %q, %v", got.Payload, err)
			}
		})
	}
}

// TestPeersAreStrictOfOthers is the same for algorithms that no shipped profile names.
func TestPeersAreStrictOfOthers(t *testing.T) {
	ours, theirs := testkey.RSA(t, "ours", 2048), testkey.RSA(t, "peer", 2048)
	payload := []byte(`{"n":1.10}`)
	for _, enc := range []*alg.Content{alg.A128GCM, alg.A128CBCHS256, alg.A256CBCHS512} {
		seal := func(signature *alg.Signature, c *alg.Content) string {
			token, err := malform.Make("", malform.Material{
				Payload:   payload,
				Signer:    ours,
				Recipient: &theirs.PublicKey,
				Nested:    true,
				Signature: signature,
				Content:   c,
			})
			if err != nil {
				t.Fatal(err)
			}
			return string(token)
		}
		good := seal(alg.PS256, enc)
		for _, p := range peers() {
			t.Run(enc.Name+"/"+p.Name(), func(t *testing.T) {
				p.Ready(t)
				for name, token := range map[string]string{
					"RS256":       seal(alg.RS256, enc),
					"A256GCM":     seal(alg.PS256, alg.A256GCM),
					"another tag": changeTag(good),
				} {
					j := strictJob(theirs, ours, token)
					j.Signature, j.Content = alg.PS256.Name, enc.Name
					if got, err := p.Open(j); err == nil || got.Payload != nil {
						t.Errorf("%s: %q, %v", name, got.Payload, err)
					}
				}
				j := strictJob(theirs, ours, good)
				j.Signature, j.Content = alg.PS256.Name, enc.Name
				if got, err := p.Open(j); err != nil || !bytes.Equal(got.Payload, payload) {
					t.Errorf("as it should be: %q, %v", got.Payload, err)
				}
			})
		}
	}
}

func strictJob(private, signer *rsa.PrivateKey, token string) job {
	return job{
		Signed:        true,
		KeyEncryption: "RSA-OAEP-256",
		Private:       private,
		Public:        &signer.PublicKey,
		Input:         []byte(token),
	}
}

var strictCEK = bytes.Repeat([]byte{7}, 32)

func sealTo(t testing.TB, key *rsa.PublicKey, inner string) string {
	c := content{
		cek:          strictCEK,
		iv:           make([]byte, 12),
		encryptedKey: encryptCEK(t, strictCEK, key),
		plaintext:    []byte(inner),
	}
	return c.rawJWE(t, b64([]byte(rsaOAEP256Header)))
}

func sealA128(t testing.TB, key *rsa.PublicKey, inner string) string {
	cek := strictCEK[:16]
	c := content{cek: cek, iv: make([]byte, 12), encryptedKey: encryptCEK(t, cek, key), plaintext: []byte(inner)}
	return c.rawJWE(t, b64([]byte(`{"alg":"RSA-OAEP-256","enc":"A128GCM"}`)))
}

func sealSHA1(t testing.TB, key *rsa.PublicKey, inner string) string {
	encrypted, err := rsa.EncryptOAEP(sha1.New(), rand.Reader, key, strictCEK, nil)
	if err != nil {
		t.Fatal(err)
	}
	c := content{cek: strictCEK, iv: make([]byte, 12), encryptedKey: encrypted, plaintext: []byte(inner)}
	return c.rawJWE(t, b64([]byte(`{"alg":"RSA-OAEP","enc":"A256GCM"}`)))
}

func signRS512(t testing.TB, payload []byte, key *rsa.PrivateKey) string {
	input := b64([]byte(`{"alg":"RS512"}`)) + "." + b64(payload)
	digest := sha512.Sum512([]byte(input))
	signature, err := rsa.SignPKCS1v15(nil, key, crypto.SHA512, digest[:])
	if err != nil {
		t.Fatal(err)
	}
	return input + "." + b64(signature)
}

// changeTag changes the tag's first character.
func changeTag(token string) string {
	at := strings.LastIndexByte(token, '.') + 1
	first := byte('A')
	if token[at] == first {
		first = 'B'
	}
	return token[:at] + string(first) + token[at+1:]
}
