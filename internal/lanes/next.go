package lanes

import (
	"bytes"
	"cmp"
	"maps"
	"slices"
	"time"
)

// snapshot returns the snapshot of what was read, and of the rest of the one before.
func (b *builder) snapshot(from *Snapshot, x Extent, now time.Time) *Snapshot {
	for _, p := range b.partners {
		p.sort()
	}
	for _, s := range b.shared {
		slices.SortFunc(s.keys, byPair)
	}
	s := &Snapshot{Taken: now, Version: x.Version, engine: b.reader.RSA, profiles: b.profiles, hashKey: b.hashKey}
	s.now = b.reader.Now
	s.sealedHash = b.sealedHash
	if from == nil {
		from = &Snapshot{}
	}
	if b.apiKeys || !x.Whole && (from.noHash != nil || from.apiKeys.len() > 0) {
		s.noHash = b.noHash
	}
	if x.Whole {
		s.fill(b.partners, from)
		s.shared = carryShared(b.shared, from.shared)
		s.damaged = b.damaged
		return s
	}
	s.partners, s.apiKeys, s.accounts = from.partners.copy(), from.apiKeys.copy(), from.accounts.copy()
	s.lanes = from.lanes
	for _, id := range x.Changed.Partners {
		s.drop(id)
	}
	for _, id := range x.Changed.Partners {
		if p := b.partners[id]; p != nil {
			before, _ := from.partners.get(id)
			s.add(p.carry(before))
		}
	}
	s.shared = from.shared
	if x.Changed.Shared {
		s.shared = carryShared(b.shared, from.shared)
	}
	s.damaged = maps.Clone(from.damaged)
	maps.DeleteFunc(s.damaged, func(_ rowID, d damage) bool {
		if d.partner == "" {
			return x.Changed.Shared && d.row.Table == "key_pair"
		}
		return x.Changed.has(d.partner)
	})
	maps.Copy(s.damaged, b.damaged)
	return s
}

// fill makes the maps of all partners.
func (s *Snapshot) fill(partners map[string]*partnerEntry, from *Snapshot) {
	s.partners.base = make(map[string]*partnerEntry, len(partners))
	s.apiKeys.base, s.accounts.base = map[[32]byte]Name{}, map[string]Name{}
	for _, id := range slices.Sorted(maps.Keys(partners)) {
		p := partners[id]
		if len(p.lanes) == 0 {
			continue
		}
		before, _ := from.partners.get(id)
		s.partners.base[id] = p.carry(before)
		s.lanes += len(p.lanes)
		for _, entry := range p.lanes {
			name := Name{id, entry.environment.Name}
			for _, k := range entry.callers {
				s.apiKeys.base[k.sum] = name
			}
			if entry.environment.Account != "" {
				s.accounts.base[entry.environment.Account] = name
			}
		}
	}
	s.partners.n, s.apiKeys.n, s.accounts.n = len(s.partners.base), len(s.apiKeys.base), len(s.accounts.base)
}

// drop removes a partner from a snapshot that is being made.
func (s *Snapshot) drop(id string) {
	p, there := s.partners.get(id)
	if !there {
		return
	}
	for _, entry := range p.lanes {
		name := Name{id, entry.environment.Name}
		for _, k := range entry.callers {
			if of, _ := s.apiKeys.get(k.sum); of == name {
				s.apiKeys.remove(k.sum)
			}
		}
		if of, _ := s.accounts.get(entry.environment.Account); of == name {
			s.accounts.remove(entry.environment.Account)
		}
	}
	s.lanes -= len(p.lanes)
	s.partners.remove(id)
}

// add adds a partner to a snapshot that is being made.
func (s *Snapshot) add(p *partnerEntry) {
	if len(p.lanes) == 0 {
		return
	}
	for _, entry := range p.lanes {
		name := Name{p.ID, entry.environment.Name}
		for _, k := range entry.callers {
			s.apiKeys.set(k.sum, name)
		}
		if entry.environment.Account != "" {
			s.accounts.set(entry.environment.Account, name)
		}
	}
	s.lanes += len(p.lanes)
	s.partners.set(p.ID, p)
}

// sort brings the rows into one order, whatever the order in which they were read.
func (p *partnerEntry) sort() {
	slices.SortFunc(p.lanes, func(a, b *laneEntry) int { return cmp.Compare(a.environment.Name, b.environment.Name) })
	for _, entry := range p.lanes {
		slices.SortFunc(entry.callers, func(a, b apiKeyGrant) int { return cmp.Compare(a.id, b.id) })
		slices.SortFunc(entry.ours, byPair)
		slices.SortFunc(entry.theirs, func(a, b Certificate) int { return cmp.Compare(a.ID, b.ID) })
	}
}

