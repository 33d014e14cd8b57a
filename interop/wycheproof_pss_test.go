package interop

import (
	"crypto/rsa"
	"testing"

	"github.com/sealane/sealane/internal/alg"
	"github.com/sealane/sealane/keyring"
	"github.com/sealane/sealane/rsaengine"
)

// pssGroup is a group of RSASSA-PSS signatures.
type pssGroup struct {
	vectorGroup
	SHA, MGF, MGFSHA string
	SLen             int
}

// isPS256 reports whether the group's parameters are those of RFC 7518 section 3.5.
func (g pssGroup) isPS256() bool {
	return g.SHA == "SHA-256" && g.MGF == "MGF1" && g.MGFSHA == "SHA-256" && g.SLen == 32
}

const (
	pssOther = "other parameters, refused"
	pssOurs  = "PS256 in the file of another salt, holds"
)

var pssReasons = map[string]string{
	pssOther: "PS256 has SHA-256, MGF1 with SHA-256 and a salt of 32 bytes, and nothing else",
	pssOurs:  "invalid there, because the signer took a salt of 32 bytes: that is PS256",
	sigSize:  "only keys of 2048, 3072 and 4096 bits are used",
}

// pssFiles are all of the module's files of RSASSA-PSS. Those with params in their names
// have the same signatures, with keys whose certificates name parameters.
var pssFiles = map[string]counts{
	"rsa_pss_2048_sha1_mgf1_20_params_test.json":         {pssOther: 88},
	"rsa_pss_2048_sha1_mgf1_20_test.json":                {pssOther: 88},
	"rsa_pss_2048_sha256_mgf1_0_params_test.json":        {pssOurs: 1, pssOther: 102},
	"rsa_pss_2048_sha256_mgf1_0_test.json":               {pssOurs: 1, pssOther: 102},
	"rsa_pss_2048_sha256_mgf1_32_params_test.json":       {sigHolds: 63, sigWrong: 45},
	"rsa_pss_2048_sha256_mgf1_32_test.json":              {sigHolds: 63, sigWrong: 45},
	"rsa_pss_2048_sha256_mgf1sha1_20_test.json":          {pssOther: 108},
	"rsa_pss_2048_sha384_mgf1_48_test.json":              {pssOther: 141},
	"rsa_pss_2048_sha512_224_mgf1_28_test.json":          {pssOther: 100},
	"rsa_pss_2048_sha512_256_mgf1_32_test.json":          {pssOther: 115},
	"rsa_pss_2048_sha512_mgf1sha256_32_params_test.json": {pssOther: 178},
	"rsa_pss_2048_shake128_test.json":                    {pssOther: 114},
	"rsa_pss_2048_shake256_test.json":                    {pssOther: 184},
	"rsa_pss_3072_sha256_mgf1_32_params_test.json":       {sigHolds: 63, sigWrong: 45},
	"rsa_pss_3072_sha256_mgf1_32_test.json":              {sigHolds: 63, sigWrong: 45},
	"rsa_pss_3072_shake128_test.json":                    {pssOther: 114},
	"rsa_pss_3072_shake256_test.json":                    {pssOther: 184},
	"rsa_pss_4096_sha256_mgf1_32_test.json":              {sigHolds: 63, sigWrong: 45},
	"rsa_pss_4096_sha384_mgf1_48_test.json":              {pssOther: 141},
	"rsa_pss_4096_sha512_mgf1_32_params_test.json":       {pssOther: 177},
	"rsa_pss_4096_sha512_mgf1_32_test.json":              {pssOther: 177},
	"rsa_pss_4096_sha512_mgf1_64_params_test.json":       {pssOther: 179},
	"rsa_pss_4096_sha512_mgf1_64_test.json":              {pssOther: 179},
	"rsa_pss_4096_shake256_test.json":                    {pssOther: 184},
	"rsa_pss_misc_params_test.json":                      {sigHolds: 1, pssOther: 149},
	"rsa_pss_misc_test.json":                             {sigHolds: 1, pssOther: 149},
}

// TestWycheproofPSS passes each vector's own message and signature to the verification of
// PS256 in every engine. A signature with other parameters is invalid, no matter how it is
// marked.
func TestWycheproofPSS(t *testing.T) {
	t.Parallel()
	for name, want := range pssFiles {
		t.Run(name, func(t *testing.T) {
			onEveryEngine(t, func(t *testing.T, r *rsaengine.Engine) {
				got := results{}
				for _, g := range groupsOf[pssGroup](t, name) {
					key := g.signatureKey(t)
					if _, err := keyring.New(keyring.Key{State: keyring.Active, Public: key}); err != nil {
						class := refusedSignatureKey(t, key, err)
						for _, v := range g.Tests {
							got.add(class, v)
						}
						continue
					}
					for _, v := range g.Tests {
						got.add(judgePSS(t, r, key, g, v), v)
					}
				}
				got.compare(t, name, want, pssReasons)
			})
		})
	}
}

func judgePSS(t *testing.T, r *rsaengine.Engine, key *rsa.PublicKey, g pssGroup, v vector) (class string) {
	t.Helper()
	operations, err := r.PublicOps(key)
	if err != nil {
		t.Fatal(err)
	}
	digest := alg.PS256.AppendDigest(nil, unhex(t, v.Msg))
	holds, err := alg.PS256.Verify(alg.PublicKey{PublicKey: key, By: operations}, digest, unhex(t, v.Sig))
	if err != nil {
		t.Errorf("%d %s: an error of the key: %v", v.ID, v.Comment, err)
	}
	want := false
	switch {
	case g.SHA == "SHA-256" && g.MGFSHA == "SHA-256" && g.SLen != 32 && v.Comment == "s_len changed to 32":
		class, want = pssOurs, true
	case !g.isPS256():
		class = pssOther
	case v.valid():
		class, want = sigHolds, true
	default:
		class = sigWrong
	}
	if holds != want {
		t.Errorf("%d %s: marked %s, with %s, %s of %s and a salt of %d: holds %t", v.ID, v.Comment, v.Result, g.SHA,
			g.MGF, g.MGFSHA, g.SLen, holds)
	}
	return class
}
