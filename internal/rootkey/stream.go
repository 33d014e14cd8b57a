package rootkey

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// A sealed stream is, byte for byte:
//
//	length, 2 bytes | sealed stream key | frames
//
// The stream key is random, and is sealed as any other value. A frame is its length in 4 bytes and
// an AES-256-GCM ciphertext with its nonce and tag. Its number and whether it is the last one are
// authenticated with it, so that frames can't be left out, repeated or put into another order.

const (
	frameSize     = 256 << 10 // bytes of plaintext
	frameOverhead = 12 + 16
)

// SealTo returns a writer that seals what is written to it for a place, in pieces. The stream is
// complete when the writer is closed; w stays open.
func (k *Key) SealTo(w io.Writer, c Context) (io.WriteCloser, error) {
	secret := make([]byte, Size)
	defer clear(secret)
	_, _ = rand.Read(secret) // never fails
	sealed, err := k.Seal(secret, c)
	if err != nil {
		return nil, err
	}
	aead, err := streamAEAD(secret)
	if err != nil {
		return nil, err
	}
	if _, err := w.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(sealed))), sealed...)); err != nil {
		return nil, err
	}
	return &streamWriter{w: w, aead: aead, text: make([]byte, 0, frameSize)}, nil
}

func streamAEAD(secret []byte) (cipher.AEAD, error) {
	block, err := aes.NewCipher(secret)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCMWithRandomNonce(block)
}

// frameData is what is authenticated with a frame.
func frameData(number uint64, last bool) []byte {
	b := binary.BigEndian.AppendUint64([]byte("sealane stream 1\x00"), number)
	if last {
		return append(b, 1)
	}
	return append(b, 0)
}

type streamWriter struct {
	w      io.Writer
	aead   cipher.AEAD
	number uint64
	text   []byte
	out    []byte
	err    error
}

// Write implements [io.Writer].
func (s *streamWriter) Write(p []byte) (n int, err error) {
	for s.err == nil && len(p) > 0 {
		if len(s.text) == frameSize {
			s.frame(false)
			continue
		}
		part := p[:min(len(p), frameSize-len(s.text))]
		s.text = append(s.text, part...)
		n, p = n+len(part), p[len(part):]
	}
	return n, s.err
}

// Close writes the last frame.
func (s *streamWriter) Close() error {
	if s.err == nil {
		s.frame(true)
	}
	return s.err
}

func (s *streamWriter) frame(last bool) {
	s.out = binary.BigEndian.AppendUint32(s.out[:0], uint32(len(s.text)+frameOverhead))
	s.out = s.aead.Seal(s.out, nil, s.text, frameData(s.number, last))
	clear(s.text)
	s.text, s.number = s.text[:0], s.number+1
	_, s.err = s.w.Write(s.out)
}

// OpenFrom returns a reader of a stream that was sealed for a place. It returns only bytes that
// are authenticated. The errors are those of [Ring.Open]; a stream that ends too early or goes on
// too long is ErrDamaged.
func (r *Ring) OpenFrom(from io.Reader, c Context) (io.Reader, error) {
	var length [2]byte
	if _, err := io.ReadFull(from, length[:]); err != nil {
		return nil, cutShort(err)
	}
	if n := binary.BigEndian.Uint16(length[:]); n != overhead+Size {
		return nil, fmt.Errorf("the stream is %w: its key has %d bytes", ErrDamaged, n)
	}
	sealed := make([]byte, overhead+Size)
	if _, err := io.ReadFull(from, sealed); err != nil {
		return nil, cutShort(err)
	}
	secret, err := r.Open(sealed, c)
	if err != nil {
		return nil, err
	}
	defer clear(secret)
	aead, err := streamAEAD(secret)
	if err != nil {
		return nil, fmt.Errorf("open %v: %w", c, ErrDamaged)
	}
	return &streamReader{from: from, aead: aead, frame: make([]byte, frameSize+frameOverhead)}, nil
}

// cutShort returns the error of a stream that could not be read.
func cutShort(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("the stream is %w: it ends too early", ErrDamaged)
	}
	return err
}

type streamReader struct {
	from   io.Reader
	aead   cipher.AEAD
	number uint64
	frame  []byte
	text   []byte // of the last frame, what was not read yet
	last   bool
	err    error
}

// Read implements [io.Reader].
func (s *streamReader) Read(p []byte) (int, error) {
	for len(s.text) == 0 && s.err == nil {
		s.err = s.next()
	}
	if len(s.text) == 0 {
		return 0, s.err
	}
	n := copy(p, s.text)
	s.text = s.text[n:]
	return n, nil
}

// next opens the next frame.
func (s *streamReader) next() error {
	var length [4]byte
	if s.last {
		if n, _ := s.from.Read(length[:1]); n > 0 {
			return fmt.Errorf("the stream is %w: it goes on behind its end", ErrDamaged)
		}
		return io.EOF
	}
	if _, err := io.ReadFull(s.from, length[:]); err != nil {
		return cutShort(err)
	}
	n := binary.BigEndian.Uint32(length[:])
	if n < frameOverhead || n > uint32(len(s.frame)) {
		return fmt.Errorf("the stream is %w: a frame has %d bytes", ErrDamaged, n)
	}
	sealed := s.frame[:n]
	if _, err := io.ReadFull(s.from, sealed); err != nil {
		return cutShort(err)
	}
	for _, last := range []bool{false, true} {
		if text, err := s.aead.Open(nil, nil, sealed, frameData(s.number, last)); err == nil {
			s.text, s.last, s.number = text, last, s.number+1
			return nil
		}
	}
	return fmt.Errorf("the stream is %w: its bytes were changed", ErrDamaged)
}
