package registry_test

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/sealane/sealane/cert"
	"github.com/sealane/sealane/internal/exchange"
	"github.com/sealane/sealane/internal/registry"
	"github.com/sealane/sealane/internal/testkey"
)

// A block by the checksum of a file is lifted as a whole: with the public key that was blocked with it.
func TestUnblockByTheFile(t *testing.T) {
	onBoth(t, func(t *testing.T, address string) {
		s, _ := founded(t, address)
		acme(t, s)
		ctx, x := t.Context(), exchange.New(s)
		leaf, _ := issued(t, testkey.RSA(t, "registry unblock", 2048).Public(), nil)
		pem := cert.EncodePEM(leaf)
		in := exchange.Incoming{Partner: "acme", Environment: "PROD", Data: pem}
		c, _, err := x.Receive(ctx, in)
		must(t, err)
		file, other := sha256.Sum256(pem), sha256.Sum256([]byte("other"))
		must(t, only(s.WithReason("key of ID+").BlockKeys(ctx, [][]byte{file[:]})))
		must(t, only(s.WithReason("another list").BlockKeys(ctx, [][]byte{other[:]})))
		_, _, err = x.Receive(ctx, in)
		refused(t, "(SHA-256 ", err)
		lift := s.WithReason("the wrong file was named")
		refused(t, "is not blocked", lift.UnblockKey(ctx, c.SHA256))
		must(t, lift.UnblockKey(ctx, c.SHA256, file[:]))
		_, _, err = x.Receive(ctx, in)
		must(t, err)
		must(t, s.View(ctx, func(tx registry.Reader) error {
			blocks, err := tx.BlockedAfter(registry.Page{})
			lifted := 0
			for _, b := range blocks {
				if !b.Lifted.IsZero() {
					lifted++
				}
			}
			if len(blocks) != 3 || lifted != 2 {
				t.Errorf("%d blocks, %d of them lifted", len(blocks), lifted)
			}
			return err
		}))
		refused(t, "was lifted on", lift.UnblockKey(ctx, file[:]))
	})
}

// Each block that an approval lifts is shown to the approver, with its reason and who made it. Nothing
// else is lifted.
func TestUnblockLiftsWhatWasShown(t *testing.T) {
	onBoth(t, func(t *testing.T, address string) {
		b, ctx := newBank(t, address), t.Context()
		key, file, leaked := digestOf("key"), digestOf("file"), digestOf("leaked")
		block := func(s *registry.Session, sum []byte, reason string) {
			t.Helper()
			must(t, only(s.WithReason(reason).BlockKeys(ctx, [][]byte{sum})))
		}
		block(b.Session, key, "key of ID+")
		block(b.ben, file, "seen in a mail")
		lift := func(s *registry.Session, sums ...[]byte) error {
			return s.WithReason("the wrong line of the list").UnblockKey(ctx, sums...)
		}
		r := waits(t, b.Session, "a blocked key may be used again", lift(b.Session, key, file, leaked))
		for _, shown := range []string{fmt.Sprintf("%x", key), fmt.Sprintf("%x", file), "by anna: key of ID+",
			"by ben: seen in a mail"} {
			if !strings.Contains(string(r.After), shown) {
				t.Errorf("%q is not shown: %s", shown, r.After)
			}
		}
		as, _, err := b.cora.ApproveRequest(ctx, r.ID)
		must(t, err)
		refused(t, "no longer what was shown", lift(as, key))
		block(b.Session, leaked, "its private key was seen") // since the request
		refused(t, "no longer what was shown", lift(as, key, file, leaked))
		must(t, lift(as, key, file))
		refused(t, "was lifted on", lift(b.Session, file))
		must(t, b.View(ctx, func(tx registry.Reader) error {
			still, err := tx.Blocked(leaked)
			if !still.Lifted.IsZero() {
				t.Error("a block that was not shown is lifted")
			}
			return err
		}))
	})
}

// A row that can't be read does not keep anybody from blocking its key.
func TestBlockOfADamagedRow(t *testing.T) {
	onBoth(t, func(t *testing.T, address string) {
		s, _ := founded(t, address)
		c, k := twoLanes(t, s)
		db, ctx := behind(t, address), t.Context()
		db.swap("certificate_text", "body", c.ID, "{")
		db.swap("key_pair", "body", k.ID, "{")
		meddled.Store(t.Name(), 2)
		for _, of := range []struct {
			row string
			sum []byte
		}{{`certificate "` + c.ID, c.SPKISHA256}, {`key pair "` + k.ID, k.SPKISHA256}} {
			ended, err := s.WithReason("it leaked, INC-3").BlockKeys(ctx, [][]byte{of.sum})
			must(t, err)
			if len(ended) != 1 || !strings.HasPrefix(ended[0], of.row) ||
				!strings.Contains(ended[0], "its row is damaged") {
				t.Errorf("ended: %q", ended)
			}
			must(t, s.View(ctx, func(tx registry.Reader) error { return only(tx.Blocked(of.sum)) }))
		}
		sum := sha256.Sum256([]byte("none"))
		must(t, s.View(ctx, func(tx registry.Reader) error {
			if _, err := tx.Blocked(sum[:]); !errors.Is(err, registry.ErrNotFound) {
				t.Error(err)
			}
			return nil
		}))
	})
}

// Who receives the same file again is told where it is, and not to ask for a new key.
func TestSameFileAgain(t *testing.T) {
	s := openSession(t)
	c, _ := twoLanes(t, s)
	ctx, x := t.Context(), exchange.New(s.WithReason("by mistake, again"))
	in := exchange.Incoming{Partner: "acme", Environment: "SANDBOX", Data: c.DER}
	again := func(says string) {
		t.Helper()
		_, _, err := x.Receive(ctx, in)
		refused(t, says, err)
	}
	again("it is in use already: nothing is left to do")
	must(t, x.Retire(ctx, c.ID, true))
	again("undo the end of " + c.ID)
	in.Partner = "other"
	again("make a new key pair")
	leaf, _ := issued(t, testkey.RSA(t, "registry again", 2048).Public(), nil)
	in = exchange.Incoming{Partner: "acme", Environment: "SANDBOX", Data: cert.EncodePEM(leaf)}
	open, _, err := x.Receive(ctx, in)
	must(t, err)
	again("it is here already: go on with " + open.ID)
}
