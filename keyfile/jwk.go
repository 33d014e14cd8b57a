package keyfile

import (
	"bytes"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"strings"

	"github.com/sealane/sealane/cert"
	"github.com/sealane/sealane/internal/alg"
	"github.com/sealane/sealane/internal/termtext"
)

// jwk is the RSA form of RFC 7517 and RFC 7518, section 6.3.
type jwk struct {
	KeyType string `json:"kty"`
	Use     string `json:"use,omitempty"`
	Alg     string `json:"alg,omitempty"`
	KeyID   string `json:"kid,omitempty"`
	N       string `json:"n"`
	E       string `json:"e"`
	D       string `json:"d,omitempty"`
	P       string `json:"p,omitempty"`
	Q       string `json:"q,omitempty"`
	DP      string `json:"dp,omitempty"`
	DQ      string `json:"dq,omitempty"`
	QI      string `json:"qi,omitempty"`
}

// JWKParams are the members of a JWK that do not follow from the key. Empty members are left out.
type JWKParams struct {
	// KeyID is the member kid: 1 to 128 printable ASCII characters.
	KeyID string

	// Use is the member use: "enc" or "sig" (RFC 7517, section 4.2).
	Use string

	// Alg is the member alg: the only algorithm that the key is for (RFC 7517, section 4.4), such
	// as "PS256". It must not contradict Use.
	Alg string
}

// EncodeJWK returns the public key as a JWK. The key must pass [cert.CheckKey].
func EncodeJWK(pub *rsa.PublicKey, p JWKParams) ([]byte, error) {
	j, err := publicJWK(pub, p)
	if err != nil {
		return nil, fmt.Errorf("encode public JWK: %w", err)
	}
	return json.MarshalIndent(j, "", "  ")
}

// EncodePrivateJWK returns the private key, unencrypted, with all its CRT members (RFC
// 7518, section 6.3.2). Keep the result as you keep the key.
func EncodePrivateJWK(key *rsa.PrivateKey, p JWKParams) ([]byte, error) {
	j, err := publicJWK(&key.PublicKey, p)
	if err != nil {
		return nil, fmt.Errorf("encode private JWK: %w", err)
	}
	if err := checkPrivate(key); err != nil {
		return nil, fmt.Errorf("encode private JWK: %w", err)
	}
	prime1, prime2 := key.Primes[0], key.Primes[1]
	one := big.NewInt(1)
	j.D = encodeUint(key.D)
	j.P = encodeUint(prime1)
	j.Q = encodeUint(prime2)
	j.DP = encodeUint(new(big.Int).Mod(key.D, new(big.Int).Sub(prime1, one)))
	j.DQ = encodeUint(new(big.Int).Mod(key.D, new(big.Int).Sub(prime2, one)))
	j.QI = encodeUint(new(big.Int).ModInverse(prime2, prime1))
	return json.MarshalIndent(j, "", "  ")
}

func publicJWK(pub *rsa.PublicKey, p JWKParams) (jwk, error) {
	if err := cert.CheckKey(pub); err != nil {
		return jwk{}, err
	}
	if !slices.Contains([]string{"", "enc", "sig"}, p.Use) {
		return jwk{}, fmt.Errorf(`use %q: it must be "enc", "sig" or empty`, p.Use)
	}
	if p.Alg != "" {
		use := useOfAlg(p.Alg)
		switch {
		case use == "":
			return jwk{}, fmt.Errorf("alg %q: it must be empty or one of %s", p.Alg, algNames())
		case p.Use != "" && p.Use != use:
			return jwk{}, fmt.Errorf("alg %q contradicts use %q", p.Alg, p.Use)
		}
	}
	if p.KeyID != "" {
		if err := cert.CheckKeyIDText(p.KeyID); err != nil {
			return jwk{}, err
		}
	}
	return jwk{
		KeyType: alg.RSA, Use: p.Use, Alg: p.Alg, KeyID: p.KeyID,
		N: encodeUint(pub.N), E: encodeUint(big.NewInt(int64(pub.E))),
	}, nil
}

// jwkObjects returns the keys of a JWK set, or the only one of a plain JWK.
func jwkObjects(text []byte) ([]map[string]any, error) {
	object, err := jsonObject(text)
	if err != nil {
		return nil, err
	}
	set, isSet := object["keys"]
	if !isSet {
		return []map[string]any{object}, nil
	}
	list, ok := set.([]any)
	if !ok || len(list) == 0 {
		return nil, errors.New(`the JWK set has no key in "keys": export it again`)
	}
	var keys []map[string]any
	for _, entry := range list {
		key, ok := entry.(map[string]any)
		if !ok {
			return nil, errors.New(`the JWK set has something in "keys" that is not a key: export it again`)
		}
		keys = append(keys, key)
	}
	return keys, nil
}

