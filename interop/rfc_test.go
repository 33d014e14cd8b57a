package interop

import (
	"bytes"
	"strings"
	"testing"

	"github.com/sealane/sealane/fault"
	"github.com/sealane/sealane/internal/alg"
	"github.com/sealane/sealane/internal/jose"
	"github.com/sealane/sealane/internal/testkey"
)

// The key of RFC 7515 appendix A.2.1.
var rfc7515A2Key = jwk{
	N: "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZ" +
		"S-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa" +
		"2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PA" +
		"cDTW9gb54h4FRWyuXpoQ",
	E: "AQAB",
	D: "Eq5xpGnNCivDflJsRQBXHx1hdR1k6Ulwe2JZD50LpXyWPEAeP88vLNO97IjlA7_GQ5sLKMgvfTeXZx9SE-7YwVol2NXOoAJe46sui395IW_G" +
		"O-pWJ1O0BkTGoVEn2bKVRUCgu-GjBVaYLU6f3l9kJfFNS3E0QbVdxzubSu3Mkqzjkn439X0M_V51gfpRLI9JYanrC4D4qAdGcopV_0ZHHzQ" +
		"lBjudU2QvXt4ehNYTCBr6XCLQUShb1juUO1ZdiYoFaFQT5Tw8bGUl_x_jTj3ccPDVZFD9pIuhLhBOneufuBiB4cS98l2SR_RQyGWSeWjncz" +
		"T0QU91p1DhOVRuOopznQ",
	P: "4BzEEOtIpmVdVEZNCqS7baC4crd0pqnRH_5IB3jw3bcxGn6QLvnEtfdUdiYrqBdss1l58BQ3KhooKeQTa9AB0Hw_Py5PJdTJNPY8cQn7ouZ2" +
		"KKDcmnPGBY5t7yLc1QlQ5xHdwW1VhvKn-nXqhJTBgIPgtldC-KDV5z-y2XDwGUc",
	Q: "uQPEfgmVtjL0Uyyx88GZFF1fOunH3-7cepKmtH4pxhtCoHqpWmT8YAmZxaewHgHAjLYsp1ZSe7zFYHj7C6ul7TjeLQeZD_YwD66t62wDmpe_" +
		"HlB-TnBA-njbglfIsRLtXlnDzQkv5dTltRJ11BKBBypeeF6689rjcJIDEz9RWdc",
}

// The payload of RFC 7515 appendix A.1 to A.3 and A.5; its lines end in CR LF.
const rfc7515Payload = "{\"iss\":\"joe\",\r\n \"exp\":1300819380,\r\n \"http://example.com/is_root\":true}"

// The token of RFC 7515 appendix A.2.1.
const rfc7515A2 = "eyJhbGciOiJSUzI1NiJ9" +
	".eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ" +
	".cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr" +
	"7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi" +
	"12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypG" +
	"lUPQGe77Rw"

// TestRFC7515A2 also signs: RS256 is deterministic and the header is the one that we write,
// so our token must equal the RFC's.
func TestRFC7515A2(t *testing.T) {
	key := rfc7515A2Key.private(t)
	payload, err := verify(rfc7515A2, &key.PublicKey)
	if err != nil || string(payload) != rfc7515Payload {
		t.Errorf("payload %q, %v", payload, err)
	}
	if token := testkey.Sign(t, []byte(rfc7515Payload), key); string(token) != rfc7515A2 {
		t.Errorf("signed %s", token)
	}
}