func byPair(a, b *ownPair) int { return cmp.Compare(a.row.ID, b.row.ID) }

// carry returns the partner with all that has not changed taken from the one before, which may be
// nil: lanes that were made, and private keys that were opened.
func (p *partnerEntry) carry(before *partnerEntry) *partnerEntry {
	if before == nil {
		return p
	}
	samePartner := p.Partner == before.Partner && errorText(p.damaged) == errorText(before.damaged) &&
		maps.EqualFunc(p.confirmed, before.confirmed, time.Time.Equal)
	same := samePartner && len(p.lanes) == len(before.lanes)
	for i, entry := range p.lanes {
		was := before.lane(entry.environment.Name)
		if was == nil {
			same = false
			continue
		}
		if samePartner && entry.same(was) {
			p.lanes[i] = was
			continue
		}
		same = false
		entry.ours = carryPairs(entry.ours, was.ours)
	}
	if same {
		return before
	}
	return p
}

// same reports whether two entries have the same rows.
func (entry *laneEntry) same(as *laneEntry) bool {
	return entry.environment == as.environment && errorText(entry.damaged) == errorText(as.damaged) &&
		slices.EqualFunc(entry.callers, as.callers, apiKeyGrant.same) &&
		slices.EqualFunc(entry.ours, as.ours, (*ownPair).same) &&
		slices.EqualFunc(entry.theirs, as.theirs, Certificate.same)
}

func (g apiKeyGrant) same(as apiKeyGrant) bool {
	return g == as
}

func (p *ownPair) same(as *ownPair) bool {
	a, b := p.row, as.row
	return a.ID == b.ID && a.Profile == b.Profile && a.Environment == b.Environment && a.Partner == b.Partner &&
		a.KeyID == b.KeyID && a.State == b.State && a.SealedAs == b.SealedAs && bytes.Equal(a.SPKI, b.SPKI) &&
		bytes.Equal(a.Sealed, b.Sealed) && a.Certificate.same(b.Certificate)
}

func (c Certificate) same(as Certificate) bool {
	return c.ID == as.ID && c.Partner == as.Partner && c.Environment == as.Environment && c.KeyID == as.KeyID &&
		c.State == as.State && bytes.Equal(c.SPKI, as.SPKI) && c.Validity.same(as.Validity)
}

func (v Validity) same(as Validity) bool {
	return v.Serial == as.Serial && v.NotBefore.Equal(as.NotBefore) && v.NotAfter.Equal(as.NotAfter)
}

// carryPairs returns pairs with the private keys that were opened before. A private key belongs to
// its public key, even if the root key has changed under which it is sealed.
func carryPairs(pairs, before []*ownPair) []*ownPair {
	for i, p := range pairs {
		at := slices.IndexFunc(before, func(was *ownPair) bool { return was.row.ID == p.row.ID })
		if at < 0 {
			continue
		}
		was := before[at]
		if p.same(was) {
			pairs[i] = was
			continue
		}
		if bytes.Equal(p.row.SPKI, was.row.SPKI) {
			p.opened = was.open()
		}
	}
	return pairs
}

func carryShared(shared, before map[sharedName]*sharedKeys) map[sharedName]*sharedKeys {
	for name, s := range shared {
		was := before[name]
		if was == nil {
			continue
		}
		if slices.EqualFunc(s.keys, was.keys, (*ownPair).same) && errorText(s.damaged) == errorText(was.damaged) {
			shared[name] = was
			continue
		}
		s.keys = carryPairs(s.keys, was.keys)
	}
	return shared
}

// mostMissed is how many names Check returns.
const mostMissed = 100

// unexplained returns the names of what differs from a snapshot, and is not among the changes.
func (s *Snapshot) unexplained(from *Snapshot, changes Changes) (names []string) {
	if changes.All {
		return nil
	}
	note := func(name string) {
		if len(names) < mostMissed {
			names = append(names, name)
		}
	}
	for id, p := range s.partners.all() {
		if was, _ := from.partners.get(id); was != p && !changes.has(id) {
			note("partner " + id)
		}
	}
	for id := range from.partners.all() {
		if _, there := s.partners.get(id); !there && !changes.has(id) {
			note("partner " + id)
		}
	}
	if !changes.Shared && !maps.Equal(s.shared, from.shared) {
		note("key pairs that partners share")
	}
	for name, p := range s.profiles {
		if was := from.profiles[name]; was != nil && was != p && !changes.Profiles {
			note("profile " + name)
		}
	}
	slices.Sort(names)
	return names
}
