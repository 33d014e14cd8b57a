package registry

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/sealane/sealane/internal/rootkey"
)

// settingRootEarlier are the IDs of root keys that the registry had before.
const settingRootEarlier = "root-key-earlier"

// noneUnderOther refuses a first root key where private keys are sealed under another one: then
// it is not the first, and the registry's check value was removed.
func noneUnderOther(tx Reader, key *rootkey.Key) error {
	for q := (KeyPairQuery{Page: Page{Limit: 1000}}); ; {
		pairs, err := tx.KeyPairs(q)
		if err != nil {
			return err
		}
		for _, k := range pairs {
			q.After = k.ID
			if len(k.Sealed) == 0 {
				continue
			}
			id, err := rootkey.SealedUnder(k.Sealed)
			if err != nil {
				return fmt.Errorf("key pair %s: %w", k.ID, err)
			}
			if id != key.ID() {
				return fmt.Errorf(
					"%w: key pair %s is sealed under root key %s, and %s is given; the registry has lost "+
						"the value by which it knows its root key: give that one, or restore the registry "+
						"from a backup",
					rootkey.ErrOtherKey,
					k.ID,
					id,
					key.ID(),
				)
			}
		}
		if len(pairs) == 0 {
			return nil
		}
	}
}

// firstHashKey makes the key of API keys together with a registry's first root key. A registry that has
// API keys already converts them first.
func firstHashKey(tx Tx, root *rootkey.Key) error {
	sealed, err := tx.Setting(SettingHashKey)
	if err != nil {
		return err
	}
	if len(sealed) > 0 { // the registry has lost the value by which it knows its root key
		_, err := root.Open(sealed, hashKeyContext)
		return err
	}
	keys, err := tx.APIKeysAfter(Page{Limit: 1})
	if err != nil || len(keys) > 0 {
		return err
	}
	_, err = makeHashKey(tx, root)
	return err
}

func earlierRoots(tx Reader) (ids []string, err error) {
	text, err := tx.Setting(settingRootEarlier)
	if err != nil || len(text) == 0 {
		return nil, err
	}
	if json.Unmarshal(text, &ids) != nil {
		return nil, errors.New("the list of earlier root keys is damaged: restore it from a backup")
	}
	return ids, nil
}

// notEarlier refuses to rotate back to a root key that was replaced: anyone who once had it could
// open what is sealed under it again.
func notEarlier(tx Reader, next *rootkey.Key) error {
	ids, err := earlierRoots(tx)
	if err == nil && slices.Contains(ids, next.ID()) {
		err = Refuse("root key %s was this registry's before, and was replaced: make a new one", next.ID())
	}
	return err
}

// noteEarlier notes the root key that another one replaces.
func noteEarlier(tx Tx, next *rootkey.Key) error {
	check, err := tx.Setting(settingRootCheck)
	if err != nil {
		return err
	}
	id, err := rootkey.CheckedID(check)
	if err != nil || id == next.ID() {
		return err
	}
	ids, err := earlierRoots(tx)
	if err != nil {
		return err
	}
	text, err := json.Marshal(append(ids, id))
	if err != nil {
		return err
	}
	return tx.PutSetting(settingRootEarlier, text)
}