func onlyJWK(keys []map[string]any) (map[string]any, error) {
	if len(keys) != 1 {
		return nil, fmt.Errorf("the JWK set has %d keys: send exactly the one to be used", len(keys))
	}
	return keys[0], nil
}

// privateMembers are those that only a private or symmetric key has.
var privateMembers = []string{"d", "p", "q", "dp", "dq", "qi", "oth", "k", "priv"}

// holdsPrivate reports whether a private member has a value. Some programs write every
// member that a key may have, the absent ones as null or "". An RSA key has no "k".
func holdsPrivate(object map[string]any) bool {
	for _, name := range privateMembers {
		if name == "k" && object["kty"] == "RSA" {
			continue
		}
		if value := object[name]; value != nil && value != "" {
			return true
		}
	}
	return false
}

// rsaFromJWK reads the public members.
func rsaFromJWK(object map[string]any) (pub *rsa.PublicKey, keyID string, err error) {
	if kty, ok := object["kty"].(string); !ok || kty != "RSA" {
		if !ok {
			return nil, "", errors.New(
				`the JSON has no certificate, and is no JWK, whose member "kty" must be "RSA": ` +
					adviceSendCertificate)
		}
		return nil, "", errors.New(`the JSON is not an RSA JWK: its member "kty" must be "RSA"`)
	}
	if kid, has := object["kid"]; has {
		var ok bool
		if keyID, ok = kid.(string); !ok {
			return nil, "", errors.New(`JWK: member "kid" must be a string`)
		}
		if keyID != "" { // as some writers put it for none
			if err := cert.CheckKeyIDText(keyID); err != nil {
				return nil, "", fmt.Errorf("JWK: %w", err)
			}
		}
	}
	n, err := decodeUint(object, "n")
	if err != nil {
		return nil, "", err
	}
	e, err := decodeUint(object, "e")
	if err != nil {
		return nil, "", err
	}
	if !e.IsInt64() || e.Int64() > 1<<31-1 {
		return nil, "", fmt.Errorf("JWK: %w", cert.ErrKeyExponent)
	}
	return &rsa.PublicKey{N: n, E: int(e.Int64())}, keyID, nil
}

// useOfAlg returns the use of an algorithm (RFC 7517, section 4.4), or "" if it is not a
// known one.
func useOfAlg(name string) string {
	if _, ok := alg.Signatures.Find(name); ok {
		return "sig"
	}
	if _, ok := alg.KeyEncryptions.Find(name); ok {
		return "enc"
	}
	return ""
}

// algNames lists the algorithms that a key can be for.
func algNames() string {
	return strings.Join(slices.Concat(alg.Signatures.Names(), alg.KeyEncryptions.Names()), ", ")
}

// useOfOperation has the operations of RFC 7517, section 4.3.
var useOfOperation = map[string]string{
	"sign": "sig", "verify": "sig",
	"encrypt": "enc", "decrypt": "enc", "wrapKey": "enc", "unwrapKey": "enc",
}

// checkJWKUse returns an error if the key is for another purpose than signing or key
// encryption, or if its members contradict each other about it.
func checkJWKUse(object map[string]any) error {
	use := "" // as alg or use state it
	if member, has := object["alg"]; has {
		name, _ := member.(string)
		if use = useOfAlg(name); use == "" {
			return fmt.Errorf(`JWK: member "alg" is %s: only %s are used; `+
				`export the key for one of these, or without "alg"`,
				termtext.Quote(fmt.Sprint(member)), algNames())
		}
	}
	if member, has := object["use"]; has {
		name, _ := member.(string)
		switch {
		case name != "sig" && name != "enc":
			return fmt.Errorf(`JWK: member "use" is %s: it must be "sig" or "enc" (RFC 7517, section 4.2)`,
				termtext.Quote(fmt.Sprint(member)))
		case use != "" && use != name:
			return fmt.Errorf(`JWK: member "use" is %q and contradicts "alg": export the key again`, name)
		}
		use = name
	}
	if operations, has := object["key_ops"]; has {
		list, _ := operations.([]any)
		return checkKeyOps(list, use)
	}
	return nil
}

func checkKeyOps(operations []any, use string) error {
	seen, ours := map[string]bool{}, false
	for _, o := range operations {
		name, _ := o.(string)
		switch purpose := useOfOperation[name]; {
		case name == "" || seen[name]:
			return errors.New(`JWK: member "key_ops" must list names, each once (RFC 7517, section 4.3)`)
		case purpose != "" && use != "" && purpose != use:
			return fmt.Errorf(`JWK: member "key_ops" has %q and contradicts "use" or "alg": export the key again`,
				name)
		case purpose != "":
			ours = true
		}
		seen[name] = true
	}
	if !ours {
		return errors.New(`JWK: member "key_ops" allows neither signing nor encryption: ` +
			`export the key for one of these, or without "key_ops"`)
	}
	return nil
}

