package registry

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"maps"
	"time"

	"github.com/sealane/sealane/internal/audit"
)

// recorder is the transaction of a change. It notes which rows are stored, so that no change has
// to name them: its record has each of them as it is at the end.
//
// It embeds what reads only. A method that stores has to be written here, or the program does
// not build.
type recorder struct {
	Reader
	tx Tx

	stored []storedRow // in the order in which they were stored first
	noted  map[rowName]bool
	was    map[rowName]hexSum // the SHA-256 of each row that was there before

	touched []touched // whose renewals follow
	touches map[touched]bool
}

var _ Tx = (*recorder)(nil)

// storedRow is a row that was stored by a change, and how it is read again.
type storedRow struct {
	name rowName
	read func() (any, error)
}

func newRecorder(tx Tx) *recorder {
	return &recorder{Reader: tx, tx: tx, noted: map[rowName]bool{}, was: map[rowName]hexSum{},
		touches: map[touched]bool{}}
}

// note stores a row by put, and notes it. Before the first time it notes how the row was, so that
// a row that was changed in the database itself is found though a change has followed.
func note[T any](r *recorder, put func() error, name rowName, read func() (T, error)) error {
	if r.noted[name] {
		return put()
	}
	was, err := read()
	damaged, isDamaged := errors.AsType[*DamagedRow](err)
	switch {
	case err == nil:
		_, form, _, err := recordedRow(was)
		if err != nil {
			return err
		}
		sum := sha256.Sum256(form)
		r.was[name] = sum[:]
		if setting, is := any(was).(Setting); is && len(setting.Value) == 0 {
			r.was[name] = nil // it is not there, or is empty
		}
	case isDamaged:
		r.was[name] = digest([]byte(damaged.Error())) // no record has such a row
	case !errors.Is(err, ErrNotFound):
		return err
	}
	if err := put(); err != nil {
		return err
	}
	r.noted[name] = true
	r.stored = append(r.stored, storedRow{name, func() (any, error) { return read() }})
	return nil
}

func (r *recorder) AppendAudit(audit.Record) error {
	return errors.New("a change has one record, which it does not write itself")
}

func (r *recorder) Attempt(func() error) error {
	return errors.New("a change is done as a whole, or not at all")
}

func (r *recorder) PutPartner(p *Partner) error {
	id := p.ID
	return note(r, func() error { return r.tx.PutPartner(p) }, nameOf("partner", id),
		func() (Partner, error) { return r.tx.Partner(id) })
}

func (r *recorder) PutEnvironment(e *Environment) error {
	partner, name := e.Partner, e.Name
	return note(r, func() error { return r.tx.PutEnvironment(e) }, nameOf("environment", partner, name),
		func() (Environment, error) { return r.tx.Environment(partner, name) })
}

func (r *recorder) DeletePartner(p Partner) error {
	return note(r, func() error { return r.tx.DeletePartner(p) }, nameOf("partner", p.ID),
		func() (Partner, error) { return r.tx.Partner(p.ID) })
}

func (r *recorder) DeleteEnvironment(e Environment) error {
	return note(r, func() error { return r.tx.DeleteEnvironment(e) }, nameOf("environment", e.Partner, e.Name),
		func() (Environment, error) { return r.tx.Environment(e.Partner, e.Name) })
}

func (r *recorder) PutAPIKey(k *APIKey) error {
	id := k.ID
	return note(r, func() error { return r.tx.PutAPIKey(k) }, nameOf("apikey", id),
		func() (APIKey, error) { return r.tx.APIKey(id) })
}

func (r *recorder) PutKeyPair(k *KeyPair) error {
	id := k.ID
	r.touch(k.leg(), id)
	return note(r, func() error { return r.tx.PutKeyPair(k) }, nameOf("key", id),
		func() (KeyPair, error) { return r.tx.KeyPair(id) })
}

func (r *recorder) PutCertificate(c *Certificate) error {
	id := c.ID
	if c.Owner == Theirs {
		r.touch(c.leg(), id)
	}
	return note(r, func() error { return r.tx.PutCertificate(c) }, nameOf("certificate", id),
		func() (Certificate, error) { return r.tx.Certificate(id) })
}

func (r *recorder) PutOffer(o *Offer) error {
	pair, partner := o.KeyPair, o.Partner
	if k, err := r.tx.KeyPair(pair); err == nil { // one that can't be read has no renewal
		leg := k.leg()
		r.touch(leg, pair)
		leg.Partner = partner
		r.touch(leg, pair)
	}
	return note(r, func() error { return r.tx.PutOffer(o) }, nameOf("offer", pair, partner), func() (Offer, error) {
		offers, err := r.tx.Offers(partner)
		if err != nil {
			return Offer{}, err
		}
		for _, o := range offers {
			if o.KeyPair == pair {
				return o, nil
			}
		}
		return Offer{}, ErrNotFound
	})
}

