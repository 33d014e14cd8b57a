package registry

import (
	"cmp"
	"errors"
	"reflect"
	"slices"
	"time"
)

// touched is a key of a leg that a change has stored.
type touched struct {
	leg Leg
	id  string
}

// follow brings the renewals of the keys that a change has stored to the steps that follow from the
// rows, in the same transaction. It begins the renewal of a key that comes while another is active.
func (r *Registry) follow(tx *recorder, actor string) error {
	if len(tx.touched) == 0 {
		return nil
	}
	head, err := tx.AuditHead()
	if err != nil {
		return err
	}
	f := follower{tx: tx, actor: actor, now: r.now(), record: head.Seq + 1}
	for _, t := range tx.touched {
		err := f.key(t)
		_, damaged := errors.AsType[*DamagedRow](err)
		if err != nil && !damaged && !errors.Is(err, ErrNotFound) {
			return err
		}
		// A renewal whose rows can't be read stays as it is: a revocation must not wait for it.
	}
	return nil
}

// FollowRenewal makes the step of an open renewal follow from its rows at the end of a change, as it
// does for each whose keys the change stores.
func (s *Session) FollowRenewal(tx Tx, n Renewal) {
	tx.(*recorder).touch(n.Leg, cmp.Or(n.Successor, n.Replaces))
}

// BeginRenewal stores the renewal of a key that is due, as part of a change, and sets its identity.
func (s *Session) BeginRenewal(tx Tx, n *Renewal) error {
	n.ID, n.Created = newID("n"), s.registry.now()
	if err := tx.PutRenewal(n); err != nil {
		return err
	}
	s.FollowRenewal(tx, *n)
	return s.followComing(tx, n.Leg)
}

// followComing makes an open renewal follow from the certificates that came in before it began.
func (s *Session) followComing(tx Tx, leg Leg) error {
	if leg.Owner == Ours {
		pairs, err := pairsOfLeg(tx, leg)
		for _, k := range pairs {
			if k.State == Staged {
				tx.(*recorder).touch(leg, k.ID)
			}
		}
		return err
	}
	coming, _, err := Readable(tx.Certificates(CertificateQuery{
		Owner: Theirs, Partner: leg.Partner, Environment: leg.Environment,
		States: []State{Received, Matched, Approved, Staged},
	}))
	for _, c := range coming {
		tx.(*recorder).touch(leg, c.ID)
	}
	return err
}

// follower is one call of follow.
type follower struct {
	tx     *recorder
	actor  string
	now    time.Time
	record int64
}

// key follows the change of one key.
func (f follower) key(t touched) error {
	n, err := f.tx.OpenRenewal(t.leg)
	switch {
	case errors.Is(err, ErrNotFound):
		return f.begin(t)
	case err != nil:
		return err
	}
	next, err := f.supersedes(n, t.id)
	if err != nil {
		return err
	}
	if next {
		return f.supersede(n, t.id)
	}
	if err := f.succeed(&n, t.id); err != nil {
		return err
	}
	if err := f.store(&n); err != nil || !n.Step.Closed() {
		return err
	}
	if n.Step != RenewalSuperseded {
		if err := f.begin(t); err != nil {
			return err
		}
		return f.goOn(n)
	}
	active, err := activeOf(f.tx, n.Leg, n.Successor)
	if err != nil || active == "" {
		return err
	}
	return f.store(&Renewal{ID: newID("n"), Leg: n.Leg, Replaces: n.Successor, Successor: active, Created: f.now})
}

// goOn begins the next renewal of a leg after the end of one: for a key from before that still counts,
// or else for a key that has come in meanwhile.
func (f follower) goOn(ended Renewal) error {
	if ended.Partner == "" { // the renewals of the partners who share it decide
		return nil
	}
	_, err := f.tx.OpenRenewal(ended.Leg)
	if !errors.Is(err, ErrNotFound) {
		return err
	}
	active, err := activeOf(f.tx, ended.Leg, "")
	if err != nil || active == "" {
		return err
	}
	keys, err := keysOf(f.tx, ended.Leg)
	if err != nil {
		return err
	}
	came := ""
	for _, k := range keys {
		if k.state == Retiring {
			n := Renewal{ID: newID("n"), Leg: ended.Leg, Replaces: k.id, Successor: active, Created: f.now}
			if ended.Successor == active {
				n.Mail = ended.Mail // the partner knows it
			}
			return f.store(&n)
		}
		if k.id != active {
			came = k.id
		}
	}
	if came == "" {
		return nil
	}
	return f.begin(touched{ended.Leg, came})
}

