package sandbox

import "container/list"

// shelf is a map bounded in entries and in bytes: putting one more drops the oldest. It is not safe for concurrent use.
type shelf[K comparable, V any] struct {
	items map[K]*list.Element
	order list.List // of *shelved[K, V], oldest first
	bytes int
}

type shelved[K comparable, V any] struct {
	key   K
	value V
	size  int
}

// put stores v, replacing what was under k, and drops the oldest entries until at most maxEntries and maxBytes remain; the
// entry just put stays even when it alone is larger.
func (s *shelf[K, V]) put(k K, v V, size, maxEntries, maxBytes int) {
	if s.items == nil {
		s.items = make(map[K]*list.Element)
	}
	if old, ok := s.items[k]; ok {
		s.drop(old)
	}
	s.items[k] = s.order.PushBack(&shelved[K, V]{k, v, size})
	s.bytes += size
	for s.order.Len() > 1 && (s.order.Len() > maxEntries || s.bytes > maxBytes) {
		s.drop(s.order.Front())
	}
}

func (s *shelf[K, V]) get(k K) (V, bool) {
	e, ok := s.items[k]
	if !ok {
		var none V
		return none, false
	}
	return e.Value.(*shelved[K, V]).value, true
}

func (s *shelf[K, V]) drop(e *list.Element) {
	it := s.order.Remove(e).(*shelved[K, V])
	delete(s.items, it.key)
	s.bytes -= it.size
}
