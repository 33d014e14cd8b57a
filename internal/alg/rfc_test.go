package alg

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"slices"
	"strings"
	"testing"
)

// counting returns the bytes 0, 1, 2, … n-1.
func counting(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i)
	}
	return b
}

func unhex(t *testing.T, text string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.Join(strings.Fields(text), ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestRFC7518B seals and opens the examples of RFC 7518 appendix B.1 and B.3, and compares
// every byte.
func TestRFC7518B(t *testing.T) {
	plaintext := []byte("A cipher system must not be required to be secret, and it must be able to fall into the " +
		"hands of the enemy without inconvenience")
	additional := []byte("The second principle of Auguste Kerckhoffs")
	iv := unhex(t, "1af38c2dc2b96ffdd86694092341bc04")
	for _, c := range []struct {
		section         string
		content         *Content
		ciphertext, tag string
	}{
		{"B.1", A128CBCHS256, `
			c80edfa32ddf39d5ef00c0b468834279a2e46a1b8049f792f76bfe54b903a9c9a94ac9b47ad2655c5f10f9aef71427e2
			fc6f9b3f399a221489f16362c703233609d45ac69864e3321cf82935ac4096c86e133314c54019e8ca7980dfa4b9cf1b
			384c486f3a54c51078158ee5d79de59fbd34d848b3d69550a67646344427ade54b8851ffb598f7f80074b9473c82e2db`,
			"652c3fa36b0a7c5b3219fab3a30bc1c4"},
		{"B.3", A256CBCHS512, `
			4affaaadb78c31c5da4b1b590d10ffbd3dd8d5d302423526912da037ecbcc7bd822c301dd67c373bccb584ad3e9279c2
			e6d12a1374b77f077553df829410446b36ebd97066296ae6427ea75c2e0846a11a09ccf5370dc80bfecbad28c73f09b3
			a3b75e662a2594410ae496b2e2e6609e31e6e02cc837f053d21f37ff4f51950bbe2638d09dd7a4930930806d0703b1f6`,
			"4dd3b4c088a7f45c216839645b2012bf2e6269a8c56a816dbc1b267761955bc5"},
	} {
		want := append(unhex(t, c.ciphertext), unhex(t, c.tag)...)
		seals := map[*Content]cbcHMAC{A128CBCHS256: hs256, A256CBCHS512: hs512}[c.content]
		buffer := append(make([]byte, 0, 300), plaintext...)
		got, err := seals.sealWith(counting(c.content.CEK), iv, buffer, additional)
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s: sealed %x, %v", c.section, got, err)
		}
		opened, err := c.content.Open(counting(c.content.CEK), append(bytes.Clone(iv), want...), additional)
		if err != nil || !bytes.Equal(opened, plaintext) {
			t.Errorf("%s: opened %q, %v", c.section, opened, err)
		}
	}
}

// TestRFCTokens opens the contents of tokens whose content encryption key the RFCs print,
// because we do not support their key encryption.
func TestRFCTokens(t *testing.T) {
	cek7516 := []byte{4, 211, 31, 197, 84, 157, 252, 254, 11, 100, 157, 250, 63, 170, 106, 206, 107, 124, 212, 45, 111,
		107, 9, 219, 200, 177, 0, 240, 143, 156, 44, 207}
	cek7520 := unbase64(t, "XctOhJAkA-pD9Lh7ZgW_2A")
	for _, c := range []struct {
		section string
		content *Content
		cek     []byte
		token   string // the encrypted key is left out
		want    string
	}{
		{"RFC 7516 A.2", A128CBCHS256, cek7516, "eyJhbGciOiJSU0ExXzUiLCJlbmMiOiJBMTI4Q0JDLUhTMjU2In0." +
			".AxY8DCtDaGlsbGljb3RoZQ.KDlTtXchhZTGufMYmOYGS4HffxPSUrfmqCHXaI9wOGY.9hH0vgRfYgPnAHOd8stkvw",
			"Live long and prosper."},
		{"RFC 7516 A.3", A128CBCHS256, cek7516, "eyJhbGciOiJBMTI4S1ciLCJlbmMiOiJBMTI4Q0JDLUhTMjU2In0." +
			".AxY8DCtDaGlsbGljb3RoZQ.KDlTtXchhZTGufMYmOYGS4HffxPSUrfmqCHXaI9wOGY.U0m_YmjN04DJvceFICbCVQ",
			"Live long and prosper."},
		{"RFC 7520 5.6", A128GCM, cek7520,
			"eyJhbGciOiJkaXIiLCJraWQiOiI3N2M3ZTJiOC02ZTEzLTQ1Y2YtODY3Mi02MTdiNWI0NTI0M2EiLCJlbmMiOiJBMTI4R0NNIn0." +
				".refa467QzzKx6QAB" +
				".JW_i_f52hww_ELQPGaYyeAB6HYGcR559l9TYnSovc23XJoBcW29rHP8yZOZG7YhLpT1bjFuvZPjQS-m0IFtVcXkZXdH_lr_Frd" +
				"Yt9HRUYkshtrMmIUAyGmUnd9zMDB2n0cRDIHAzFVeJUDxkUwVAE7_YGRPdcqMyiBoCO-FBdE-Nceb4h3-FtBP-c_BIwCPTjb9o0" +
				"SbdcdREEMJMyZBH8ySWMVi1gPD9yxi-aQpGbSv_F9N4IZAxscj5g-NJsUPbjk29-s7LJAGb15wEBtXphVCgyy53CoIKLHHeJHXe" +
				"x45Uz9aKZSRSInZI-wjsY0yu3cT4_aQ3i1o-tiE-F8Ios61EKgyIQ4CWao8PFMj8TTnp" +
				".vbb32Xvllea2OtmHAdccRQ",
			"You can trust us to stick with you through thick and thin\u2013to the bitter end. And you can trust " +
				"us to keep any secret of yours\u2013closer than you keep it yourself. But you cannot trust us to " +
				"let you face trouble alone, and go off without a word. We are your friends, Frodo."},
	} {
		p := strings.Split(c.token, ".")
		sealed := slices.Concat(unbase64(t, p[2]), unbase64(t, p[3]), unbase64(t, p[4]))
		got, err := c.content.Open(bytes.Clone(c.cek), sealed, []byte(p[0]))
		if err != nil || string(got) != c.want {
			t.Errorf("%s: %q, %v", c.section, got, err)
		}
	}
}

func unbase64(t *testing.T, text string) []byte {
	t.Helper()
	b, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
