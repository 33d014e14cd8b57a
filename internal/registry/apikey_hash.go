package registry

import (
	"crypto/rand"
	"errors"
	"fmt"
	"sync"

	"github.com/sealane/sealane/internal/lanes"
	"github.com/sealane/sealane/internal/rootkey"
)

// SettingHashKey is the setting with the [lanes.HashKey], encrypted under the root key.
const SettingHashKey = "api-key-hash"

// hashKeyContext is what the encrypted HashKey is bound to. It is always the same key: only the root
// key changes.
var hashKeyContext = rootkey.Context{KeyID: SettingHashKey, Purpose: "api-key-hash"}

// openedHashKey is the HashKey as it was opened last.
type openedHashKey struct {
	mu  sync.Mutex
	key *lanes.HashKey
}

// openHashKey opens the HashKey. After a rotation of the root key by another program, it returns the
// one that it opened before.
func (r *Registry) openHashKey(sealed []byte) (*lanes.HashKey, error) {
	if r.Root == nil {
		return nil, errors.New("the key of API keys is encrypted, and there is no root key to open it with")
	}
	secret, err := r.Root.Open(sealed, hashKeyContext)
	if err != nil {
		if before := r.opened.get(); before != nil && errors.Is(err, rootkey.ErrOtherKey) {
			return before, nil
		}
		return nil, fmt.Errorf("the key of API keys: %w", err)
	}
	defer clear(secret)
	key, err := lanes.NewHashKey(secret)
	if err == nil {
		r.opened.set(key)
	}
	return key, err
}

func (o *openedHashKey) get() *lanes.HashKey {
	if o == nil {
		return nil
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.key
}

func (o *openedHashKey) set(key *lanes.HashKey) {
	if o == nil {
		return
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.key = key
}

// hashKey returns the HashKey for a change of API keys. It refuses where the API keys are not
// converted yet.
func (r *Registry) hashKey(tx Reader) (*lanes.HashKey, error) {
	if r.Root == nil {
		return nil, Refuse("API keys are stored with a key that the root key encrypts").Needing(RootKey)
	}
	sealed, err := tx.Setting(SettingHashKey)
	if err != nil {
		return nil, err
	}
	if len(sealed) == 0 {
		return nil, Refuse("%w", lanes.ErrNotConverted).Then(Advice{Action: ActionAPIKeyConvert})
	}
	return r.openHashKey(sealed)
}

// makeHashKey stores a new HashKey under a root key, which must be the registry's.
func makeHashKey(tx Tx, root interface {
	Seal(plaintext []byte, c rootkey.Context) ([]byte, error)
}) (*lanes.HashKey, error) {
	secret := make([]byte, lanes.HashKeySize)
	defer clear(secret)
	_, _ = rand.Read(secret) // never fails
	sealed, err := root.Seal(secret, hashKeyContext)
	if err != nil {
		return nil, err
	}
	if err := tx.PutSetting(SettingHashKey, sealed); err != nil {
		return nil, err
	}
	return lanes.NewHashKey(secret)
}

// rewrapHashKey encrypts the HashKey under the next root key.
func (r *Registry) rewrapHashKey(tx Tx, next *rootkey.Key) error {
	sealed, err := tx.Setting(SettingHashKey)
	if err != nil || len(sealed) == 0 {
		return err
	}
	secret, err := r.Root.Open(sealed, hashKeyContext)
	if err != nil {
		return fmt.Errorf("the key of API keys: %w", err)
	}
	defer clear(secret)
	if sealed, err = next.Seal(secret, hashKeyContext); err != nil {
		return err
	}
	return tx.PutSetting(SettingHashKey, sealed)
}

// bind completes what is stored of an API key that is in use.
func (k *APIKey) bind(key *lanes.HashKey) {
	sum := key.Bind(k.laneRow())
	k.Binding = sum[:]
}

// laneRow returns the row that lanes are made of.
func (k *APIKey) laneRow() lanes.APIKey {
	return lanes.APIKey{
		ID: k.ID, Partner: k.Partner, Environment: k.Environment, HMAC: k.HMAC, Binding: k.Binding, Sealing: k.Sealing,
	}
}
