package admission

import "container/list"

// queue holds those who wait, by partner and by source.
type queue struct {
	partners round
	waiting  int
}

// round holds lines that take turns. It has only lines in which somebody waits.
type round struct {
	turns  list.List // of *line, the next one first
	byName map[string]*line
}

// line holds those of one partner, as a round of its sources, or those of one source.
type line struct {
	name    string
	of      *round
	turn    *list.Element // in of.turns
	sources round         // of a partner
	waiters list.List     // of a source: *waiter, who waits longest first
	partner *line         // of a source
}

// waiter is one who waits.
type waiter struct {
	partner  string
	admitted chan struct{} // closed when the place is given
	holds    bool          // a place

	queue *queue
	in    *line // of a source; nil: waits no more
	at    *list.Element
}

// add appends one who waits.
func (q *queue) add(who Party) *waiter {
	partner := q.partners.line(who.Partner)
	source := partner.sources.line(who.Source)
	source.partner = partner
	w := &waiter{partner: who.Partner, admitted: make(chan struct{}), queue: q, in: source}
	w.at = source.waiters.PushBack(w)
	q.waiting++
	return w
}

// next removes and returns the one whose turn it is, or nil. held has the places of each partner.
func (q *queue) next(held map[string]int) *waiter {
	var partner *line
	// At most as many partners have a place as there are places: the loop is short.
	for e := q.partners.turns.Front(); e != nil; e = e.Next() {
		l := e.Value.(*line)
		if partner == nil || held[l.name] < held[partner.name] {
			partner = l
		}
		if held[partner.name] == 0 {
			break
		}
	}
	if partner == nil {
		return nil
	}
	source := partner.sources.turns.Front().Value.(*line)
	w := source.waiters.Front().Value.(*waiter)
	for _, l := range []*line{partner, source} {
		l.of.turns.MoveToBack(l.turn)
	}
	w.remove()
	return w
}

// remove takes a waiter out, and the lines in which nobody waits any more.
func (w *waiter) remove() {
	source := w.in
	source.waiters.Remove(w.at)
	w.in, w.at = nil, nil
	w.queue.waiting--
	if source.waiters.Len() > 0 {
		return
	}
	source.of.drop(source)
	if partner := source.partner; partner.sources.turns.Len() == 0 {
		partner.of.drop(partner)
	}
}

// line returns the line of that name. A new one has the last turn.
func (r *round) line(name string) *line {
	if l := r.byName[name]; l != nil {
		return l
	}
	if r.byName == nil {
		r.byName = map[string]*line{}
	}
	l := &line{name: name, of: r}
	l.turn = r.turns.PushBack(l)
	r.byName[name] = l
	return l
}

func (r *round) drop(l *line) {
	r.turns.Remove(l.turn)
	delete(r.byName, l.name)
}
