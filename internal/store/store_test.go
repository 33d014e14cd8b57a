package store_test

import (
	"bytes"
	"context"
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sealane/sealane/internal/audit"
	"github.com/sealane/sealane/internal/registry"
	"github.com/sealane/sealane/internal/store"
)

// kept puts a row, reads it in another transaction, changes it, and reads it again. Every
// member must be read as it was put.
func kept[T any](t *testing.T, s *store.Store, row T, change func(*T),
	put func(registry.Tx, *T) error, find func(registry.Reader) (T, error), version func(*T) *int64) {
	t.Helper()
	for want := int64(1); want <= 2; want++ {
		update(t, s, func(tx registry.Tx) error { return put(tx, &row) })
		if got := *version(&row); got != want {
			t.Errorf("%T has version %d, want %d", row, got, want)
		}
		view(t, s, func(tx registry.Reader) error {
			got, err := find(tx)
			if diff := cmp.Diff(row, got); diff != "" {
				t.Errorf("put (-), got (+):\n%s", diff)
			}
			return err
		})
		change(&row)
	}

	// An older version, a row that does not exist, and one that exists already.
	for _, c := range []struct {
		version int64
		want    error
	}{{1, registry.ErrConflict}, {0, registry.ErrExists}, {9, registry.ErrConflict}} {
		stale := row
		*version(&stale) = c.version
		err := s.Update(t.Context(), func(tx registry.Tx) error { return put(tx, &stale) })
		if !errors.Is(err, c.want) {
			t.Errorf("%T with version %d: %v, want %v", row, c.version, err, c.want)
		}
		if *version(&stale) != c.version {
			t.Errorf("%T: a Put that failed changed the version", row)
		}
	}
}

func TestRowsComeBackWhole(t *testing.T) {
	storeOnBoth(t, func(t *testing.T, s *store.Store) {
		kept(t, s, partner("acme"), func(p *registry.Partner) { p.Name = "other" },
			func(tx registry.Tx, p *registry.Partner) error { return tx.PutPartner(p) },
			func(tx registry.Reader) (registry.Partner, error) { return tx.Partner("acme") },
			func(p *registry.Partner) *int64 { return &p.Version })
		kept(t, s, environment("acme", "PROD"), func(e *registry.Environment) { e.Account, e.Contacts = "", nil },
			func(tx registry.Tx, e *registry.Environment) error { return tx.PutEnvironment(e) },
			func(tx registry.Reader) (registry.Environment, error) { return tx.Environment("acme", "PROD") },
			func(e *registry.Environment) *int64 { return &e.Version })
		kept(t, s, apiKey("k1", "acme", "PROD"), func(k *registry.APIKey) { k.Revoked = noon },
			func(tx registry.Tx, k *registry.APIKey) error { return tx.PutAPIKey(k) },
			func(tx registry.Reader) (registry.APIKey, error) { return tx.APIKey("k1") },
			func(k *registry.APIKey) *int64 { return &k.Version })
		kept(t, s, keyPair("p1", "acme", "PROD"), func(k *registry.KeyPair) {
			k.State, k.Sealed, k.RootKey, k.KeyID, k.Partner = registry.Destroyed, nil, "", "", ""
		},
			func(tx registry.Tx, k *registry.KeyPair) error { return tx.PutKeyPair(k) },
			func(tx registry.Reader) (registry.KeyPair, error) { return tx.KeyPair("p1") },
			func(k *registry.KeyPair) *int64 { return &k.Version })
		kept(t, s, certificate("c1", registry.Theirs, "acme", "PROD"), func(c *registry.Certificate) {
			c.Owner, c.Partner, c.Chain, c.DER, c.NotAfter = registry.Ours, "", nil, []byte{1}, time.Time{}
			c.Provenance = registry.Provenance{File: []byte("another")}
		},
			func(tx registry.Tx, c *registry.Certificate) error { return tx.PutCertificate(c) },
			func(tx registry.Reader) (registry.Certificate, error) { return tx.Certificate("c1") },
			func(c *registry.Certificate) *int64 { return &c.Version })
		at := noon.Truncate(time.Microsecond)
		kept(t, s, registry.Offer{KeyPair: "p1", Partner: "acme", At: at},
			func(o *registry.Offer) { o.Confirmed = at.Add(time.Hour) },
			func(tx registry.Tx, o *registry.Offer) error { return tx.PutOffer(o) },
			func(tx registry.Reader) (registry.Offer, error) { o, err := tx.Offers("acme"); return o[0], err },
			func(o *registry.Offer) *int64 { return &o.Version })
		kept(t, s, person("ada"), func(p *registry.Person) { p.SHA256, p.Roles = nil, nil },
			func(tx registry.Tx, p *registry.Person) error { return tx.PutPerson(p) },
			func(tx registry.Reader) (registry.Person, error) { return tx.Person("ada") },
			func(p *registry.Person) *int64 { return &p.Version })
	})
}

