package exchange_test

import (
	"bytes"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"fmt"
	"strings"
	"testing"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/internal/exchange"
	"github.com/sealane/sealane/internal/registry"
	"github.com/sealane/sealane/keyfile"
	"github.com/sealane/sealane/profile"
)

// mailOf is a saved mail with several files attached, as they are.
func mailOf(files ...[]byte) []byte {
	var b bytes.Buffer
	b.WriteString("From: keys@acme.example\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=x\r\n\r\n")
	for i, file := range files {
		fmt.Fprintf(&b, "--x\r\nContent-Type: application/octet-stream\r\nContent-Disposition: attachment; "+
			"filename=file-%d\r\n\r\n%s\r\n", i, file)
	}
	b.WriteString("--x--\r\n")
	return b.Bytes()
}

// Every private key of a mail is blocked, however much else is wrong with it.
func TestAllPrivateKeysOfAMail(t *testing.T) {
	h := newCompany(t, "sqlite:"+t.TempDir()+"/r.db")
	h.partner("acme", "rdx", sealane.ClientSide, "STAG")
	receive := func(data []byte) error {
		_, _, err := h.anna.Receive(t.Context(), exchange.Incoming{Partner: "acme", Environment: "STAG", Data: data})
		return err
	}
	key := func(name string, passphrase []byte) []byte {
		data, err := keyfile.EncodePrivate(fresh(t, name), passphrase)
		h.must(err)
		return data
	}
	if err := receive(mailOf(key("all 1", nil), key("all 2", nil),
		key("all 3", []byte("a long passphrase")))); err == nil ||
		strings.Count(said(err), "the alarm is recorded") != 3 {
		t.Errorf("three keys: %v", err)
	}
	many := [][]byte{key("all 4", nil)}
	for range 100 {
		many = append(many, []byte("hello"))
	}
	if err := receive(mailOf(many...)); err == nil || !strings.Contains(said(err), "the alarm is recorded") {
		t.Errorf("a key among too many parts: %v", err)
	}
	for _, name := range []string{"all 1", "all 2", "all 4"} {
		if err := receive(made(t, fresh(t, name))); err == nil || !strings.Contains(said(err), "[key-blocked]") {
			t.Errorf("the certificate of %s: %v", name, err)
		}
	}
}

// What nothing was made of is said: an archive may hold anything.
func TestAttachmentsThatAreNotRead(t *testing.T) {
	h := newCompany(t, "sqlite:"+t.TempDir()+"/r.db")
	h.partner("acme", "rdx", sealane.ClientSide, "STAG")
	_, found, err := h.anna.Receive(t.Context(), exchange.Incoming{Partner: "acme", Environment: "STAG",
		Data: bytes.Replace(mailWith("a.cer", made(t, fresh(t, "zip"))),
			[]byte("--frontier--"), []byte("--frontier\r\nContent-Disposition: attachment; "+
				"filename=all.zip\r\n\r\nPK\x03\x04\r\n--frontier--"), 1)})
	if err != nil || !strings.Contains(fmt.Sprint(found), "all.zip") {
		t.Errorf("%v %v", err, found)
	}
}

// A pair of a partner's own, on its way, leaves the shared one in use.
func TestOwnPairBesideTheShared(t *testing.T) {
	h := newCompany(t, "sqlite:"+t.TempDir()+"/r.db")
	ctx := t.Context()
	h.partner("p1", "riskos", sealane.ServerSide, "PROD")
	shared, _ := h.pair("riskos", "", "PROD")
	_, err := h.anna.Offer(ctx, pairWith(shared.ID, "p1"))
	h.must(err)
	h.must(h.anna.MarkInstalled(ctx, pairWith(shared.ID, "p1")))
	own, _ := h.pair("riskos", "p1", "PROD")
	states := func() string {
		var list []string
		for _, k := range h.lane("p1", "PROD").Ours() {
			list = append(list, map[string]string{shared.KeyID: "shared", own.KeyID: "own"}[k.ID]+" "+k.State.String())
		}
		return strings.Join(list, ", ")
	}
	if got := states(); got != "shared active, own staged" {
		t.Error(got)
	}
	_, err = h.anna.Offer(ctx, pairWith(own.ID, "p1"))
	h.must(err)
	h.must(h.anna.MarkInstalled(ctx, exchange.Target{KeyPair: own.ID}))
	if got := states(); got != "own active, shared retiring" {
		t.Error(got)
	}
}

