package cert_test

import (
	"crypto/rsa"
	"math/big"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/sealane/sealane/cert"
	"github.com/sealane/sealane/internal/testcert"
)

func TestKeyID(t *testing.T) {
	for text, want := range map[string]cert.KeyID{
		"1234dadc1234b704c1f23dc4-PKE-ACS-Client-2048SHA2-STAG": {
			Entity: "1234dadc1234b704c1f23dc4", UseCase: "PKE", Component: "ACS", Owner: "Client", Bits: 2048,
			Hash: "SHA2", Environment: "STAG",
		},
		"RDXMETEST-PKE-ACS-CC-2048SHA2-DEV": {
			Entity: "RDXMETEST", UseCase: "PKE", Component: "ACS", Owner: "CC", Bits: 2048, Hash: "SHA2",
			Environment: "DEV",
		},
		"E-U-MPI-O.x_1-4096SHA2-PROD": {
			Entity: "E", UseCase: "U", Component: "MPI", Owner: "O.x_1", Bits: 4096, Hash: "SHA2", Environment: "PROD",
		},
	} {
		got, err := cert.ParseKeyID(text)
		must(t, err)
		if diff := cmp.Diff(want, got); diff != "" || got.String() != text {
			t.Errorf("%s: %s", got, diff)
		}
		built, err := cert.NewKeyID(cert.KeyID{
			Entity: want.Entity, UseCase: want.UseCase, Component: want.Component,
			Owner: want.Owner, Bits: want.Bits, Environment: want.Environment,
		})
		must(t, err)
		if built != want {
			t.Errorf("built %s", built)
		}
	}
}

func TestKeyIDRefuses(t *testing.T) {
	for text, says := range map[string]string{
		"":                                       "empty",
		"A-B-ACS-C-2048SHA2":                     "5 parts",
		"A-B-ACS-C-D-2048SHA2-STAG":              "7 parts",
		"-B-ACS-C-2048SHA2-STAG":                 "part 1 (reason or entity) is empty",
		"A--ACS-C-2048SHA2-STAG":                 "part 2 (use case) is empty",
		"A-B-acs-C-2048SHA2-STAG":                "MPI or ACS",
		"A-B-ACS-C/D-2048SHA2-STAG":              "part 4 (certificate owner)",
		"A-B-ACS-C-1024SHA2-STAG":                "part 5",
		"A-B-ACS-C-02048SHA2-STAG":               "part 5",
		"A-B-ACS-C-2048SHA1-STAG":                "part 5",
		"A-B-ACS-C-2048sha2-STAG":                "part 5",
		"A-B-ACS-C-2048SHA2-":                    "part 6 (environment)",
		"A-B-ACS-C-2048SHA2-STAG1":               "part 6 (environment)",
		"A-B-ACS-C-2048SHA2-STAG ":               "character 24 is blank",
		"A-B-ACS-Ç-2048SHA2-STAG":                "not printable ASCII",
		"A\x00-B-ACS-C-2048SHA2-STAG":            "character 2",
		strings.Repeat("A", 129):                 "129 characters",
		"../../etc-B-ACS-C-2048SHA2-STAG":        "part 1",
		"A'-B-ACS-C-2048SHA2-DEV":                "part 1",
		"%d-B-ACS-C-2048SHA2-STAG":               "part 1",
		"A-B-ACS-C-2048SHA2-STAG\n":              "not printable",
		strings.Repeat("A-B-ACS-C-2048SHA2-", 6): "parts",
	} {
		id, err := cert.ParseKeyID(text)
		wantError(t, err, says)
		if id != (cert.KeyID{}) {
			t.Errorf("%q: a key ID with the error", text)
		}
	}
}

func TestKeyIDCheck(t *testing.T) {
	id, err := cert.ParseKeyID("A-B-ACS-C-4096SHA2-STAG")
	must(t, err)
	fit := &rsa.PublicKey{N: new(big.Int).Lsh(big.NewInt(1), 4095), E: 65537}
	must(t, id.Check(fit, "STAG"))
	wantError(t, id.Check(&testcert.Key().PublicKey, "STAG"), "4096SHA2", "2048 bits")
	wantError(t, id.Check(fit, "PROD"), "STAG", "PROD")
	wantError(t, id.Check(nil, "STAG"), "no RSA key")
}

// TestKeyIDText: a header, a ring and a policy take the same key IDs.
func TestKeyIDText(t *testing.T) {
	for id, ok := range map[string]bool{
		"": false, "k": true, "any text, 'quoted' ../": true, " ": true, "\x7f": false, "a\x00b": false, "\n": false,
		"ä":                      false,
		strings.Repeat("k", 128): true, strings.Repeat("k", 129): false,
	} {
		if err := cert.CheckKeyIDText(id); (err == nil) != ok {
			t.Errorf("%q: %v", id, err)
		}
	}
}