// The key of RFC 7516 appendix A.1.3.
var rfc7516A1Key = jwk{
	N: "oahUIoWw0K0usKNuOR6H4wkf4oBUXHTxRvgb48E-BVvxkeDNjbC4he8rUWcJoZmds2h7M70imEVhRU5djINXtqllXI4DFqcI1DgjT9LewND8" +
		"MW2Krf3Spsk_ZkoFnilakGygTwpZ3uesH-PFABNIUYpOiN15dsQRkgr0vEhxN92i2asbOenSZeyaxziK72UwxrrKoExv6kc5twXTq4h-QCh" +
		"LOln0_mtUZwfsRaMStPs6mS6XrgxnxbWhojf663tuEQueGC-FCMfra36C9knDFGzKsNa7LZK2djYgyD3JR_MB_4NUJW_TqOQtwHYbxevoJA" +
		"rm-L5StowjzGy-_bq6Gw",
	E: "AQAB",
	D: "kLdtIj6GbDks_ApCSTYQtelcNttlKiOyPzMrXHeI-yk1F7-kpDxY4-WY5NWV5KntaEeXS1j82E375xxhWMHXyvjYecPT9fpwR_M9gV8n9Hrh" +
		"2anTpTD93Dt62ypW3yDsJzBnTnrYu1iwWRgBKrEYY46qAZIrA2xAwnm2X7uGR1hghkqDp0Vqj3kbSCz1XyfCs6_LehBwtxHIyh8Ripy40p2" +
		"4moOAbgxVw3rxT_vlt3UVe4WO3JkJOzlpUf-KTVI2Ptgm-dARxTEtE-id-4OJr0h-K-VFs3VSndVTIznSxfyrj8ILL6MG_Uv8YAu7VILSB3" +
		"lOW085-4qE3DzgrTjgyQ",
	P: "1r52Xk46c-LsfB5P442p7atdPUrxQSy4mti_tZI3Mgf2EuFVbUoDBvaRQ-SWxkbkmoEzL7JXroSBjSrK3YIQgYdMgyAEPTPjXv_hI2_1eTSP" +
		"VZfzL0lffNn03IXqWF5MDFuoUYE0hzb2vhrlN_rKrbfDIwUbTrjjgieRbwC6Cl0",
	Q: "wLb35x7hmQWZsWJmB_vle87ihgZ19S8lBEROLIsZG4ayZVe9Hi9gDVCOBmUDdaDYVTSNx_8Fyw1YYa9XGrGnDew00J28cRUoeBB_jKI1oma0" +
		"Orv1T9aXIWxKwd4gvxFImOWr3QRL9KEBRzk2RatUBnmDZJTIAfwTs0g68UZHvtc",
}

// The token of RFC 7516 appendix A.1.7.
const rfc7516A1 = "eyJhbGciOiJSU0EtT0FFUCIsImVuYyI6IkEyNTZHQ00ifQ" +
	".OKOawDo13gRp2ojaHV7LFpZcgV7T6DVZKTyKOMTYUmKoTCVJRgckCL9kiMT03JGeipsEdY3mx_etLbbWSrFr05kLzcSr4qKAq7YN7e9jwQRb23" +
	"nfa6c9d-StnImGyFDbSv04uVuxIp5Zms1gNxKKK2Da14B8S4rzVRltdYwam_lDp5XnZAYpQdb76FdIKLaVmqgfwX7XWRxv2322i-vDxRfqNzo_t" +
	"ETKzpVLzfiwQyeyPGLBIO56YJ7eObdv0je81860ppamavo35UgoRdbYaBcoh9QcfylQr66oc6vFWXRcZ_ZT2LawVCWTIy3brGPi6UklfCpIMfIj" +
	"f7iGdXKHzg" +
	".48V1_ALb6US04U3b" +
	".5eym8TW_c8SuK0ltJ3rpYIzOeDQz7TALvtu6UG9oMo4vpzs9tX_EFShS8iB7j6jiSdiwkIr3ajwQzaBtQD_A" +
	".XFBoMYUZodetZdvTiFvSkQ"

// TestRFC7516A1: RSA-OAEP opens if it is allowed, with the content encryption key of
// appendix A.1.2, and is refused otherwise.
func TestRFC7516A1(t *testing.T) {
	w := &witness{PrivateKey: rfc7516A1Key.private(t)}
	plaintext, err := decrypt(rfc7516A1, w)
	if err != nil || string(plaintext) != "The true sign of intelligence is not knowledge but imagination." {
		t.Errorf("plaintext %q, %v", plaintext, err)
	}
	if cek := []byte{177, 161, 244, 128, 84, 143, 225, 115, 63, 180, 3, 255, 107, 154, 212, 246,
		138, 7, 110, 91, 112, 46, 34, 105, 47, 130, 203, 46, 122, 234, 64, 252}; !bytes.Equal(w.gave, cek) {
		t.Errorf("content encryption key %v", w.gave)
	}
	if _, err := jose.ParseEncrypted(nil, []byte(rfc7516A1), maxToken, []*alg.KeyEncryption{alg.RSAOAEP256},
		[]*alg.Content{alg.A256GCM}); faultOf(err) != "jwe.alg-rsa-oaep-sha1" {
		t.Errorf("where RSA-OAEP is not allowed: %v", err)
	}
}

