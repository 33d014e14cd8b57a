//go:build linux && !android && (amd64 || arm64) && (cgo || sealane_dlopen)

package libcrypto

import (
	"crypto"
	"crypto/fips140"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"math/big"
)

// ps256 are the options that ask for PS256.
var ps256 = &rsa.PSSOptions{Hash: crypto.SHA256, SaltLength: rsa.PSSSaltLengthEqualsHash}

// answers are the known answers that a library is tested with. All values but the message are
// hexadecimal.
type answers struct {
	p, q                 string
	message              string
	signature            string // RS256 of the message
	oaepSHA256, oaepSHA1 string // the message, encrypted
}

// knownAnswers contain a test key, which is public and protects nothing: its primes are the first
// after the hashes of two sentences, as a test shows. The rest was made with crypto/rsa.
var knownAnswers = answers{
	message: "sealane self-test, the message",
	p: "" +
		"f226dc23fc2bfdafd3bd17e442d3f28beef127cd37088801d39b063d0b1a644810f65d0b00f51f22b6eb29052fd118e7" +
		"d86ed3604a37d52ebdc91d305fe463cab8267e4ac4916bc18d29d20af8744f0812071e45fcc37aec15898ce10e5d63f7" +
		"d7f25519be8f7ede548c1b1eef80611702e30e3144d3f6397260923dfdb591a5",
	q: "" +
		"cd7e0d7448e1c76cac258b6ecb798dd7e6022717254b5f45cade1021bd960a6fa914b7adc5e380cf78d7540281b5f000" +
		"d70e73f14896962483791c7841e6266b80fac69eacf6963b13319b316b0228cf530d888546d14503b590870b980082d0" +
		"4dd2c1942c5f59169cfcaafab6bd3bb39242a56290a5ec1d535a0c62708ee127",
	signature: "" +
		"12ea99b26290c1ccc95ed7da0a08f8862c90f02871abda43c8460a101a08e681976cad68162e5d04332579d1999a30d3" +
		"6b727bd721aa17c4ea28516c802481dd749dc4691c2f9fdaa8a08c5350eb049edad553e714e57b39522feaca57c566df" +
		"13efd85c873b89ae302a54644780b59980fcf7f1a223e01c55e1a9cdc7eff6596d0a5ba3037df529c615bb3c5c430de5" +
		"b5088298bee2f0a89b2c97aee5d173c6491f55287f80c0cebaa54d3cedf67a618462dd65d096382c68441e67abeb3626" +
		"74f4d4ca42e1292c241169d483732250fe6b4a4abe06f5eb4274b05a66b3dcb575d5630d8252222de91bb5e9b439d5f6" +
		"a7900eb740db27392afa94e4f5719b07",
	oaepSHA256: "" +
		"aa6e5cd3dabe120747c1d7f6cc9962fd4d95a377b2eb9dbe38021da7c65dc32f9686a6260761d645183f32f4f78acb1c" +
		"ad2a320a73e200d9c81d008ce695c9ccc15241a85a0269ff9b78b067a3b82297c7aaed230ed56328efad6a0535e97ea9" +
		"f4de99c114535808f2987675d31f15bc4df350b1d37413e65c2d7ab1376afff5e67ee883538a4735fc6c3662f47abd46" +
		"f4f3c98711b175e71b1996693991a3575213db241f817f67c90584c11a5a93114d8c5323e4f588bdc307e54271725543" +
		"e58ffb1abbbdcc9eca969f141b0f26b1266ea00612a7e6224051407a693124e61c2623ef59fd058fc9d7695354a34eaa" +
		"9983ef44caf75c413e049e6b4a743253",
	oaepSHA1: "" +
		"5bcccc8a803ea3e31d2887e0741c7a2c13d3226a33a2b46e2f08f1780d9a184ca9a56218ea902a2dd5d5d73615174417" +
		"d6d5f51ffab51a0ab9a9c41477e0c283cc1cb240f7529cc9097a7df35b213c87794c453f007c25f7c93dcb99434b28cc" +
		"1cb4ec7d652de3688db01c70324f68993b897ad94d6a619e60e3e55ee3b5c5ccc2bd9bb4301451c534464d3c5f58ec1e" +
		"548e92a0c3d7cc86c0dcbb681b80fbfb328dd8920fd09fa1440fa0a811ca8945d4886902138e7956acafaae9cf425660" +
		"8dfc8a4ebc6b04b4bd31767b56d36d5821ac03dc822d064e4256354d1e987e57ec9e8c70e82fff900c183606a022e1b5" +
		"fb3a1eece04736c3d913ff1328bf1270",
}