// A profile of our own is kept in the registry; one that does not read any
// more fails its own lanes only.
func TestOwnDialect(t *testing.T) {
	h := newCompany(t, "sqlite:"+t.TempDir()+"/r.db")
	h.meddled = 1
	ctx := t.Context()
	h.partner("p1", "riskos", sealane.ServerSide, "PROD")
	source, err := profile.Source("riskos")
	h.must(err)
	if _, err := h.anna.AddProfile(ctx, source); err == nil || !strings.Contains(said(err), "embedded") {
		t.Errorf("an embedded name: %v", err)
	}
	name, err := h.anna.WithReason("ticket 1").AddProfile(ctx, bytes.Replace(source, []byte("name: riskos"),
		[]byte("name: ours"), 1))
	h.must(err)
	h.partner("p2", name, sealane.ServerSide, "PROD")
	if p := h.lane("p2", "PROD").Profile(); p.Name() != "ours" {
		t.Errorf("profile %s", p.Name())
	}
	h.must(h.Store.Update(ctx, func(tx registry.Tx) error { return tx.PutSetting("profile/ours", []byte("{")) }))
	s, err := h.Snapshot(ctx)
	h.must(err)
	if _, err := s.Lane(named("p2", "PROD")); err == nil {
		t.Error("a lane without a dialect")
	}
	if _, err := s.Lane(named("p1", "PROD")); err != nil {
		t.Error(err)
	}
}

// A checksum that stands in the certificate's own mail confirms nothing: in any length, behind a long
// text, and among any number of others, which are invented.
func TestChecksumsOfTheSameMail(t *testing.T) {
	h := newCompany(t, "sqlite:"+t.TempDir()+"/r.db")
	ctx := t.Context()
	h.partner("acme", "rdx", sealane.ClientSide, "STAG")
	invented := func(n int) (text string) {
		for i := range n {
			sum := sha256.Sum256([]byte{byte(i), byte(i >> 8)})
			text += fmt.Sprintf("X-Sum-%d: %x\r\n", i, sum)
		}
		return text
	}
	for name, around := range map[string]struct{ header, before string }{
		"alone":                 {},
		"behind invented ones":  {header: invented(100)},
		"behind a long text":    {before: strings.Repeat("We thank you for your trust.\r\n", 50_000)},
		"behind a long header":  {header: strings.Repeat("X-Filler: We thank you for your trust.\r\n", 40_000)},
		"behind invented lines": {before: invented(200)},
	} {
		data := made(t, fresh(t, "same mail "+name))
		short, middle, long := sha256.Sum256(data), sha512.Sum384(data), sha512.Sum512(data)
		sums := []string{hexSum(short[:]), hexSum(middle[:]), hexSum(long[:])}
		mail := "From: keys@acme.example\r\n" + around.header + "X-Own: " + sums[0] + "\r\n"
		mail += "MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=cut\r\n\r\n--cut\r\n" +
			"Content-Type: text/plain\r\n\r\n" + around.before + "\r\nSHA-384 " + sums[1] + "\r\n\r\nSHA-512 " +
			sums[2] + "\r\n\r\n--cut\r\nContent-Type: application/octet-stream\r\n" +
			"Content-Disposition: attachment; filename=a.cer\r\nContent-Transfer-Encoding: base64\r\n\r\n" +
			base64.StdEncoding.EncodeToString(data) + "\r\n--cut--\r\n"
		c, _, err := h.anna.Receive(ctx, exchange.Incoming{Partner: "acme", Environment: "STAG", Data: []byte(mail)})
		h.must(err)
		for _, sum := range sums {
			wantRefused(t, name+", "+sum[:8], "came in the same mail",
				only(h.anna.MatchChecksum(ctx, exchange.Comparison{Certificate: c.ID, Checksum: sum})))
		}
		if now := h.certificate(c.ID); now.State != registry.Received || len(now.Provenance.Said) != len(sums) {
			t.Errorf("%s: it is %s, and %d checksums are kept", name, now.State, len(now.Provenance.Said))
		}
		pem := sha256.Sum256(pemOf(data)) // which no mail has said
		h.must(only(h.anna.MatchChecksum(ctx, exchange.Comparison{Certificate: c.ID, Checksum: hexSum(pem[:])})))
	}
	for says, header := range map[string]string{
		"more than 1024 checksums":     invented(1100),
		"more text than the 4194304":   strings.Repeat("X-Filler: We thank you for your trust.\r\n", 120_000),
		"searched for the checksum of": strings.Repeat("X-Filler: We thank you for your trust.\n", 120_000),
	} {
		many := bytes.Replace(mailWith("a.cer", made(t, fresh(t, "same mail many"))), []byte("MIME-Version"),
			[]byte(header+"MIME-Version"), 1)
		_, _, err := h.anna.Receive(ctx, exchange.Incoming{Partner: "acme", Environment: "STAG", Data: many})
		wantRefused(t, "too many", says, err)
	}
	// A large picture is no text.
	picture := append([]byte("\x89PNG\r\n\x1a\n"), make([]byte, 6<<20)...)
	large := mailOf(made(t, fresh(t, "same mail picture")), picture)
	_, _, err := h.anna.Receive(ctx, exchange.Incoming{Partner: "acme", Environment: "STAG", Data: large})
	h.must(err)
}
