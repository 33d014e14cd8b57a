package exchange_test

import (
	"bytes"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"html"
	"slices"
	"strings"
	"testing"

	"github.com/smallstep/pkcs7"
	"golang.org/x/crypto/ssh"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/cert"
	"github.com/sealane/sealane/internal/exchange"
	"github.com/sealane/sealane/internal/registry"
	"github.com/sealane/sealane/keyfile"
)

const octets = "application/octet-stream"

// pairOf is a partner's pair in the forms that leak.
type pairOf struct {
	key       *rsa.PrivateKey
	der       []byte // the certificate
	pem       []byte
	plain     []byte // the private key in PEM
	sum       string // of the public key
	encrypted []byte
}

func newPair(t testing.TB, name string) pairOf {
	t.Helper()
	p := pairOf{key: fresh(t, name)}
	p.der = made(t, p.key)
	p.pem = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: p.der})
	spki, err := x509.MarshalPKIXPublicKey(&p.key.PublicKey)
	fatal(t, err)
	sum := sha256.Sum256(spki)
	p.sum = hex.EncodeToString(sum[:])
	p.plain, err = keyfile.EncodePrivate(p.key, nil)
	fatal(t, err)
	p.encrypted, err = keyfile.EncodePrivate(p.key, []byte("a long passphrase"))
	fatal(t, err)
	return p
}