// key computes the private key from the primes.
func (a answers) key() (*rsa.PrivateKey, error) {
	p, okP := new(big.Int).SetString(a.p, 16)
	q, okQ := new(big.Int).SetString(a.q, 16)
	if !okP || !okQ {
		return nil, errors.New("the primes are not hexadecimal")
	}
	one, e := big.NewInt(1), big.NewInt(65537)
	phi := new(big.Int).Mul(new(big.Int).Sub(p, one), new(big.Int).Sub(q, one))
	d := new(big.Int).ModInverse(e, phi)
	if d == nil {
		return nil, errors.New("the primes do not go with the exponent")
	}
	return &rsa.PrivateKey{
		PublicKey: rsa.PublicKey{N: new(big.Int).Mul(p, q), E: int(e.Int64())},
		D:         d,
		Primes:    []*big.Int{p, q},
	}, nil
}

// test tests all operations that the library will be used for, and reports whether OpenSSL's FIPS
// provider performed them.
func (a answers) test(l *Library) (fips bool, err error) {
	private, err := a.key()
	if err != nil {
		return false, err
	}
	key, err := l.NewKey(private)
	if err != nil {
		return false, err
	}
	defer key.Close()
	sum := sha256.Sum256([]byte(a.message))
	signature, err := key.Sign(nil, sum[:], crypto.SHA256)
	if err != nil {
		return false, err
	}
	if hex.EncodeToString(signature) != a.signature {
		return false, errors.New("a signature is not the known one")
	}
	salted, err := key.Sign(nil, sum[:], ps256)
	if err != nil {
		return false, err
	}
	if rsa.VerifyPSS(key.public, crypto.SHA256, sum[:], salted, ps256) != nil {
		return false, errors.New("a signature by RSASSA-PSS does not hold")
	}
	if err := a.opens(key, a.oaepSHA256, crypto.SHA256); err != nil {
		return false, err
	}
	if !fips140.Enforced() { // there SHA-1 is refused before OpenSSL is called
		if err := a.opens(key, a.oaepSHA1, crypto.SHA1); err != nil {
			return false, err
		}
	}
	return l.providerName(l.providerOf(key.handle.pkey)) == "fips", nil
}

// opens tests one ciphertext as it is and with one bit flipped.
func (a answers) opens(key *Key, ciphertext string, hash crypto.Hash) error {
	c, err := hex.DecodeString(ciphertext)
	if err != nil || len(c) == 0 {
		return fmt.Errorf("the known ciphertext of RSA-OAEP with %v is not hexadecimal", hash)
	}
	options := &rsa.OAEPOptions{Hash: hash}
	message, err := key.Decrypt(nil, c, options)
	if err != nil {
		return fmt.Errorf("RSA-OAEP with %v: %w", hash, err)
	}
	if string(message) != a.message {
		return fmt.Errorf("RSA-OAEP with %v: a message is not the known one", hash)
	}
	c[len(c)-1] ^= 1
	if _, err := key.Decrypt(nil, c, options); !errors.Is(err, rsa.ErrDecryption) {
		return fmt.Errorf("RSA-OAEP with %v: a damaged ciphertext is not refused as such: %v", hash, err)
	}
	return nil
}
