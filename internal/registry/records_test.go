package registry_test

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"strings"
	"testing"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/cert"
	"github.com/sealane/sealane/internal/audit"
	"github.com/sealane/sealane/internal/exchange"
	"github.com/sealane/sealane/internal/registry"
	"github.com/sealane/sealane/internal/testkey"
	"github.com/sealane/sealane/profile"
)

// last is the newest record of the audit log.
func last(t *testing.T, s *registry.Session) (r audit.Record) {
	t.Helper()
	must(t, s.View(t.Context(), func(tx registry.Reader) error {
		head, err := tx.AuditHead()
		must(t, err)
		records, err := tx.AuditRecords(head.Seq-1, 1)
		if len(records) == 1 {
			r = records[0]
		}
		return err
	}))
	return r
}

// The record of a certificate or key pair names it by its checksums, and holds neither
// its bytes nor what would help to guess the answer to a challenge.
func TestRecordOfACertificate(t *testing.T) {
	s, ctx := openSession(t), t.Context()
	acme(t, s)
	k, _, err := s.CreateKeyPair(ctx, registry.NewPair{Profile: "riskos", Partner: "acme", Environment: "PROD",
		Subject: subject})
	must(t, err)
	leaf, authority := issued(t, testkey.RSA(t, "registry record", 2048).Public(), nil)
	x := exchange.New(s)
	c, _, err := x.Receive(ctx, exchange.Incoming{Partner: "acme", Environment: "PROD",
		Data: append(cert.EncodePEM(leaf), cert.EncodePEM(authority)...)})
	must(t, err)
	_, err = x.Challenge(ctx, c.ID, false)
	must(t, err)
	must(t, s.View(ctx, func(tx registry.Reader) error {
		c, err = tx.Certificate(c.ID)
		return err
	}))
	_, err = x.MatchChecksum(ctx, exchange.Comparison{Certificate: c.ID, Checksum: cert.Fingerprints(nil,
		leaf).Rows[0].SHA256.Hex})
	must(t, err)
	if len(c.Chain) != 1 {
		t.Fatalf("%d issuers were kept", len(c.Chain))
	}
	var log bytes.Buffer
	must(t, s.View(ctx, func(tx registry.Reader) error { return audit.Export(ctx, tx, &log) }))
	encoded := base64.StdEncoding.EncodeToString
	for name, data := range map[string][]byte{
		"certificate": c.DER, "public key": c.SPKI, "issuer": c.Chain[0], "file": c.Provenance.File,
		"challenge": c.Provenance.Challenge, "key pair's public key": k.SPKI,
	} {
		if len(data) == 0 || strings.Contains(log.String(), encoded(data)) {
			t.Errorf("%s of %d bytes: it is in the record, or was not kept", name, len(data))
		}
	}
	for name, data := range map[string][]byte{"certificate": c.SHA256, "public key": c.SPKISHA256,
		"key pair": k.SPKISHA256} {
		if !strings.Contains(log.String(), hex.EncodeToString(data)) {
			t.Errorf("the checksum of the %s is not in the record", name)
		}
	}
}

// A dialect that is there as it is, is no change, and has no record. Other rules under its name are
// a change of their own.
func TestSameDialectAgain(t *testing.T) {
	s, ctx := openSession(t), t.Context()
	source, err := profile.Source("riskos")
	must(t, err)
	source = bytes.Replace(source, []byte("name: riskos"), []byte("name: ours"), 1)
	remark := append(source[:len(source):len(source)], "# a remark\n"...)
	s = s.WithReason("as agreed")
	add := func(source []byte) error { return only(s.AddProfile(ctx, source)) }
	change := func(source []byte) error { return s.ChangeProfile(ctx, "ours", source) }
	for i, step := range []struct {
		do     func([]byte) error
		source []byte
		action string // of the record
		says   string // the error
	}{
		{change, source, "", `profile "ours" is not known`},
		{add, source, "profile.add", ""},
		{add, source, "", ""},
		{add, remark, "", "is there with other rules"},
		{change, source, "", "has these rules already"},
		{change, remark, "profile.change", ""},
		{change, bytes.Replace(source, []byte("name: ours"), []byte("name: mine"), 1), "", "that of profile mine"},
	} {
		before := last(t, s)
		if err := step.do(step.source); step.says == "" {
			must(t, err)
		} else {
			refused(t, step.says, err)
		}
		after := last(t, s)
		if recorded := after.Seq != before.Seq; recorded != (step.action != "") || recorded &&
			after.Action != step.action {
			t.Errorf("step %d: record %d after %d: %s", i, after.Seq, before.Seq, after.Action)
		}
	}
	must(t, s.RemoveProfile(ctx, "ours"))
	refused(t, `profile "ours" is not known`, s.RemoveProfile(ctx, "ours"))
	refused(t, "embedded", s.RemoveProfile(ctx, "riskos"))
	must(t, add(source))
	must(t, s.AddPartner(ctx, registry.Partner{ID: "o", Name: "O", Profile: "ours", Side: sealane.ServerSide}))
	refused(t, "that of partner o", s.RemoveProfile(ctx, "ours"))
}