func TestBlockedKeysStayAsTheyAre(t *testing.T) {
	storeOnBoth(t, func(t *testing.T, s *store.Store) {
		first := registry.Blocked{SPKISHA256: sum("bad"), Reason: "ID+ ключ", By: "ada", At: noon}
		second := first
		second.Reason = "another"
		update(t, s, func(tx registry.Tx) error { return all(tx.PutBlocked(first), tx.PutBlocked(second)) })
		view(t, s, func(tx registry.Reader) error {
			got, err := tx.Blocked(first.SPKISHA256)
			if diff := cmp.Diff(first, got); diff != "" {
				t.Error(diff)
			}
			if _, err := tx.Blocked(sum("good")); !errors.Is(err, registry.ErrNotFound) {
				t.Errorf("a key that is not blocked: %v", err)
			}
			return err
		})
	})
}

func TestSettings(t *testing.T) {
	storeOnBoth(t, func(t *testing.T, s *store.Store) {
		for _, want := range [][]byte{{0, 1, 0xff}, bytes.Repeat([]byte{7}, 1<<20), nil} {
			update(t, s, func(tx registry.Tx) error { return tx.PutSetting("root key", want) })
			view(t, s, func(tx registry.Reader) error {
				got, err := tx.Setting("root key")
				if !bytes.Equal(got, want) {
					t.Errorf("%d bytes came back, of %d", len(got), len(want))
				}
				if other, err := tx.Setting("other"); len(other) != 0 || err != nil {
					t.Errorf("a setting that is not there: %v, %v", other, err)
				}
				return err
			})
		}
	})
}

func TestAuditRecordsComeBackByteForByte(t *testing.T) {
	storeOnBoth(t, func(t *testing.T, s *store.Store) {
		view(t, s, func(tx registry.Reader) error {
			head, err := tx.AuditHead()
			if diff := cmp.Diff(audit.Head{}, head); diff != "" {
				t.Error(diff)
			}
			return err
		})
		var want []audit.Record
		for seq := int64(1); seq <= 5; seq++ {
			r := record(seq)
			if seq == 3 {
				r.Before, r.After = nil, nil
			}
			want = append(want, r)
		}
		update(t, s, func(tx registry.Tx) error { return all(tx.AppendAudit(want[0]), tx.AppendAudit(want[1])) })
		update(t, s, func(tx registry.Tx) error {
			return all(tx.AppendAudit(want[2]), tx.AppendAudit(want[3]), tx.AppendAudit(want[4]))
		})
		view(t, s, func(tx registry.Reader) error {
			got, err := tx.AuditRecords(0, 10)
			if diff := cmp.Diff(want, got, cmp.Comparer(sameTime)); diff != "" {
				t.Error(diff)
			}
			some, someErr := tx.AuditRecords(2, 2)
			if someErr != nil || len(some) != 2 || some[0].Seq != 3 || some[1].Seq != 4 {
				t.Errorf("two records behind 2: %v, %v", some, err)
			}
			head, headErr := tx.AuditHead()
			last := audit.Head{Seq: 5, Hash: want[4].Hash, Time: want[4].Time}
			if diff := cmp.Diff(last, head, cmp.Comparer(sameTime)); diff != "" {
				t.Error(diff)
			}
			return all(err, headErr)
		})
		for _, seq := range []int64{5, 7, 0} {
			err := s.Update(t.Context(), func(tx registry.Tx) error { return tx.AppendAudit(record(seq)) })
			if !errors.Is(err, registry.ErrConflict) {
				t.Errorf("record %d behind 5: %v", seq, err)
			}
		}
	})
}

