package unpack

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/bzip2"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/sealane/sealane/internal/filekind"
)

const maxEntries = 1024 // of one archive

func (o *opener) zip(p Part) {
	if entryHead := []byte("PK\x01\x02"); bytes.Count(p.Data, entryHead) > 4*maxEntries {
		o.trouble(p, fmt.Sprintf("it has more than %d entries", maxEntries))
		return
	}
	z, err := zip.NewReader(bytes.NewReader(p.Data), int64(len(p.Data)))
	if err != nil {
		o.trouble(p, "it is damaged: send it again")
		return
	}
	const encrypted, methodBzip2 = 1, 12
	z.RegisterDecompressor(methodBzip2, func(r io.Reader) io.ReadCloser { return io.NopCloser(bzip2.NewReader(r)) })
	for i, entry := range z.File {
		switch {
		case i == maxEntries:
			o.trouble(p, fmt.Sprintf("it has more than %d entries", maxEntries))
			return
		case entry.FileInfo().IsDir():
			continue
		case entry.Flags&encrypted != 0:
			o.trouble(p, "it is encrypted under a password: a certificate is no secret, send it without")
			return
		}
		r, err := entry.Open()
		if err != nil {
			o.trouble(p, "an entry is compressed in a way that is not supported: unpack it first")
			return
		}
		data, ok := o.read(p, r)
		r.Close()
		if !ok || !o.inner(p, entry.Name, data) {
			return
		}
	}
}

// stream opens a compressed file.
func (o *opener) stream(p Part) {
	var r io.Reader = bzip2.NewReader(bytes.NewReader(p.Data))
	if p.Kind == filekind.Gzip {
		z, err := gzip.NewReader(bytes.NewReader(p.Data))
		if err != nil {
			o.trouble(p, "it is damaged: send it again")
			return
		}
		r = z
	}
	if data, ok := o.read(p, r); ok {
		o.inner(p, strings.TrimSuffix(strings.TrimSuffix(p.Name, ".gz"), ".bz2"), data)
	}
}

func (o *opener) tar(p Part) {
	t := tar.NewReader(bytes.NewReader(p.Data))
	for n := 0; ; n++ {
		head, err := t.Next()
		switch {
		case errors.Is(err, io.EOF):
			return
		case err != nil || n == maxEntries:
			o.trouble(p, "it is damaged, or has too many entries")
			return
		case head.Typeflag != tar.TypeReg:
			continue
		}
		data, ok := o.read(p, t)
		if !ok || !o.inner(p, head.Name, data) {
			return
		}
	}
}

// read unpacks r, within the limits.
func (o *opener) read(p Part, r io.Reader) (data []byte, ok bool) {
	limit := min(o.left, maxOne)
	data, err := io.ReadAll(io.LimitReader(r, int64(limit)+1))
	switch {
	case len(data) > limit:
		o.left -= limit // unpacked data that is not used counts, too
		o.trouble(p, fmt.Sprintf("what is in it has more than %d MiB", limit>>20))
		return nil, false
	case err != nil:
		o.inner(p, p.Name, data) // the part that could be unpacked
		o.trouble(p, "it is damaged: send it again")
		return nil, false
	}
	return data, true
}
