package registry_test

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/sealane/sealane/cert"
	"github.com/sealane/sealane/internal/audit"
	"github.com/sealane/sealane/internal/exchange"
	"github.com/sealane/sealane/internal/registry"
	"github.com/sealane/sealane/internal/testkey"
)

// inBase64 are 20 to 64 bytes in base64.
var inBase64 = regexp.MustCompile(`"[A-Za-z0-9+/]{27,88}={1,2}"`)

// Records have checksums in hexadecimal, in whatever row or result they are.
func TestChecksumsOfRecordsAreHexadecimal(t *testing.T) {
	b, ctx := newBank(t, "sqlite:"+t.TempDir()+"/r.db"), t.Context()
	x := exchange.New(b.Session)
	leaf, _ := issued(t, testkey.RSA(t, "registry hexadecimal", 2048).Public(), nil)
	sums := cert.Fingerprints(nil, leaf).Rows[0].SHA256.Hex
	mail := fmt.Sprintf("From: ada@acme.example\r\nMIME-Version: 1.0\r\n"+
		"Content-Type: multipart/mixed; boundary=b\r\n\r\n"+
		"--b\r\nContent-Type: text/plain\r\n\r\nSHA-256 %s\r\n--b\r\nContent-Type: application/octet-stream\r\n"+
		"Content-Disposition: attachment; filename=\"acme.pem\"\r\n\r\n%s\r\n"+
		"--b\r\nContent-Disposition: attachment; filename=\"note.txt\"\r\n\r\nhello\r\n--b--\r\n",
		sums, cert.EncodePEM(leaf))
	c, _, err := x.Receive(ctx, exchange.Incoming{Partner: "acme", Environment: "PROD", Data: []byte(mail)})
	must(t, err)
	if len(c.Provenance.Said) == 0 || len(c.Provenance.With) == 0 {
		t.Fatalf("%d said, %d with", len(c.Provenance.Said), len(c.Provenance.With))
	}
	waits(t, b.Session, "unencrypted", b.change(ctx, b.Session, optional))
	must(t, only(b.WithReason("key of ID+").BlockKeys(ctx, [][]byte{c.SPKISHA256, bytes.Repeat([]byte{7}, 32)})))
	must(t, only(b.RecordWeakKey(ctx, registry.WeakKey{Partner: "acme", Environment: "PROD",
		SPKISHA256: bytes.Repeat([]byte{9}, 32)})))
	must(t, b.View(ctx, func(tx registry.Reader) error {
		for r, err := range audit.Records(ctx, tx) {
			must(t, err)
			for _, member := range []json.RawMessage{r.Before, r.After} {
				if found := inBase64.FindAll(member, -1); found != nil {
					t.Errorf("record %d (%s) has %s", r.Seq, r.Action, found)
				}
			}
		}
		return nil
	}))
	var text struct {
		Result []struct {
			Sum string `json:"spki_sha256"`
		} `json:"result"`
	}
	for _, r := range lastRecords(t, b.Session, 2) {
		if r.Action == "key.block" {
			must(t, json.Unmarshal(r.After, &text))
		}
	}
	if len(text.Result) < 2 || text.Result[0].Sum != hex.EncodeToString(c.SPKISHA256) {
		t.Errorf("%+v", text)
	}
}

// Records of an earlier version, which has written some checksums in base64, hold.
func TestRecordsWithChecksumsInBase64(t *testing.T) {
	onBoth(t, func(t *testing.T, address string) {
		b, ctx := newBank(t, address), t.Context()
		r := waits(t, b.Session, "unencrypted", b.change(ctx, b.Session, optional))
		db := behind(t, address)
		inHex, inBase64 := fmt.Sprintf("%x", r.Bound), base64.StdEncoding.EncodeToString(r.Bound)
		seq := last(t, b.Session).Seq
		var after []byte
		must(t, db.QueryRowContext(ctx, fmt.Sprintf("SELECT after FROM audit WHERE seq = %d", seq)).Scan(&after))
		if !strings.Contains(string(after), inHex) {
			t.Fatalf("%s", after)
		}
		db.does(fmt.Sprintf("UPDATE audit SET after = ? WHERE seq = %d", seq),
			bytes.ReplaceAll(after, []byte(inHex), []byte(inBase64)))
		rowsHold(t, b.Registry())
		must(t, only(b.WithReason("not needed now").RejectRequest(ctx, r.ID))) // its record has how the row was
		rowsHold(t, b.Registry())
	})
}

// Only checksums are changed, and only once.
func TestHexSums(t *testing.T) {
	sum := bytes.Repeat([]byte{0xfb, 0xef, 1}, 11)[:32]
	b64, x := base64.StdEncoding.EncodeToString(sum), hex.EncodeToString(sum)
	long := bytes.Repeat([]byte{0xab}, 48)
	for in, want := range map[string]string{
		`{"sha256":"` + b64 + `"}`:                 `{"sha256":"` + x + `"}`,
		`{"sha256": "` + b64 + `"}`:                `{"sha256": "` + x + `"}`,
		`{"with":[{"sha256":"` + b64 + `"}]}`:      `{"with":[{"sha256":"` + x + `"}]}`,
		`{"bound":"` + x + `"}`:                    `{"bound":"` + x + `"}`,
		`{"der":"` + b64 + `"}`:                    `{"der":"` + b64 + `"}`,
		`{"reason":"\"sha256\":\"` + b64 + `\""}`:  `{"reason":"\"sha256\":\"` + b64 + `\""}`,
		`{"said":["` + b64 + `","` + x + `"]}`:     `{"said":["` + x + `","` + x + `"]}`,
		`{"said":["` + b64of(long) + `"],"a":"b"}`: `{"said":["` + hex.EncodeToString(long) + `"],"a":"b"}`,
		`null`: `null`,
	} {
		got := string(registry.HexSums([]byte(in)))
		if got != want || string(registry.HexSums([]byte(got))) != want {
			t.Errorf("%s becomes %s, want %s", in, got, want)
		}
	}
}

func b64of(data []byte) string { return base64.StdEncoding.EncodeToString(data) }
