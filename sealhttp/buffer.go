package sealhttp

// buffer collects bytes whose memory it reserves before it allocates. Without a
// reservation it reserves nothing.
type buffer struct {
	held *reservation
	data []byte
}

const firstBuffer = 4 << 10

// Write appends p, or nothing if there is no space for it.
func (b *buffer) Write(p []byte) (int, error) {
	if err := b.grow(len(p), 0); err != nil {
		return 0, err
	}
	b.data = append(b.data, p...)
	return len(p), nil
}

// grow makes space for n more bytes. It doubles the buffer, but to no more than upTo bytes
// if that is enough, so that a declared length reserves no memory before bytes arrive.
func (b *buffer) grow(n, upTo int) error {
	need := len(b.data) + n
	if need <= cap(b.data) {
		return nil
	}
	size := max(2*cap(b.data), firstBuffer)
	if upTo > 0 {
		size = min(size, upTo)
	}
	size = max(size, need)
	if err := b.held.grow(size); err != nil {
		return err
	}
	defer b.held.shrink(cap(b.data))
	grown := make([]byte, len(b.data), size)
	copy(grown, b.data)
	b.data = grown
	return nil
}

// drop frees the memory. The caller must hold no reference to it.
func (b *buffer) drop() {
	b.held.shrink(cap(b.data))
	b.data = nil
}
