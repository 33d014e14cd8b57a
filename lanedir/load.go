package lanedir

import (
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"time"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/internal/readlimit"
	"github.com/sealane/sealane/keyfile"
	"github.com/sealane/sealane/keyring"
	"github.com/sealane/sealane/kms"
	"github.com/sealane/sealane/profile"
	"github.com/sealane/sealane/rsaengine"
)

// Options configure how lanes are made. The zero value is useful.
type Options struct {
	// RSA performs the RSA operations. The default is crypto/rsa.
	RSA *rsaengine.Engine
	// Passphrase returns the passphrase of a private key. Without it, encrypted keys cannot
	// be opened.
	Passphrase func() ([]byte, error)
	// Warn receives a sentence about a key that can be used but should be replaced or kept
	// better. The default logs it by slog.Default().
	Warn func(text string)
	// Adjust changes the description before the lane is made, or refuses it by an error.
	Adjust func(*Spec) error
	// Now is the clock. The default is time.Now.
	Now func() time.Time
}

func (o Options) warn(text string) {
	if o.Warn == nil {
		slog.Warn(text)
		return
	}
	o.Warn(text)
}

func (o Options) now() time.Time {
	if o.Now == nil {
		return time.Now()
	}
	return o.Now()
}

// Load opens the keys and makes the lane. The caller closes the keys when the lane is no longer used.
func (s *Spec) Load(ctx context.Context, o Options) (lane *sealane.Lane, keys io.Closer, err error) {
	lane, opened, err := s.load(ctx, o)
	if err != nil {
		return nil, nil, err
	}
	return lane, opened, nil
}

// load is Load, with what is known about the files.
func (s *Spec) load(ctx context.Context, o Options) (lane *sealane.Lane, keys *openedKeys, err error) {
	opened := &openedKeys{}
	defer func() {
		if err != nil {
			opened.Close()
		}
	}()
	nameOrFile, _ := s.profilePath()
	p, err := profile.Load(nameOrFile)
	if err != nil {
		return nil, nil, err
	}
	ours, errOurs := s.ourRing(ctx, o, opened)
	theirs, errTheirs := s.theirRing(o, opened)
	if err := errors.Join(errOurs, errTheirs); err != nil {
		return nil, nil, err
	}
	lane, err = sealane.New(sealane.Config{
		Profile: p, Side: s.Side, Partner: s.Partner, Environment: s.Environment, Ours: ours, Theirs: theirs,
		Sealing: s.Sealing, PlainEndpoints: s.Plain, AcceptRSAOAEP: s.AcceptRSAOAEP, SenderAuth: s.Caller,
		MaxPayload: s.MaxPayload, NoResend: s.NoResend, Expired: s.Expired, Now: o.now,
	})
	if err != nil {
		return nil, nil, err
	}
	if err := s.checkKeys(lane, o); err != nil {
		return nil, nil, err
	}
	return lane, opened, nil
}

// allFaults returns everything that is wrong with the files, one of which can't be read.
func (s *Spec) allFaults(ctx context.Context, o Options, unreadable error) error {
	_, keys, err := s.Load(ctx, o)
	if err == nil {
		return errors.Join(unreadable, keys.Close())
	}
	return err
}

// checkKeys refuses keys that should not be used, unless there is a reason. An expired
// certificate is only a warning: if a lane stopped at midnight, nobody would be helped.
func (s *Spec) checkKeys(lane *sealane.Lane, o Options) error {
	var refused []error
	for _, p := range lane.CheckKeys(o.now()) {
		if p.Rule == "validity-now" || strings.TrimSpace(s.AcceptCertificate) != "" {
			o.warn(lane.Name() + ": " + p.Error())
			continue
		}
		refused = append(refused, p)
	}
	if len(refused) == 0 {
		return nil
	}
	return fmt.Errorf("%s: %w; to use it nevertheless, state the reason in accept_certificate",
		lane.Name(), errors.Join(refused...))
}

// openedKeys are keys to close, and what is known about the files of all keys.
type openedKeys struct {
	keys  []*kms.Key
	files []KeyFile
}

// Close closes the keys.
func (k *openedKeys) Close() error {
	var errs []error
	for _, key := range k.keys {
		errs = append(errs, key.Close())
	}
	return errors.Join(errs...)
}

