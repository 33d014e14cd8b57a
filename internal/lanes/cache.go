package lanes

import (
	"encoding/gob"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
)

// ErrUnreachable is the error of a store whose database does not answer, or says nothing about what
// it has. Other errors of a store that was never read are refusals: it is not the right database.
var ErrUnreachable = errors.New("the database can't be reached")

// ErrEnvironments means that a saved snapshot is not of the environments that are to be read.
var ErrEnvironments = errors.New("it has the lanes of other environments")

// The parts of a saved snapshot: one head, the partners in any order, and one without an identity.
type (
	savedHead struct {
		Version      Version
		Taken, Known time.Time
		Environments []string
		Profiles     map[string][]byte
		HashKey      []byte // encrypted
		APIKeys      bool   // there are some
		Shared       []savedPair
		Damaged      map[string]DamagedRow // by the partner whose row it is, and the row
	}
	savedPartner struct {
		Partner   Partner
		Confirmed map[string]time.Time
		Damaged   string
		Lanes     []savedLane
	}
	savedLane struct {
		Environment Environment
		Callers     []APIKey
		Ours        []KeyPair
		Theirs      []Certificate
		Damaged     string
	}
	savedPair struct {
		Pair    KeyPair
		Damaged string // of all that the profile's partners share
	}
)

// Save writes a snapshot, and when it was known to be the newest. Private keys are in it as they are
// in the database: sealed.
func (r *Reader) Save(w io.Writer, s *Snapshot, known time.Time) error {
	head := savedHead{
		Version: s.Version, Taken: s.Taken, Known: known, Environments: slices.Sorted(slices.Values(r.Environments)),
		Profiles: map[string][]byte{}, Damaged: map[string]DamagedRow{},
		HashKey: s.sealedHash, APIKeys: s.noHash != nil || s.apiKeys.len() > 0,
	}
	for name, p := range s.profiles {
		head.Profiles[name] = p.source
	}
	for _, shared := range s.shared {
		for _, k := range shared.keys {
			head.Shared = append(head.Shared, savedPair{k.row, errorText(shared.damaged)})
		}
	}
	for id, d := range s.damaged {
		head.Damaged[fmt.Sprintf("%s %q %q", d.partner, id.table, id.id)] = *d.row
	}
	e := gob.NewEncoder(w)
	if err := e.Encode(head); err != nil {
		return err
	}
	for _, p := range s.partners.all() {
		if err := e.Encode(p.saved()); err != nil {
			return err
		}
	}
	return e.Encode(savedPartner{})
}

func (p *partnerEntry) saved() savedPartner {
	out := savedPartner{Partner: p.Partner, Confirmed: p.confirmed, Damaged: errorText(p.damaged)}
	for _, entry := range p.lanes {
		lane := savedLane{Environment: entry.environment, Theirs: entry.theirs, Damaged: errorText(entry.damaged)}
		for _, k := range entry.callers {
			lane.Callers = append(lane.Callers, APIKey{ID: k.id, HMAC: k.sum[:], Sealing: k.sealing})
		}
		for _, k := range entry.ours {
			lane.Ours = append(lane.Ours, k.row)
		}
		out.Lanes = append(out.Lanes, lane)
	}
	return out
}

// Load reads a snapshot that Save has written, and when it was known to be the newest. What is read
// must be authenticated: it is trusted as the database is.
func (r *Reader) Load(from io.Reader) (s *Snapshot, known time.Time, err error) {
	d := gob.NewDecoder(from)
	var head savedHead
	if err := d.Decode(&head); err != nil {
		return nil, known, fmt.Errorf("saved lanes: %w", err)
	}
	if !slices.Equal(head.Environments, slices.Sorted(slices.Values(r.Environments))) {
		return nil, known, ErrEnvironments
	}
	b := newBuilder(r)
	b.openHashKey(head.HashKey)
	b.apiKeys = head.APIKeys
	for name, source := range head.Profiles {
		loaded, err := loadSource(name, func(string) ([]byte, error) { return source, nil })
		if err != nil {
			return nil, known, err
		}
		b.profiles[name] = loaded
	}
	for _, shared := range head.Shared {
		b.addKeyPair(shared.Pair, nil)
		b.shared[sharedName{shared.Pair.Profile, shared.Pair.Environment}].damaged = errorOf(shared.Damaged)
	}
	for {
		var p savedPartner
		if err := d.Decode(&p); err != nil {
			return nil, known, fmt.Errorf("saved lanes: %w", err)
		}
		if p.Partner.ID == "" && len(p.Lanes) == 0 {
			break
		}
		b.addSaved(p)
	}
	for key, row := range head.Damaged {
		partner, _, _ := strings.Cut(key, ` "`)
		b.damaged[rowID{row.Table, row.ID}] = damage{partner, &row}
	}
	return b.snapshot(nil, Extent{Version: head.Version, Whole: true}, head.Taken), head.Known, nil
}

func (b *builder) addSaved(p savedPartner) {
	entry := &partnerEntry{Partner: p.Partner, confirmed: p.Confirmed, damaged: errorOf(p.Damaged)}
	b.partners[p.Partner.ID] = entry
	for _, l := range p.Lanes {
		b.addEnvironment(l.Environment, errorOf(l.Damaged))
		for _, k := range l.Callers {
			k.Partner, k.Environment = p.Partner.ID, l.Environment.Name
			b.addAPIKey(k)
		}
		for _, k := range l.Ours {
			b.addKeyPair(k, nil)
		}
		for _, c := range l.Theirs {
			b.addCertificate(c, nil)
		}
	}
}

// errorOf returns the error with a text, or nil.
func errorOf(text string) error {
	if text == "" {
		return nil
	}
	return errors.New(text)
}