// sameTime reports whether two times are the same moment with the same offset.
func sameTime(a, b time.Time) bool {
	return a.Equal(b) && a.Format(time.RFC3339Nano) == b.Format(time.RFC3339Nano)
}

func TestLargeValues(t *testing.T) {
	storeOnBoth(t, func(t *testing.T, s *store.Store) {
		c := certificate("c", registry.Ours, "", "PROD")
		c.DER, c.Provenance.File = bytes.Repeat([]byte{0xa5}, 1<<20), bytes.Repeat([]byte{0}, 1<<20)
		c.Provenance.CallBack = strings.Repeat("é", 1<<19)
		update(t, s, func(tx registry.Tx) error { return tx.PutCertificate(&c) })
		view(t, s, func(tx registry.Reader) error {
			got, err := tx.Certificate("c")
			if !reflect.DeepEqual(c, got) {
				t.Error("a certificate with 1 MiB in it came back changed")
			}
			return err
		})
	})
}

func TestUsesOfAPIKeys(t *testing.T) {
	storeOnBoth(t, func(t *testing.T, s *store.Store) {
		minute := noon.Truncate(time.Minute)
		k := apiKey("k", "acme", "PROD")
		update(t, s, func(tx registry.Tx) error { return all(agreement(tx, "acme", "PROD"), tx.PutAPIKey(&k)) })
		for _, at := range []time.Time{minute, minute.Add(-time.Hour)} { // the second came late
			if err := s.UsedAPIKeys(t.Context(), map[string]time.Time{"k": at, "gone": at}); err != nil {
				t.Error(err)
			}
		}
		k.Label = "changed by somebody who read it before it was used"
		update(t, s, func(tx registry.Tx) error { return tx.PutAPIKey(&k) })
		k.LastUsed = minute
		view(t, s, func(tx registry.Reader) error {
			for _, find := range []func() (registry.APIKey, error){
				func() (registry.APIKey, error) { return tx.APIKey("k") },
				func() (registry.APIKey, error) { return tx.APIKeyByHMAC(sum("key k")) },
			} {
				got, err := find()
				if diff := cmp.Diff(k, got); diff != "" || err != nil {
					t.Error(diff, err)
				}
			}
			return nil
		})
	})
}

func TestNothingOfAFailedChangeStays(t *testing.T) {
	storeOnBoth(t, func(t *testing.T, s *store.Store) {
		wrong := errors.New("wrong")
		p := partner("acme")
		err := s.Update(t.Context(), func(tx registry.Tx) error { return all(tx.PutPartner(&p), wrong) })
		if err != wrong {
			t.Error(err)
		}
		func() {
			defer func() {
				if recover() != "boom" {
					t.Error("the panic did not come through")
				}
			}()
			s.Update(t.Context(), func(tx registry.Tx) error {
				p := partner("acme")
				if err := tx.PutPartner(&p); err != nil {
					t.Error(err)
				}
				panic("boom")
			})
		}()
		ctx, cancel := context.WithCancel(t.Context())
		err = s.Update(ctx, func(tx registry.Tx) error {
			p := partner("acme")
			err := tx.PutPartner(&p)
			cancel()
			q := partner("late")
			if err := tx.PutPartner(&q); !errors.Is(err, context.Canceled) {
				t.Errorf("a statement after the context's end: %v", err)
			}
			return err
		})
		if !errors.Is(err, context.Canceled) {
			t.Errorf("a cancelled change: %v", err)
		}
		if err := s.View(ctx, func(registry.Reader) error { return nil }); !errors.Is(err, context.Canceled) {
			t.Errorf("a read with a cancelled context: %v", err)
		}
		err = s.View(t.Context(), func(tx registry.Reader) error {
			p := partner("acme")
			return tx.(registry.Tx).PutPartner(&p) // whatever its type says
		})
		if err == nil || !strings.Contains(err.Error(), "changes nothing") {
			t.Errorf("a change in a look: %v", err)
		}
		view(t, s, func(tx registry.Reader) error {
			got, err := tx.Partners(registry.Page{})
			if len(got) != 0 {
				t.Errorf("partners %v are there", got)
			}
			return err
		})
	})
}
