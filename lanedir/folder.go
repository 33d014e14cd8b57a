package lanedir

import (
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sealane/sealane"
)

// Folder is a lane that changes with its files. It is safe for concurrent use.
type Folder struct {
	read    func() (*Spec, error)
	options Options
	lane    atomic.Pointer[sealane.Lane]
	files   atomic.Pointer[[]KeyFile] // of the lane

	mu      sync.Mutex // held while the lane changes
	sum     [sha256.Size]byte
	keys    io.Closer // of the lane
	earlier []replaced
}

// replaced are the keys of an earlier lane, which requests may still use.
type replaced struct {
	at   time.Time
	keys io.Closer
}

// keysStay is how long the keys of an earlier lane stay open.
const keysStay = 2 * time.Minute

// Open reads a lane folder.
func Open(ctx context.Context, folder string, o Options) (*Folder, error) {
	return open(ctx, func() (*Spec, error) { return Read(folder) }, o)
}

// Open returns a lane that is made from the description, and changes with its files.
func (s *Spec) Open(ctx context.Context, o Options) (*Folder, error) {
	return open(ctx, func() (*Spec, error) { copied := *s; return &copied, nil }, o)
}

func open(ctx context.Context, read func() (*Spec, error), o Options) (*Folder, error) {
	f := &Folder{read: read, options: o}
	if _, err := f.Reload(ctx); err != nil {
		return nil, err
	}
	return f, nil
}

// Lane returns the current lane.
func (f *Folder) Lane() *sealane.Lane { return f.lane.Load() }

// LaneFunc returns the current lane for any request. It is the LaneFunc of a
// sealhttp.Handler or Transport with one lane.
func (f *Folder) LaneFunc(*http.Request) (*sealane.Lane, error) { return f.Lane(), nil }

// Reload makes the lane again if the content of its files has changed, and reports whether
// it has. After an error the lane is unchanged, for example if a private key was replaced
// and its certificate was not. Keys of an earlier lane are closed two minutes after it was
// replaced or later, by a call that changes the lane or by Close.
func (f *Folder) Reload(ctx context.Context) (changed bool, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	spec, err := f.read()
	if err != nil {
		return false, err
	}
	if f.options.Adjust != nil {
		if err := f.options.Adjust(spec); err != nil {
			return false, err
		}
	}
	sum, err := spec.sum() // before the files are read, so that a later change is seen the next time
	if err != nil {
		return false, spec.allFaults(ctx, f.options, err)
	}
	if f.lane.Load() != nil && sum == f.sum {
		return false, nil
	}
	lane, keys, err := spec.load(ctx, f.options)
	if err != nil {
		return false, err
	}
	f.lane.Store(lane)
	f.files.Store(&keys.files)
	f.sum = sum
	now := f.options.now()
	if f.keys != nil {
		f.earlier = append(f.earlier, replaced{now, f.keys})
	}
	f.keys = keys
	var errs []error
	f.earlier = slices.DeleteFunc(f.earlier, func(r replaced) bool {
		if now.Sub(r.at) < keysStay {
			return false
		}
		errs = append(errs, r.keys.Close())
		return true
	})
	return true, errors.Join(errs...)
}

// Watch calls Reload at intervals of every until ctx ends. It calls report after each
// change and each error.
func (f *Folder) Watch(ctx context.Context, every time.Duration, report func(changed bool, err error)) {
	ticks := time.NewTicker(every)
	defer ticks.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticks.C:
		}
		if changed, err := f.Reload(ctx); changed || err != nil {
			report(changed, err)
		}
	}
}

// Close closes the keys. The lane must not be used after that.
func (f *Folder) Close() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	var errs []error
	for _, r := range f.earlier {
		errs = append(errs, r.keys.Close())
	}
	if f.keys != nil {
		errs = append(errs, f.keys.Close())
	}
	f.keys, f.earlier = nil, nil
	return errors.Join(errs...)
}
