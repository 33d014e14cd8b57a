// Package unpack takes apart files that contain other files: saved mails, messages of
// Outlook, archives, and text with encoded files. The readers of certificates and the
// search for private keys both use it, so that the search covers everything that is read.
//
// Every file may come from an attacker: the number of parts, their depth, and the size of
// decompressed data are limited, and the time is linear in the size.
package unpack

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"io"
	"path"
	"strings"

	"github.com/sealane/sealane/internal/filekind"
)

// Limits of one file.
const (
	MaxParts = 4096
	MaxDepth = 16
	MaxBytes = 48 << 20 // of all parts together
	maxOne   = 16 << 20 // maximum size of one unpacked part
)

// Part is a file in the file, or a text.
type Part struct {
	Name  string // of the file, without folders; empty for the text of a mail
	Media string // its media type in the mail; may be empty
	Kind  filekind.Kind
	Data  []byte
	Depth int
	// Archive is the archive that holds the part, as an index of File.Archives, or -1.
	Archive int
}

// Trouble describes something that could not be taken apart.
type Trouble struct {
	Name string
	Text string
}

// File is a file that was taken apart.
type File struct {
	// Parts are the innermost parts, in order. If nothing could be taken apart, it is the
	// file itself.
	Parts []Part
	// Archives are the ZIP, gzip and other archives that contain parts.
	Archives []Part
	// Mails counts mails and the parts of mails, and Deepest is the depth of the deepest part.
	Mails, Deepest int
	// From is the sender, if the file is a mail, in the form of the mail.
	From string
	// Signed reports whether there is a PKCS#7 with a signature.
	Signed   bool
	Troubles []Trouble
	// Incomplete reports whether parts are missing, which may contain anything.
	Incomplete bool
}

// Holds reports whether the file contains others.
func (f *File) Holds() bool {
	return len(f.Parts) != 1 || f.Deepest > 0 || len(f.Troubles) > 0
}

// SignedContent returns the content of a PKCS#7 with a signature, and whether data is one.
type SignedContent func(data []byte) (content []byte, signed bool)

// Open takes data apart. It never fails: data that it cannot read becomes one of the parts,
// or is listed in the troubles. signed may be nil.
func Open(data []byte, signed SignedContent) *File {
	o := opener{file: &File{}, left: MaxBytes, signed: signed}
	if o.signed == nil {
		o.signed = func([]byte) ([]byte, bool) { return nil, false }
	}
	o.open(Part{Data: data, Archive: -1})
	return o.file
}

// opener takes one file apart.
type opener struct {
	file   *File
	signed SignedContent
	count  int // of parts and their containers
	left   int // bytes that may still be unpacked
}

// open takes one part apart, or adds it to the parts.
func (o *opener) open(p Part) {
	o.count++
	o.file.Deepest = max(o.file.Deepest, p.Depth)
	if o.count > MaxParts || p.Depth > MaxDepth {
		o.file.Incomplete = true
		return
	}
	p.Name = path.Base(strings.ReplaceAll("/"+p.Name, `\`, "/"))
	if p.Name == "/" {
		p.Name = ""
	}
	p.Kind = filekind.Of(p.Data)
	switch p.Kind {
	case filekind.ZIP, filekind.Office:
		o.zip(o.archive(p))
	case filekind.Gzip, filekind.Bzip2:
		o.stream(o.archive(p))
	case filekind.Tar:
		o.tar(o.archive(p))
	case filekind.Outlook:
		o.outlook(p)
	case filekind.TNEF:
		o.tnef(p)
	case filekind.AppleMail:
		_, rest, _ := bytes.Cut(p.Data, []byte{'\n'})
		o.mailOr(p, rest)
	case filekind.Mailbox:
		o.mailbox(p)
	default:
		o.mailOr(p, p.Data)
	}
}

// archive records an archive, and returns it as the container of its parts.
func (o *opener) archive(p Part) Part {
	o.file.Archives = append(o.file.Archives, p)
	p.Archive = len(o.file.Archives) - 1
	return p
}

// leaf adds a part without further parts, and the files that are encoded in its text.
func (o *opener) leaf(p Part) {
	o.file.Parts = append(o.file.Parts, p)
	o.uuencoded(p)
	if archiveInBase64(p.Data) {
		o.base64(p)
	}
}

// archiveInBase64 reports whether text begins like the base64 of an archive or of a message of
// Outlook, as tickets and web services carry it.
func archiveInBase64(text []byte) bool {
	const front, head = 256, 48 // bytes of text, and what they hold at least
	text = bytes.TrimSpace(text)
	start := make([]byte, head)
	n, _ := io.ReadFull(base64.NewDecoder(base64.StdEncoding, blankless(text[:min(len(text), front)])), start)
	kind := filekind.Of(start[:n])
	return kind >= filekind.ZIP && kind <= filekind.Tar || kind == filekind.OldOffice || kind == filekind.TNEF
}

// base64 opens the archive of which a part is the base64. It needs no more memory than the archive.
func (o *opener) base64(p Part) {
	text := bytes.TrimRight(p.Data, "= \t\r\n")
	limit := min(o.left, maxOne)
	data, err := io.ReadAll(io.LimitReader(base64.NewDecoder(base64.RawStdEncoding, blankless(text)), int64(limit)+1))
	if len(data) > limit {
		o.trouble(p, fmt.Sprintf("what is in it has more than %d MiB", limit>>20))
		return
	}
	if err == nil {
		o.inner(p, "", data)
	}
}

// blankless returns a reader of text without its blanks.
func blankless(text []byte) io.Reader { return &blanklessReader{text} }

type blanklessReader struct{ text []byte }

func (r *blanklessReader) Read(p []byte) (n int, err error) {
	for n < len(p) && len(r.text) > 0 {
		if c := r.text[0]; c != ' ' && c != '\t' && c != '\r' && c != '\n' {
			p[n] = c
			n++
		}
		r.text = r.text[1:]
	}
	if n == 0 && len(p) > 0 {
		return 0, io.EOF
	}
	return n, nil
}

// inner opens the content of a part. It reports whether to continue.
func (o *opener) inner(of Part, name string, data []byte) bool {
	if o.left -= len(data); o.left < 0 {
		o.trouble(of, fmt.Sprintf("what is in it has more than %d MiB", MaxBytes>>20))
		return false
	}
	o.open(Part{Name: name, Data: data, Depth: of.Depth + 1, Archive: of.Archive})
	return o.count <= MaxParts
}

// trouble records that a part could not be taken apart, or not completely. The part itself
// is still searched.
func (o *opener) trouble(p Part, text string) {
	o.file.Incomplete = true
	o.file.Troubles = append(o.file.Troubles, Trouble{p.Name, text})
	o.file.Parts = append(o.file.Parts, p)
}
