package inspect_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/internal/inspect"
	"github.com/sealane/sealane/internal/malform"
	"github.com/sealane/sealane/internal/testkey"
	"github.com/sealane/sealane/internal/testlane"
)

// FuzzExamine compares inspect with the strict reader: a message that opens has no fault,
// and a message without a fault opens. The input is a whole message, a change to a correct
// message, or a payload that is sealed. (Keys differ from process to process, so that an
// initial input opens only here.)
func FuzzExamine(f *testing.F) {
	p := testlane.Profile(f, "riskos")
	add := func(data []byte) { f.Add(data, uint16(len(data)*7), byte(0)) }
	for _, v := range malform.Variants() {
		if strings.HasSuffix(string(v.Code), "too-large") {
			continue
		}
		if token, err := v.Make(material(p)); err == nil && len(token) < 10_000 {
			add(token)
		}
	}
	right, err := malform.Make("", material(p))
	if err != nil {
		f.Fatal(err)
	}
	for _, around := range []string{"%s", `{"encrypted_request":"%s"}`, `"%s"`, "Bearer %s", "\ufeff%s", " %s\n",
		`[{"a":"%s"}]`} {
		add([]byte(strings.ReplaceAll(around, "%s", string(right))))
	}
	jws := testkey.Sign(f, []byte(`{"id":"1"}`), keyset().signer)
	parts := bytes.Split(jws, []byte{'.'})
	for _, data := range [][]byte{
		right[1:], jws[1:], right[:len(right)-9], base64.StdEncoding.AppendEncode(nil, right),
		base64.RawURLEncoding.AppendEncode(nil, jws), bytes.Join([][]byte{parts[0], nil, parts[2]}, []byte{'.'}),
		append([]byte("HTTP/1.1 200 OK\r\n\r\n"), right...), append([]byte("a=b&c="), right...),
		bytes.Replace(right, []byte("Oi"), []byte("..."), 1),
	} {
		add(data)
	}
	add([]byte(testlane.ErrorBody(f, "riskos", sealane.ErrDecryption)))
	for _, c := range []byte{1, 'A' ^ '.', 'A' ^ '\n', 0x80} {
		f.Add([]byte("{}"), uint16(500), c)
	}
	strict := lane(f, p)
	o := options(p)
	o.Ours, o.Theirs = o.Ours[:1], o.Theirs[:1]
	check := func(t *testing.T, data []byte) *inspect.Report {
		t.Helper()
		before := bytes.Clone(data)
		r := inspect.Examine(data, o)
		if !bytes.Equal(before, data) {
			t.Fatal("the input was changed")
		}
		if r.Fault != "" && (!r.Fault.Known() || r.Summary == "") {
			t.Errorf("fault %q, summary %q", r.Fault, r.Summary)
		}
		report := text(t, r)
		if strings.ContainsRune(report, 0x1b) || len(report) > 100_000 {
			t.Errorf("a report of %d bytes:\n%.2000q", len(report), report)
		}
		if _, err := json.Marshal(r); err != nil {
			t.Fatal(err)
		}
		if len(r.Around) > 0 {
			return r
		}
		message, err := strict.Open(context.Background(), data)
		if (message != nil) != (r.Fault == "") && r.Kind != inspect.KindAnswer {
			t.Errorf("the reader says %q, inspect %q\n%s", sealane.FaultOf(err), r.Fault, report)
		}
		return r
	}
	k := keyset()
	f.Fuzz(func(t *testing.T, data []byte, at uint16, flip byte) {
		check(t, data)

		changed := bytes.Clone(right)
		changed[int(at)%len(changed)] ^= flip
		check(t, changed)

		signed := testkey.Sign(t, data, k.signer)
		sealed := testkey.Encrypt(t, signed, &k.recipient.PublicKey)
		if r := check(t, sealed); r.Fault != "" || r.Payload == nil || !r.Payload.Verified ||
			r.Payload.Bytes != len(data) {
			t.Errorf("sealed by the codec: %q", r.Fault)
		}
		// Encrypted without a signature, the data is the content.
		content := testkey.Encrypt(t, data, &k.recipient.PublicKey)
		check(t, content)
	})
}