// privateFromJWK reads the private members too. The CRT members must be there and
// right: RFC 7518, section 6.3.2, allows all of them or none.
func privateFromJWK(object map[string]any) (*rsa.PrivateKey, string, error) {
	pub, keyID, err := rsaFromJWK(object)
	if err != nil {
		return nil, "", err
	}
	if err := checkJWKUse(object); err != nil {
		return nil, "", err
	}
	if err := cert.CheckKey(pub); err != nil {
		return nil, "", err
	}
	if _, has := object["oth"]; has {
		return nil, "", errors.New(`JWK: the key has more than two primes ("oth"): make a new pair`)
	}
	var values [6]*big.Int
	for i, name := range []string{"d", "p", "q", "dp", "dq", "qi"} {
		if values[i], err = decodeUint(object, name); err != nil {
			return nil, "", err
		}
		if values[i].Cmp(pub.N) >= 0 || values[i].Sign() == 0 {
			return nil, "", fmt.Errorf("JWK: member %q is out of range: export the key again", name)
		}
	}
	key := &rsa.PrivateKey{PublicKey: *pub, D: values[0], Primes: []*big.Int{values[1], values[2]}}
	key.Precomputed.Dp, key.Precomputed.Dq, key.Precomputed.Qinv = values[3], values[4], values[5]
	if err := checkPrivate(key); err != nil {
		return nil, "", fmt.Errorf("JWK: %w", err)
	}
	key.Precompute()
	return key, keyID, nil
}

// certificatesFromJWK reads "x5c" (RFC 7517, section 4.7). Its first certificate must
// have the key itself.
func certificatesFromJWK(object map[string]any, pub *rsa.PublicKey) ([]*x509.Certificate, error) {
	x5c, has := object["x5c"]
	if !has {
		return nil, nil
	}
	list, ok := x5c.([]any)
	if !ok || len(list) == 0 || len(list) > maxCertificates {
		return nil, fmt.Errorf(`JWK: member "x5c" must be a list of 1 to %d certificates`, maxCertificates)
	}
	var certificates []*x509.Certificate
	for i, entry := range list {
		text, _ := entry.(string)
		der, err := base64.StdEncoding.Strict().DecodeString(text)
		if err != nil {
			return nil, fmt.Errorf(`JWK: entry %d of "x5c" is not padded base64`, i+1)
		}
		if k := recognize(der); k.private() != "" {
			return nil, privateKeyError(k, der)
		}
		if bytes.Contains(der, []byte(pemBegin)) {
			return nil, fmt.Errorf(`JWK: entry %d of "x5c" is the base64 of PEM: it must be that of DER `+
				`(RFC 7517, section 4.7), which is what stands between the lines BEGIN and END`, i+1)
		}
		c, err := parseCertificate(der)
		if err != nil {
			return nil, fmt.Errorf(`JWK: entry %d of "x5c": %w`, i+1, err)
		}
		certificates = append(certificates, c)
	}
	if !pub.Equal(certificates[0].PublicKey) {
		return nil, errors.New(`JWK: the first certificate of "x5c" is for another key than "n" and "e": ` +
			`export both from the same pair`)
	}
	return certificates, checkThumbprint(object, certificates[0])
}

// checkThumbprint compares "x5t#S256" (RFC 7517, section 4.9) with the certificate. It
// ignores the older "x5t", whose SHA-1 proves nothing.
func checkThumbprint(object map[string]any, c *x509.Certificate) error {
	stated, has := object["x5t#S256"]
	if !has {
		return nil
	}
	sum := sha256.Sum256(c.Raw)
	if stated != base64.RawURLEncoding.EncodeToString(sum[:]) {
		return errors.New(`JWK: member "x5t#S256" is not the thumbprint of the first certificate of "x5c": ` +
			`export both from the same pair`)
	}
	return nil
}

// encodeUint returns the Base64urlUInt of RFC 7518, section 2: no leading zero octet.
func encodeUint(x *big.Int) string {
	return base64.RawURLEncoding.EncodeToString(x.Bytes())
}

// decodeUint is the inverse of encodeUint, and as strict: each number has one text.
func decodeUint(object map[string]any, name string) (*big.Int, error) {
	text, ok := object[name].(string)
	if !ok {
		return nil, fmt.Errorf("JWK: member %q is missing or is not a string: export the key again", name)
	}
	if len(text) > 1024 {
		return nil, fmt.Errorf("JWK: member %q is longer than any key of 4096 bits", name)
	}
	octets, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil || base64.RawURLEncoding.EncodeToString(octets) != text {
		return nil, fmt.Errorf("JWK: member %q is not base64url without padding (RFC 7515, section 2)", name)
	}
	if len(octets) == 0 || octets[0] == 0 {
		return nil, fmt.Errorf("JWK: member %q is empty or begins with a zero octet (RFC 7518, section 2): "+
			"export it without", name)
	}
	return new(big.Int).SetBytes(octets), nil
}