// supersedes reports whether a key will follow the successor of an open renewal, which is active. A
// certificate does so when it is approved.
func (f follower) supersedes(n Renewal, id string) (bool, error) {
	if n.Activated == 0 || id == n.Replaces || id == n.Successor {
		return false, nil
	}
	state, err := keyState(f.tx, n.Leg, id)
	return state == Approved || state == Staged, err
}

// supersede ends a renewal whose successor is active, and begins the next. A hold goes on. A key that
// still counts from before has a renewal of its own again when the next one has ended, see goOn.
func (f follower) supersede(n Renewal, id string) error {
	next := Renewal{
		ID: newID("n"), Leg: n.Leg, Replaces: n.Successor, Successor: id, Hold: n.Hold, Created: f.now,
	}
	f.note(&n, RenewalSuperseded, "by renewal "+next.ID)
	n.Step, n.Closed, n.Changed, n.Order, n.Hold = RenewalSuperseded, f.now, f.now, nil, nil
	if err := f.tx.PutRenewal(&n); err != nil {
		return err
	}
	var err error
	if next.Campaign, err = f.campaign(next); err != nil {
		return err
	}
	return f.store(&next)
}

// succeed makes a key the successor in an open renewal, if there is none, or if it has come further
// than the one that was.
func (f follower) succeed(n *Renewal, id string) error {
	if id == n.Replaces || id == n.Successor {
		return nil
	}
	state, err := keyState(f.tx, n.Leg, id)
	if err != nil {
		return err
	}
	before, err := keyState(f.tx, n.Leg, n.Successor)
	if err != nil {
		return err
	}
	ended := before == "" || !before.Open() && !before.InUse()
	switch {
	case !state.Open() && !state.InUse() || state == Retiring:
		return nil
	case ended:
	case before.Open() && (state == Staged || state == Active):
		f.note(n, n.Step, "another successor has come further than "+n.Successor)
	case before == Staged && state == Active:
		f.note(n, n.Step, "another successor is active before "+n.Successor)
	default:
		return nil
	}
	n.Successor = id
	n.Staged, n.StagedAt, n.LoadedAt, n.Told, n.Order, n.Mail = 0, time.Time{}, time.Time{}, nil, nil, nil
	n.Unstaged = false
	n.Campaign, err = f.campaign(*n)
	return err
}

// begin begins the renewal of the leg's active key by another that has come in.
func (f follower) begin(t touched) error {
	state, err := keyState(f.tx, t.leg, t.id)
	if err != nil || !state.Open() && state != Staged && state != Compromised && state != Retiring {
		return err
	}
	replaces, err := activeOf(f.tx, t.leg, t.id)
	if err != nil {
		return err
	}
	if state == Compromised {
		used, err := f.used(t)
		if err != nil || !used || replaces != "" {
			return err
		}
		return f.store(&Renewal{ID: newID("n"), Leg: t.leg, Replaces: t.id, Due: f.now, Created: f.now})
	}
	if replaces == "" {
		return nil
	}
	if state == Retiring { // its retirement was undone
		return f.reopen(t, replaces)
	}
	n := Renewal{
		ID: newID("n"), Leg: t.leg, Replaces: replaces, Successor: t.id, Created: f.now,
	}
	if err := f.deadlines(&n); err != nil {
		return err
	}
	if n.Campaign, err = f.campaign(n); err != nil {
		return err
	}
	return f.store(&n)
}

// RespondDays is how many days before the end of a key its successor should be there.
const RespondDays = 30

// deadlines sets when the successor is due, and when it should be there.
func (f follower) deadlines(n *Renewal) error {
	c, err := CertificateOfKey(f.tx, n.Leg, n.Replaces)
	if err != nil {
		return err
	}
	r, err := RotationOf(f.tx, n.Leg, n.Replaces)
	if err != nil {
		return err
	}
	n.Due, n.RespondBy = c.Due(r), c.EndOfUse().AddDate(0, 0, -RespondDays)
	return nil
}