// ourRing and theirRing return the keys. The error has what is wrong with each.
func (s *Spec) ourRing(ctx context.Context, o Options, opened *openedKeys) (*keyring.Ring, error) {
	return ring("ours", s.Ours, func(k Key, state keyring.State) (keyring.Key, error) {
		uri, _ := s.keyURI(k.File)
		key, err := kms.Open(ctx, uri, kms.Options{Passphrase: o.Passphrase, Warn: o.warn})
		if err != nil {
			return keyring.Key{}, err
		}
		opened.keys = append(opened.keys, key)
		file := KeyFile{Ours: true, File: kms.Name(uri), State: state}
		if err := s.findCertificate(k, key, &file); err != nil {
			return keyring.Key{}, err
		}
		opened.files = append(opened.files, file)
		private, err := o.RSA.PrivateKey(key.Private)
		if err != nil {
			return keyring.Key{}, fmt.Errorf("key %s: %w", kms.Name(uri), err)
		}
		return keyring.Key{ID: cmp.Or(k.KeyID, key.KeyID), Private: private}, nil
	})
}

func (s *Spec) theirRing(o Options, opened *openedKeys) (*keyring.Ring, error) {
	return ring("theirs", s.Theirs, func(k Key, state keyring.State) (keyring.Key, error) {
		name := s.path(k.File)
		if k.Certificate != "" {
			return keyring.Key{}, fmt.Errorf("%s: certificate is for our own keys: the file of a partner's key is "+
				"its certificate", name)
		}
		data, err := readlimit.File(name, keyfile.MaxSize)
		if err != nil {
			return keyring.Key{}, err
		}
		file, err := keyfile.Parse(data)
		switch {
		case err != nil:
			return keyring.Key{}, fmt.Errorf("%s: %w", name, err)
		case file.PublicKey == nil:
			return keyring.Key{}, fmt.Errorf("%s has no RSA key", name)
		}
		key := keyring.Key{ID: cmp.Or(k.KeyID, file.KeyID), Public: file.PublicKey}
		if len(file.Certificates) > 0 {
			key.Certificate = file.Certificates[0]
		}
		opened.files = append(opened.files, KeyFile{File: name, State: state, Certificate: key.Certificate})
		if key.PublicOps, err = o.RSA.PublicOps(file.PublicKey); err != nil {
			return keyring.Key{}, fmt.Errorf("%s: %w", name, err)
		}
		return key, nil
	})
}

// ring makes the ring of a list of keys, each of which open returns.
func ring(word string, list Keys, open func(Key, keyring.State) (keyring.Key, error)) (*keyring.Ring, error) {
	states, err := list.states()
	if err != nil || len(states) == 0 {
		return nil, prefixed(word, err)
	}
	keys, errs := make([]keyring.Key, len(states)), make([]error, len(states))
	for i, k := range list {
		keys[i], err = open(k, states[i])
		keys[i].State, errs[i] = states[i], prefixed(word, err)
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	r, err := keyring.New(keys...)
	return r, prefixed(word, err)
}

func prefixed(word string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", word, err)
}

// sum returns the SHA-256 of everything that the lane is made of: the description, and the
// content of the files. For a key URI it uses the URI only.
func (s *Spec) sum() ([sha256.Size]byte, error) {
	h := sha256.New()
	fmt.Fprintf(h,
		"%q %q %q %q %q %q %q %q %q %q %d %q %q %q\n", s.Profile, s.Side, s.Partner, s.Environment, s.Sealing,
		s.Caller, s.AcceptRSAOAEP, s.AcceptCertificate, s.NoResend, s.Expired,
		s.MaxPayload, s.Plain, s.Ours, s.Theirs)
	var files []string
	if name, isFile := s.profilePath(); isFile {
		files = append(files, name)
	}
	for _, k := range s.Ours {
		if uri, isFile := s.keyURI(k.File); isFile {
			files = append(files, uri)
		}
		if k.Certificate != "" {
			files = append(files, s.path(k.Certificate))
		}
	}
	for _, k := range s.Theirs {
		files = append(files, s.path(k.File))
	}
	for _, name := range files {
		data, err := readlimit.File(name, keyfile.MaxSize)
		if err != nil {
			return [sha256.Size]byte{}, err
		}
		fmt.Fprintf(h, "%q %d\n", name, len(data))
		h.Write(data)
		clear(data) // it may be a private key
	}
	return [sha256.Size]byte(h.Sum(nil)), nil
}
