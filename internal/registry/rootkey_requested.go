package registry

import (
	"bytes"
	"context"
	"encoding/json"
)

// parametersMember is the member that the beginning of a rotation to a passphrase has its parameters in.
const parametersMember = "parameters"

// NextRootParameters returns the parameters by which a passphrase becomes the root key to which the person
// rotates: those of the rotation that is under way, or of one that they have asked a second person for.
// With others the passphrase would be another key than the one that is approved. They are empty if there
// is no such rotation.
func (s *Session) NextRootParameters(ctx context.Context) (next []byte, err error) {
	err = s.View(ctx, func(tx Reader) error {
		if next, err = tx.Setting(settingRootNextParameters); err != nil || len(next) > 0 {
			return err
		}
		next, err = s.requestedParameters(tx)
		return err
	})
	return next, err
}

// requestedParameters returns the parameters of a rotation to a passphrase that the person has asked for.
// All such requests that are open or granted have the same.
func (s *Session) requestedParameters(tx Reader) ([]byte, error) {
	present, err := tx.Setting(settingRootParameters)
	if err != nil {
		return nil, err
	}
	requests, _, err := Readable(tx.Requests(RequestQuery{
		States: []RequestState{RequestOpen, RequestGranted}, By: s.person.ID, Page: Page{Limit: maxRequests},
	}))
	if err != nil {
		return nil, err
	}
	for _, r := range requests {
		var after map[string]json.RawMessage
		if r.Action != ActionRootKeyRotate || !s.registry.now().Before(r.Ends) ||
			json.Unmarshal(r.After, &after) != nil {
			continue
		}
		parameters := after[parametersMember]
		if len(parameters) == 0 || bytes.Equal(parameters, present) { // of a rotation that is done
			continue
		}
		if _, has, err := recordOf(tx, r); err != nil || has {
			return parameters, err
		}
	}
	return nil, nil
}