// reopen opens the renewal again by which a key was retired that counts again, or begins one.
func (f follower) reopen(t touched, active string) error {
	n := Renewal{ID: newID("n"), Leg: t.leg, Replaces: t.id, Successor: active, Created: f.now}
	all, _, err := Readable(f.tx.Renewals(RenewalQuery{Key: t.id, Page: Page{Limit: 1000}}))
	if err != nil {
		return err
	}
	for _, one := range all {
		if one.Leg == t.leg && one.Replaces == t.id && one.Successor == active && one.Activated != 0 {
			n = one
			n.Closed, n.QuietAt = time.Time{}, time.Time{}
		}
	}
	return f.store(&n)
}

// used reports whether messages were sealed by a key.
func (f follower) used(t touched) (bool, error) {
	if t.leg.Owner == Theirs {
		c, err := f.tx.Certificate(t.id)
		return !c.Activated.IsZero(), err
	}
	if t.leg.Partner == "" {
		return true, nil // the partners who share it have their own renewals
	}
	offers, err := f.tx.Offers(t.leg.Partner)
	i := slices.IndexFunc(offers, func(o Offer) bool { return o.KeyPair == t.id })
	return i >= 0 && !offers[i].Confirmed.IsZero(), err
}

// campaign returns the renewal of the shared pair that a partner's is a part of.
func (f follower) campaign(n Renewal) (string, error) {
	if n.Owner != Ours || n.Partner == "" {
		return "", nil
	}
	k, err := f.tx.KeyPair(n.Successor)
	if err != nil || k.Partner != "" {
		return "", err
	}
	shared := n.Leg
	shared.Partner = ""
	all, err := f.tx.OpenRenewal(shared)
	if errors.Is(err, ErrNotFound) || err == nil && all.Successor != k.ID {
		return "", nil
	}
	return all.ID, err
}

// store sets the step of a renewal, and stores it if that, or anything else, is new.
func (f follower) store(n *Renewal) error {
	was := *n
	before := n.Step
	step, err := f.step(n)
	if err != nil {
		return err
	}
	f.times(n, step)
	if err := f.revoked(n); err != nil {
		return err
	}
	if step != before {
		f.note(n, step, "")
	}
	n.Step = step
	if n.Version != 0 && reflect.DeepEqual(*n, was) {
		return nil
	}
	n.Changed = f.now
	if step.Closed() {
		n.Closed, n.Order, n.Hold = f.now, nil, nil
	}
	return f.tx.PutRenewal(n)
}

// revoked notes the revocation of the key that a renewal replaces.
func (f follower) revoked(n *Renewal) error {
	if n.Revoked != 0 {
		return nil
	}
	state, err := keyState(f.tx, n.Leg, n.Replaces)
	if err == nil && state == Compromised {
		n.Revoked = f.record
		f.note(n, n.Step, n.Replaces+" was revoked")
	}
	return err
}

// note adds evidence.
func (f follower) note(n *Renewal, step RenewalStep, text string) {
	e := RenewalEvidence{Step: step, At: f.now, By: f.actor, Record: f.record, Text: text}
	n.Evidence = append(slices.Clone(n.Evidence), e)
	if more := len(n.Evidence) - MaxEvidence; more > 0 {
		n.Evidence = n.Evidence[more:]
	}
}

// times notes when the successor was staged and activated, or that it is not any more.
func (f follower) times(n *Renewal, step RenewalStep) {
	use := slices.Index(inUseSteps, step)
	switch {
	case use < 0:
		if n.Staged != 0 { // it was taken back
			n.Unstaged, n.Order = true, nil
		}
		n.Staged, n.StagedAt, n.LoadedAt = 0, time.Time{}, time.Time{}
	case n.Staged == 0:
		n.Staged, n.StagedAt = f.record, f.now
	}
	active := use >= slices.Index(inUseSteps, RenewalActive)
	switch {
	case !active:
		if n.Activated != 0 { // it was rolled back
			n.Order = nil
			if n.Mail != nil && !n.Mail.Ready {
				n.Mail = nil
			}
		}
		n.Activated, n.ActivatedAt, n.Everywhere, n.OverlapUntil = 0, time.Time{}, time.Time{}, time.Time{}
		n.QuietAt = time.Time{}
	case n.Activated == 0:
		n.Activated, n.ActivatedAt = f.record, f.now
		n.OverlapUntil = f.now.AddDate(0, 0, f.rotation(n.Leg).OverlapDays())
	}
}

// rotation returns how keys change in the environment of a leg: by default, where partners share the pair.
func (f follower) rotation(leg Leg) Rotation {
	env, err := f.tx.Environment(leg.Partner, leg.Environment)
	if err != nil {
		return Rotation{}
	}
	return env.Rotation
}