func (r *recorder) PutBlocked(b Blocked) error {
	return note(r, func() error { return r.tx.PutBlocked(b) }, nameOf("blocked", hex.EncodeToString(b.SPKISHA256)),
		func() (Blocked, error) { return r.tx.Blocked(b.SPKISHA256) })
}

func (r *recorder) PutPerson(p *Person) error {
	id := p.ID
	return note(r, func() error { return r.tx.PutPerson(p) }, nameOf("person", id),
		func() (Person, error) { return r.tx.Person(id) })
}

func (r *recorder) PutRequest(q *Request) error {
	id := q.ID
	return note(r, func() error { return r.tx.PutRequest(q) }, nameOf("request", id),
		func() (Request, error) { return r.tx.Request(id) })
}

func (r *recorder) PutSetting(name string, value []byte) error {
	put := func() error { return r.tx.PutSetting(name, value) }
	return note(r, put, nameOf("setting", name), func() (Setting, error) {
		value, err := r.tx.Setting(name)
		return Setting{name, value}, err
	})
}

func (r *recorder) PutProfile(name string, source []byte) error {
	return note(r, func() error { return r.tx.PutProfile(name, source) }, nameOf("profile", name),
		r.profile(name))
}

func (r *recorder) DeleteProfile(name string) error {
	return note(r, func() error { return r.tx.DeleteProfile(name) }, nameOf("profile", name), r.profile(name))
}

func (r *recorder) PutRenewal(n *Renewal) error {
	id := n.ID
	return note(r, func() error { return r.tx.PutRenewal(n) }, nameOf("renewal", id),
		func() (Renewal, error) { return r.tx.Renewal(id) })
}

// touch notes that the renewal of a leg follows.
func (r *recorder) touch(leg Leg, id string) {
	if t := (touched{leg, id}); !r.touches[t] {
		r.touches[t] = true
		r.touched = append(r.touched, t)
	}
}

// DeleteNode leaves the record to the change: no row of a node is recorded.
func (r *recorder) DeleteNode(n Node) error { return r.tx.DeleteNode(n) }

func (r *recorder) PutNotices(all []Notice) error { return r.tx.PutNotices(all) }

func (r *recorder) PutMail(m *Mail) error { return r.tx.PutMail(m) }

func (r *recorder) AddMails(all []Mail) error { return r.tx.AddMails(all) }

func (r *recorder) Looked(all []Look) error { return r.tx.Looked(all) }

func (r *recorder) SetInstallation(id string, since time.Time) error {
	return r.tx.SetInstallation(id, since)
}

func (r *recorder) Observe(at time.Time, watched time.Duration) error {
	return r.tx.Observe(at, watched)
}

func (r *recorder) Claim(task, holder string, now, until time.Time) (bool, error) {
	return r.tx.Claim(task, holder, now, until)
}

// profile returns how a profile is read again.
func (r *recorder) profile(name string) func() (ProfileSource, error) {
	return func() (ProfileSource, error) {
		source, err := r.tx.Profile(name)
		if err == nil && len(source) == 0 {
			err = ErrNotFound
		}
		return ProfileSource{name, source}, err
	}
}

const (
	// rowsMember is the member of a record's After that has the rows which the change stored, by
	// their names. A row that is not there any more is null.
	rowsMember = "rows"

	// wasMember is the member of a record's After that has the SHA-256 of each of these rows before
	// the change, if it was there.
	wasMember = "was"
)

// after returns what the record has behind the change: the rows that were stored, and what the
// change itself says, unless that is one of the rows.
func (r *recorder) after(said any) (json.RawMessage, error) {
	if len(r.stored) == 0 {
		return recorded(said)
	}
	rows := make(map[rowName]json.RawMessage, len(r.stored))
	if v, is := said.(map[string]any); is { // those that were accepted as they are
		accepted, _ := v[rowsMember].(map[rowName]json.RawMessage)
		maps.Copy(rows, accepted)
	}
	for _, s := range r.stored {
		row, err := s.read()
		if errors.Is(err, ErrNotFound) {
			rows[s.name] = nil
			continue
		}
		if err != nil {
			return nil, err
		}
		name, form, _, err := recordedRow(row)
		if err != nil {
			return nil, err
		}
		if name != "" {
			rows[name] = form
		}
	}
	members := map[string]any{}
	switch v := said.(type) {
	case nil, Partner, Environment, APIKey, KeyPair, Certificate, []Certificate, Offer, Person, Request, Renewal:
	case map[string]string:
		for name, value := range v {
			members[name] = value
		}
	case map[string]any:
		for name, value := range v {
			members[name] = value
		}
	default:
		members["result"] = v
	}
	members[rowsMember], members[wasMember] = rows, r.was
	form, err := marshal(members)
	return HexSums(form), err
}