// TestRFCOthers: the appendices' examples of other algorithms and serializations are
// refused for the right reasons. Those of RFC 7520 (sections 4.1 and 5.2) are in
// Wycheproof's files: cases 345 and 129.
func TestRFCOthers(t *testing.T) {
	key := rfc7516A1Key.private(t)
	payload := strings.Split(rfc7515A2, ".")[1]
	for _, c := range []struct {
		section, token string
		want           fault.Code
	}{
		{"RFC 7515 A.1",
			"eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9." + payload + ".dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk",
			"jws.alg-not-allowed"},
		{"RFC 7515 A.3",
			"eyJhbGciOiJFUzI1NiJ9." + payload +
				".DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q",
			"jws.alg-not-allowed"},
		{"RFC 7515 A.5", "eyJhbGciOiJub25lIn0." + payload + ".", "jws.alg-none"},
		{"RFC 7515 A.7",
			`{"payload":"` + payload +
				`","protected":"eyJhbGciOiJFUzI1NiJ9","header":{"kid":"e9bc097a-ce51-4036-9562-d2ade882db0d"},` +
				`"signature":"DtEhU3ljbEg8L38VWAfUAqOyKAM6-` +
				`Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q"}`, "jws.json-serialization"},
	} {
		if got, err := verify(c.token, &key.PublicKey); got != nil || faultOf(err) != c.want {
			t.Errorf("%s: %q, %v, want %s", c.section, got, err, c.want)
		}
	}
	for _, c := range []struct {
		section, token string
		want           fault.Code
	}{
		{"RFC 7516 A.2", "eyJhbGciOiJSU0ExXzUiLCJlbmMiOiJBMTI4Q0JDLUhTMjU2In0" +
			".UGhIOguC7IuEvf_NPVaXsGMoLOmwvc1GyqlIKOK1nN94nHPoltGRhWhw7Zx0-kFm1NJn8LE9XShH59_i8J0PH5ZZyNfGy2xGdULU7s" +
			"HNF6Gp2vPLgNZ__deLKxGHZ7PcHALUzoOegEI-8E66jX2E4zyJKx-YxzZIItRzC5hlRirb6Y5Cl_p-ko3YvkkysZIFNPccxRU7qve1W" +
			"YPxqbb2Yw8kZqa2rMWI5ng8OtvzlV7elprCbuPhcCdZ6XDP0_F8rkXds2vE4X-ncOIM8hAYHHi29NX0mcKiRaD0-D-ljQTP-cFPgwCp" +
			"6X-nZZd9OHBv-B3oWh2TbqmScqXMR4gp_A" +
			".AxY8DCtDaGlsbGljb3RoZQ.KDlTtXchhZTGufMYmOYGS4HffxPSUrfmqCHXaI9wOGY.9hH0vgRfYgPnAHOd8stkvw",
			"jwe.alg-not-allowed"},
		{"RFC 7516 A.3", "eyJhbGciOiJBMTI4S1ciLCJlbmMiOiJBMTI4Q0JDLUhTMjU2In0.6KB707dM9YTIgHtLvtgWQ8mKwboJW3of9lociz" +
			"kDTHzBC2IlrT1oOQ" +
			".AxY8DCtDaGlsbGljb3RoZQ.KDlTtXchhZTGufMYmOYGS4HffxPSUrfmqCHXaI9wOGY.U0m_YmjN04DJvceFICbCVQ",
			"jwe.alg-not-allowed"},
		{"RFC 7516 A.5", `{"protected":"eyJlbmMiOiJBMTI4Q0JDLUhTMjU2In0","unprotected":{"jku":"https://server.exampl` +
			`e.com/keys.jwks"},` +
			`"header":{"alg":"A128KW","kid":"7"},"encrypted_key":"6KB707dM9YTIgHtLvtgWQ8mKwboJW3of9locizkDTHzBC2IlrT` +
			`1oOQ",` +
			`"iv":"AxY8DCtDaGlsbGljb3RoZQ","ciphertext":"KDlTtXchhZTGufMYmOYGS4HffxPSUrfmqCHXaI9wOGY","tag":"Mz-VPPy` +
			`U4RlcuYv1IwIvzw"}`, "jwe.json-serialization"},
		{"RFC 7515 A.2 where a JWE is due", rfc7515A2, "jwe.swapped"},
	} {
		if got, err := decrypt(c.token, key); got != nil || faultOf(err) != c.want {
			t.Errorf("%s: %q, %v, want %s", c.section, got, err, c.want)
		}
	}
}
