package store_test

import (
	"slices"
	"testing"
	"time"

	"github.com/sealane/sealane/internal/registry"
	"github.com/sealane/sealane/internal/store"
)

// Who relies on a shared key pair is decided in its own environment, by what was confirmed last:
// neither an own pair of the partner nor a later confirmation in another environment takes a
// partner off the list.
func TestRelyingIsAboutOneEnvironment(t *testing.T) {
	storeOnBoth(t, func(t *testing.T, s *store.Store) {
		shared, later, inDEV := keyPair("shared", "", "PROD"), keyPair("later", "", "PROD"), keyPair("dev", "", "DEV")
		own, ownPROD := keyPair("own", "a", "DEV"), keyPair("own-prod", "b", "PROD")
		for _, k := range []*registry.KeyPair{&shared, &later, &inDEV, &own, &ownPROD} {
			k.Origin = registry.Made
		}
		offer := func(pair, partner string, minute int) *registry.Offer {
			return &registry.Offer{KeyPair: pair, Partner: partner, At: noon,
				Confirmed: noon.Add(time.Duration(minute) * time.Minute)}
		}
		update(t, s, func(tx registry.Tx) error {
			var errs []error
			for _, id := range []string{"a", "b", "c", "d"} {
				dev := environment(id, "DEV")
				errs = append(errs, agreement(tx, id, "PROD"), tx.PutEnvironment(&dev))
			}
			errs = append(errs, tx.PutKeyPair(&shared), tx.PutKeyPair(&later), tx.PutKeyPair(&inDEV),
				tx.PutKeyPair(&own), tx.PutKeyPair(&ownPROD),
				tx.PutOffer(offer("shared", "a", 1)), // has a pair of its own in DEV
				tx.PutOffer(offer("shared", "b", 1)), tx.PutOffer(offer("own-prod", "b", 2)),
				tx.PutOffer(offer("shared", "c", 1)), tx.PutOffer(offer("dev", "c", 2)),
				tx.PutOffer(offer("shared", "d", 1)), tx.PutOffer(offer("later", "d", 2)))
			return all(errs...)
		})
		view(t, s, func(tx registry.Reader) error {
			for _, c := range []struct {
				pair registry.KeyPair
				most int
				want []string
			}{
				{shared, 9, []string{"a", "c"}}, {shared, 1, []string{"a"}}, {later, 9, []string{"d"}},
				{inDEV, 9, []string{"c"}},
			} {
				got, err := tx.Relying(c.pair, c.most)
				if err != nil || !slices.Equal(got, c.want) {
					t.Errorf("on %s rely %q, want %q; %v", c.pair.ID, got, c.want, err)
				}
			}
			return nil
		})
	})
}

// Of two pairs that a partner confirmed at the same moment, it relies on the one that lanes use,
// which is the later in the order of the identities.
func TestRelyingAfterATie(t *testing.T) {
	storeOnBoth(t, func(t *testing.T, s *store.Store) {
		one, two := keyPair("one", "", "PROD"), keyPair("two", "", "PROD")
		update(t, s, func(tx registry.Tx) error {
			errs := []error{agreement(tx, "a", "PROD"), tx.PutKeyPair(&one), tx.PutKeyPair(&two)}
			for _, pair := range []string{"one", "two"} {
				offer := registry.Offer{KeyPair: pair, Partner: "a", At: noon, Confirmed: noon}
				errs = append(errs, tx.PutOffer(&offer))
			}
			return all(errs...)
		})
		view(t, s, func(tx registry.Reader) error {
			for pair, want := range map[*registry.KeyPair]int{&one: 0, &two: 1} {
				got, err := tx.Relying(*pair, 9)
				if err != nil || len(got) != want {
					t.Errorf("on %s rely %q, %v", pair.ID, got, err)
				}
			}
			return nil
		})
	})
}

// A partner relies on a shared pair that is retiring while no other pair can be used: one of its own
// or a shared one that it has confirmed, in the same environment.
func TestRelyingOnARetiringPair(t *testing.T) {
	storeOnBoth(t, func(t *testing.T, s *store.Store) {
		pair := func(id, partner, environment string, state registry.State) *registry.KeyPair {
			k := keyPair(id, partner, environment)
			k.State = state
			return &k
		}
		shared := pair("shared", "", "PROD", registry.Retiring)
		update(t, s, func(tx registry.Tx) error {
			var errs []error
			for _, id := range []string{"a", "b", "c", "d", "e", "f", "g", "h"} {
				dev := environment(id, "DEV")
				errs = append(errs, agreement(tx, id, "PROD"), tx.PutEnvironment(&dev))
			}
			gone, err := tx.Partner("h")
			gone.Archived = noon
			errs = append(errs, err, tx.PutPartner(&gone))
			for _, k := range []*registry.KeyPair{
				shared, pair("own-dev", "a", "DEV", registry.Active),
				pair("own-active", "b", "PROD", registry.Active), pair("shared-dev", "", "DEV", registry.Active),
				pair("other", "", "PROD", registry.Retiring), pair("next", "", "PROD", registry.Active),
				pair("own-staged", "f", "PROD", registry.Staged),
				pair("own-retiring", "g", "PROD", registry.Retiring),
			} {
				errs = append(errs, tx.PutKeyPair(k))
			}
			for _, o := range []registry.Offer{
				{KeyPair: "shared", Partner: "a"}, {KeyPair: "shared", Partner: "b"},
				{KeyPair: "shared", Partner: "c"}, {KeyPair: "shared", Partner: "d"},
				{KeyPair: "shared", Partner: "e"}, {KeyPair: "shared", Partner: "f"},
				{KeyPair: "shared", Partner: "g"}, {KeyPair: "shared", Partner: "h"},
				{KeyPair: "shared-dev", Partner: "c"}, {KeyPair: "other", Partner: "d"},
			} {
				o.At, o.Confirmed = noon, noon
				errs = append(errs, tx.PutOffer(&o))
			}
			return all(append(errs, tx.PutOffer(&registry.Offer{KeyPair: "next", Partner: "e", At: noon}))...)
		})
		view(t, s, func(tx registry.Reader) error {
			got, err := tx.Relying(*shared, 9)
			if want := []string{"a", "c", "e", "f"}; !slices.Equal(got, want) {
				t.Errorf("%q rely on it, want %q", got, want)
			}
			return err
		})
	})
}
