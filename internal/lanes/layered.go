package lanes

import (
	"iter"
	"maps"
)

// layered is a map whose copies share most of their content: a base that never changes, and over
// it what has changed since. So a copy with a few changes costs little, however large the map is.
type layered[K comparable, V any] struct {
	base map[K]V
	over map[K]*V // nil: it is not there any more
	n    int
}

func (l *layered[K, V]) get(k K) (v V, ok bool) {
	if changed, is := l.over[k]; is {
		if changed == nil {
			return v, false
		}
		return *changed, true
	}
	v, ok = l.base[k]
	return v, ok
}

func (l *layered[K, V]) len() int { return l.n }

// all yields the content, in no order.
func (l *layered[K, V]) all() iter.Seq2[K, V] {
	return func(yield func(K, V) bool) {
		for k, v := range l.over {
			if v != nil && !yield(k, *v) {
				return
			}
		}
		for k, v := range l.base {
			if _, changed := l.over[k]; !changed && !yield(k, v) {
				return
			}
		}
	}
}

// copy returns a map that may be changed, and does not change this one. When much has changed,
// it gets a base of its own.
func (l *layered[K, V]) copy() layered[K, V] {
	if len(l.over) <= 1000+len(l.base)/16 {
		return layered[K, V]{l.base, maps.Clone(l.over), l.n}
	}
	return layered[K, V]{base: maps.Collect(l.all()), n: l.n}
}

func (l *layered[K, V]) set(k K, v V) {
	if _, there := l.get(k); !there {
		l.n++
	}
	l.put(k, &v)
}

func (l *layered[K, V]) remove(k K) {
	if _, there := l.get(k); there {
		l.n--
		l.put(k, nil)
	}
}

func (l *layered[K, V]) put(k K, v *V) {
	if l.over == nil {
		l.over = map[K]*V{}
	}
	l.over[k] = v
}
