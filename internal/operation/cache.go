package operation

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/sealane/sealane/internal/lanes"
	"github.com/sealane/sealane/internal/rootkey"
	"github.com/sealane/sealane/internal/secretfile"
	"github.com/sealane/sealane/internal/store"
)

// maxCache is the size of the largest file of saved lanes, in bytes: enough for 500,000 partners with
// key pairs of their own.
const maxCache int64 = 2 << 30

// cacheContext binds saved lanes to a database: those of another are refused.
func (s *Serving) cacheContext() rootkey.Context {
	return rootkey.Context{KeyID: store.Place(s.config.Database), Purpose: "saved lanes"}
}

// SaveLanes writes a snapshot into a file that only its owner can read, sealed under the root key. It
// replaces the file completely or not at all.
func (s *Serving) SaveLanes(path string, r *lanes.Reader, snapshot *lanes.Snapshot, known time.Time) error {
	return secretfile.ReplaceFrom(path, func(w io.Writer) error {
		out := bufio.NewWriterSize(&bounded{w, maxCache}, 64<<10)
		sealed, err := s.keys.Load().root.SealTo(out, s.cacheContext())
		if err != nil {
			return err
		}
		text := bufio.NewWriterSize(sealed, 64<<10)
		return errors.Join(r.Save(text, snapshot, known), text.Flush(), sealed.Close(), out.Flush())
	})
}

// bounded is a writer that takes so many bytes.
type bounded struct {
	io.Writer
	left int64
}

func (b *bounded) Write(p []byte) (int, error) {
	if b.left -= int64(len(p)); b.left < 0 {
		return 0, fmt.Errorf("the lanes have more than %d bytes; they are not saved", maxCache)
	}
	return b.Writer.Write(p)
}

// LoadLanes reads a snapshot that SaveLanes has written, and when it was known to be the newest. It
// refuses the lanes of another database, of another root key, or of other environments.
func (s *Serving) LoadLanes(path string, r *lanes.Reader) (*lanes.Snapshot, time.Time, error) {
	snapshot, known, err := s.loadLanes(path, r)
	if err != nil {
		return nil, known, fmt.Errorf("saved lanes in %s: %w", path, err)
	}
	return snapshot, known, nil
}

func (s *Serving) loadLanes(path string, r *lanes.Reader) (*lanes.Snapshot, time.Time, error) {
	var known time.Time
	file, err := secretfile.Open(path)
	if err != nil {
		return nil, known, err
	}
	defer file.Close()
	from := bufio.NewReaderSize(io.LimitReader(file, maxCache+1), 64<<10)
	text, err := s.keys.Load().ring.OpenFrom(from, s.cacheContext())
	if err != nil {
		return nil, known, err
	}
	text = bufio.NewReaderSize(text, 64<<10)
	snapshot, known, err := r.Load(text)
	if err != nil {
		return nil, known, err
	}
	if n, err := io.Copy(io.Discard, text); err != nil || n > 0 {
		return nil, known, errors.Join(err, fmt.Errorf("%d bytes are behind its end", n))
	}
	return snapshot, known, nil
}