func fatal(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func (p pairOf) openSSH(t testing.TB, passphrase string) []byte {
	t.Helper()
	block, err := ssh.MarshalPrivateKey(p.key, "")
	if passphrase != "" {
		block, err = ssh.MarshalPrivateKeyWithPassphrase(p.key, "", []byte(passphrase))
	}
	fatal(t, err)
	return pem.EncodeToMemory(block)
}

func (p pairOf) store(t testing.TB) []byte {
	t.Helper()
	c, err := x509.ParseCertificate(p.der)
	fatal(t, err)
	der, err := keyfile.EncodePKCS12(p.key, []*x509.Certificate{c}, []byte("a long passphrase"))
	fatal(t, err)
	return der
}

// blob is a PRIVATEKEYBLOB of Windows.
func (p pairOf) blob() []byte {
	b := append([]byte{7, 2, 0, 0, 0, 0xa4, 0, 0}, "RSA2"...)
	b = binary.LittleEndian.AppendUint32(b, uint32(p.key.N.BitLen()))
	b = binary.LittleEndian.AppendUint32(b, uint32(p.key.E))
	size := p.key.Size()
	for i, n := range [][]byte{p.key.N.Bytes(), p.key.Primes[0].Bytes(), p.key.Primes[1].Bytes(),
		p.key.Precomputed.Dp.Bytes(), p.key.Precomputed.Dq.Bytes(), p.key.Precomputed.Qinv.Bytes(), p.key.D.Bytes()} {
		field := make([]byte, size/2)
		if i == 0 || i == 6 {
			field = make([]byte, size)
		}
		copy(field[len(field)-len(n):], n)
		slices.Reverse(field)
		b = append(b, field...)
	}
	return b
}

func lineByLine(text []byte, before, behind string) string {
	return before + strings.ReplaceAll(strings.TrimSpace(string(text)), "\n", behind+"\r\n"+before) + behind
}

type receiver struct {
	*company
	t testing.TB
}

func (r receiver) receive(data []byte) error {
	_, _, err := r.anna.Receive(r.t.Context(), exchange.Incoming{Partner: "acme", Environment: "STAG", Data: data})
	return err
}

func newReceiver(t *testing.T) receiver {
	h := newCompany(t, "sqlite:"+t.TempDir()+"/r.db")
	h.partner("acme", "rdx", sealane.ClientSide, "STAG")
	return receiver{h, t}
}

// alarm returns the record of the last alarm.
func (r receiver) alarm() string {
	r.t.Helper()
	last := ""
	r.must(r.Store.View(r.t.Context(), func(tx registry.Reader) error {
		all, err := tx.AuditRecords(0, 1000)
		for _, one := range all {
			if one.Action == "exchange.alarm" {
				last = one.Reason
			}
		}
		return err
	}))
	return last
}

// If nobody can see which private key arrived, the certificate with it can't come in any more, and the
// error names it.
func TestHiddenKeyBlocksWhatCameWithIt(t *testing.T) {
	p := newPair(t, "hidden")
	for name, data := range map[string][]byte{
		"certificate and encrypted key": slices.Concat(p.pem, p.encrypted),
		"encrypted key and certificate": slices.Concat(p.encrypted, p.pem),
		"certificate and encrypted SSH": slices.Concat(p.pem, p.openSSH(t, "a passphrase")),
		"certificate and SSH of another": slices.Concat(p.pem,
			[]byte("-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXktdjEAAAAA\n-----END OPENSSH PRIVATE "+
				"KEY-----\n")),
		"PKCS#12 and certificate by mail": letter("multipart/mixed", attached("application/x-pkcs12", "acme.p12",
			p.store(t)), attached("application/pkix-cert", "acme.cer", p.der)),
		"encrypted key quoted in a mail": letter("multipart/mixed", body("text/plain", lineByLine(p.encrypted, "> ",
			"")), attached(octets, "acme.cer", p.der)),
		"key with lines lost in a mail": letter("multipart/mixed", body("text/plain", lineByLine(p.plain, "> * ",
			"")), attached(octets, "acme.cer", p.der)),
		"encrypted key in a page": letter("multipart/mixed", body("text/html", "<p>"+lineByLine(p.encrypted,
			"", "<br>")), attached(octets, "acme.cer", p.der)),
		"certificate in base64": letter("multipart/mixed", attached(octets, "acme.key", p.encrypted),
			body("text/plain", lineByLine(p.pem, "> ", ""))),
		"certificate in PKCS#7": letter("multipart/mixed", attached(octets, "acme.key", p.encrypted),
			attached(octets, "acme.p7b", must1(pkcs7.DegenerateCertificate(p.der)))),
	} {
		t.Run(name, func(t *testing.T) {
			r := newReceiver(t)
			err := r.receive(data)
			if err == nil || strings.Count(said(err), "the alarm is recorded") != 1 || !strings.Contains(said(err),
				p.sum) {
				t.Errorf("not named: %v", err)
			}
			if got := r.alarm(); !strings.Contains(got, p.sum) {
				t.Errorf("the alarm does not name it: %s", got)
			}
			if err := r.receive(p.der); err == nil || !strings.Contains(said(err), "[key-blocked]") {
				t.Errorf("the certificate: %v", err)
			}
		})
	}
}

// A key that can be seen is blocked, and no other: the certificate with it, of another pair, is
// accepted.
func TestVisibleKeyBlocksOnlyItself(t *testing.T) {
	p, other := newPair(t, "visible"), newPair(t, "innocent")
	escaped := `{"private_key":"` + strings.ReplaceAll(string(p.plain), "\n", `\n`) + `"}`
	page := "<html><pre>" + strings.ReplaceAll(html.EscapeString(string(p.plain)), "\n", "<br>\r\n") + "</pre>"
	for name, part := range map[string]string{
		"attached":         attached(octets, "acme.key", p.plain),
		"quoted":           body("text/plain", "You wrote:\r\n"+lineByLine(p.plain, "> ", "")),
		"quoted twice":     body("text/plain", lineByLine(p.plain, "> > ", "")),
		"in a page":        body("text/html", page),
		"quoted in a page": body("text/html", "<p>"+lineByLine(p.plain, "&gt; ", "<br/>")),
		"in a JSON string": attached("application/json", "account.json", []byte(escaped)),
		"quoted-printable": "Content-Type: text/plain\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n" +
			strings.ReplaceAll(string(p.plain), "=\n", "=3D\n"),
		"SSH, unencrypted":  attached(octets, "id_rsa", p.openSSH(t, "")),
		"of Windows":        attached(octets, "acme.blob", p.blob()),
		"in base64, in DER": body("text/plain", base64.StdEncoding.EncodeToString(x509.MarshalPKCS1PrivateKey(p.key))),
		"in a signed mail": attached("application/pkcs7-mime", "smime.p7m", signedBy(t, newPair(t, "signer"),
			[]byte(attached(octets, "acme.key", p.plain)), false)),
		"in a mail in it": body("message/rfc822", string(mailWith("acme.key", p.plain))),
	} {
		t.Run(name, func(t *testing.T) {
			r := newReceiver(t)
			err := r.receive(letter("multipart/mixed", part, attached(octets, "innocent.cer", other.der)))
			if err == nil || strings.Count(said(err), "the alarm is recorded") != 1 || !strings.Contains(said(err),
				p.sum) || strings.Contains(said(err), other.sum) {
				t.Errorf("%v", err)
			}
			if err := r.receive(p.der); err == nil || !strings.Contains(said(err), "[key-blocked]") {
				t.Errorf("its certificate: %v", err)
			}
			if err := r.receive(other.der); err != nil {
				t.Errorf("the other's certificate: %v", err)
			}
		})
	}
}

// All private keys of one file are blocked, not only the first.
func TestAllPrivateKeysOfAFile(t *testing.T) {
	one, two, hidden := newPair(t, "visible"), newPair(t, "innocent"), newPair(t, "hidden")
	r := newReceiver(t)
	if err := r.receive(slices.Concat(one.plain, two.plain)); err == nil || strings.Count(said(err),
		"can't come in any more") != 2 {
		t.Errorf("two: %v", err)
	}
	if err := r.receive(slices.Concat(one.plain, hidden.encrypted, hidden.pem)); err == nil ||
		!strings.Contains(said(err), hidden.sum) {
		t.Errorf("one that is seen and one that is not: %v", err)
	}
	for _, p := range []pairOf{one, two, hidden} {
		if err := r.receive(p.der); err == nil || !strings.Contains(said(err), "[key-blocked]") {
			t.Error(err)
		}
	}
}

// Files that are refused for another reason are looked through before.
func TestPrivateKeysInWhatIsRefused(t *testing.T) {
	p := newPair(t, "refused")
	letters := bytes.Repeat([]byte("a line of a letter, of no interest to anybody\n"), 40_000)
	noise := bytes.Repeat([]byte{0x81, 0xf3, 0x30, 0x82, 0x07}, 500_000)
	deep := attached(octets, "acme.key", p.plain)
	for i := range 9 {
		deep = fmt.Sprintf("Content-Type: multipart/mixed; boundary=d%d\r\n\r\n--d%d\r\n%s\r\n--d%d--\r\n", i, i, deep,
			i)
	}
	var many []string
	for range 100 {
		many = append(many, body("text/plain", "hello"))
	}
	for name, data := range map[string][]byte{
		"large text, key first": slices.Concat(p.plain, letters),
		"large text, key last":  slices.Concat(letters, p.plain),
		"large and binary, DER": slices.Concat(noise, x509.MarshalPKCS1PrivateKey(p.key), noise),
		"large, in base64":      []byte(base64.StdEncoding.EncodeToString(slices.Concat(letters, p.plain))),
		"large, attached":       mailWith("acme.key", slices.Concat(letters, p.plain)),
		"large, of Windows":     slices.Concat(noise, p.blob()),
		"like a partner file":   slices.Concat([]byte("eyJhbGciOiJSUzI1NiJ9\n"), p.plain, []byte("a.b.")),
		"in a partner file": []byte("eyJhbGciOiJSUzI1NiJ9." +
			base64.RawURLEncoding.EncodeToString(p.plain) + ".AAAA"),
		"like a partner file, by mail": mailWith("acme.sealane", slices.Concat([]byte("eyJhbGciOiJSUzI1NiJ9\n"),
			p.plain, []byte("a.b."))),
		"behind many parts": letter("multipart/mixed",
			append(many, attached(octets, "acme.key", p.plain))...),
		"in deep parts": letter("multipart/mixed", deep),
		"behind a broken part": letter("multipart/mixed", "no header at all", attached(octets, "acme.key",
			p.plain)),
		"before the parts": bytes.Replace(letter("multipart/mixed", body("text/plain", "hello")),
			[]byte("--cut"), append(bytes.Clone(p.plain), "--cut"...), 1),
	} {
		t.Run(name, func(t *testing.T) {
			r := newReceiver(t)
			if err := r.receive(data); err == nil || !strings.Contains(said(err), "the alarm is recorded") ||
				!strings.Contains(said(err), p.sum) {
				t.Errorf("%.500v", err)
			}
			if err := r.receive(p.der); err == nil || !strings.Contains(said(err), "[key-blocked]") {
				t.Errorf("its certificate: %v", err)
			}
		})
	}
}

func must1[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// A private key that was seen can't come in any more, whosever it is: that of another partner, or
// ours. What is in use stays until a person revokes it.
func TestVisibleKeyOfOthersIsBlocked(t *testing.T) {
	r := newReceiver(t)
	ctx := t.Context()
	r.partner("victim", "rdx", sealane.ClientSide, "STAG")
	victim, ours := newPair(t, "visible"), newPair(t, "innocent")
	theirs := r.letIn("victim", "STAG", victim.der, "")
	leaf, err := x509.ParseCertificate(ours.der)
	r.must(err)
	r.partner("caller", "rdx", sealane.ServerSide, "STAG")
	pair, _, err := r.anna.ImportKeyPair(ctx, registry.NewPair{Profile: "rdx", Partner: "caller", Environment: "STAG"},
		ours.key, []*x509.Certificate{leaf})
	r.must(err)
	for id, data := range map[string][]byte{"certificate " + theirs.ID: victim.plain, "key pair " +
		pair.ID: ours.plain} {
		if err := r.receive(data); err == nil || !strings.Contains(said(err), "the alarm is recorded") ||
			!strings.Contains(said(err), "It is the key of "+id+" (") {
			t.Errorf("%s: %v", id, err)
		}
	}
	if state := r.certificate(theirs.ID).State; state != registry.Active {
		t.Errorf("the other partner's certificate is %s", state)
	}
	if state := r.certificate(pair.Certificate).State; state != registry.Staged {
		t.Errorf("ours is %s", state)
	}
	for _, der := range [][]byte{victim.der, ours.der} {
		wantRefused(t, "its certificate again", "[key-blocked]", r.receive(der))
	}
	for _, id := range []string{theirs.ID, pair.ID} {
		r.must(r.anna.WithReason("the owner says so").Revoke(ctx, id))
	}
	if a, b := r.certificate(theirs.ID).State, r.certificate(pair.Certificate).State; a != registry.Compromised ||
		b != registry.Compromised {
		t.Errorf("revoked: %s, %s", a, b)
	}
}

// A partner who sends our certificate for them with a private key that can't be read
// does not block our pair.
func TestHiddenKeyDoesNotBlockOurs(t *testing.T) {
	h := newCompany(t, "sqlite:"+t.TempDir()+"/r.db")
	ctx := t.Context()
	h.partner("acme", "riskos", sealane.ServerSide, "PROD")
	pair, c := h.pair("riskos", "acme", "PROD")
	leaf, err := x509.ParseCertificate(c.DER)
	h.must(err)
	data := slices.Concat(cert.EncodePEM(leaf), newPair(t, "hidden").encrypted)
	if _, _, err := h.anna.Receive(ctx, exchange.Incoming{Partner: "acme", Environment: "PROD",
		Data: data}); err == nil || !strings.Contains(said(err), "the alarm is recorded") {
		t.Errorf("%v", err)
	}
	if state := h.certificate(c.ID).State; state != registry.Staged {
		t.Errorf("our certificate is %s", state)
	}
	_, err = h.anna.Offer(ctx, pairWith(pair.ID, "acme"))
	h.must(err)
	h.must(h.anna.MarkInstalled(ctx, exchange.Target{KeyPair: pair.ID})) // its key is not blocked
}
