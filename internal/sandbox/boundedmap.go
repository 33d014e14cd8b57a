package sandbox

import "container/list"

// The default limits of a stand-in.
const (
	DefaultEntries = 10_000
	DefaultBytes   = 64 << 20
)

// BoundedMap is a map bounded in entries and in bytes: putting one more drops the oldest. It is not
// safe for concurrent use.
type BoundedMap[K comparable, V any] struct {
	items map[K]*list.Element
	order list.List // of *entry[K, V], oldest first
	bytes int
}

type entry[K comparable, V any] struct {
	key   K
	value V
	size  int
}

// Put stores v as the value of k, and drops the oldest entries until at most maxEntries and
// maxBytes remain. It keeps the new entry even if that alone is larger.
func (m *BoundedMap[K, V]) Put(k K, v V, size, maxEntries, maxBytes int) {
	if m.items == nil {
		m.items = make(map[K]*list.Element)
	}
	if old, ok := m.items[k]; ok {
		m.drop(old)
	}
	m.items[k] = m.order.PushBack(&entry[K, V]{k, v, size})
	m.bytes += size
	for m.order.Len() > 1 && (m.order.Len() > maxEntries || m.bytes > maxBytes) {
		m.drop(m.order.Front())
	}
}

// Get returns the value of k, and whether there is one.
func (m *BoundedMap[K, V]) Get(k K) (V, bool) {
	e, ok := m.items[k]
	if !ok {
		var none V
		return none, false
	}
	return e.Value.(*entry[K, V]).value, true
}

func (m *BoundedMap[K, V]) drop(e *list.Element) {
	it := m.order.Remove(e).(*entry[K, V])
	delete(m.items, it.key)
	m.bytes -= it.size
}
