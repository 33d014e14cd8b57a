package exchange

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"html"
	"io"
	"mime"
	"net/mail"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/sealane/sealane/internal/filekind"
	"github.com/sealane/sealane/internal/pasted"
	"github.com/sealane/sealane/internal/registry"
	"github.com/sealane/sealane/internal/unpack"
	"github.com/sealane/sealane/keyfile"
)

// Limits of what is read of a mail. More is only searched for private keys.
const (
	maxMail      = 16 << 20 // bytes
	maxParts     = 64
	maxMailDepth = 6
	maxSiblings  = 256 // public keys that are blocked
)

// readParts returns the certificate in a file that holds others.
func readParts(opened *unpack.File, kind filekind.Kind, whole []byte) (*incomingFile, error) {
	if opened.Mails > maxParts || opened.Mails > 0 && opened.Deepest > maxMailDepth+1 {
		return nil, registry.Refuse("the mail has more than %d parts, or they nest deeper than %d; "+
			"save the attachment, and receive that file", maxParts, maxMailDepth)
	}
	r := partsReader{opened: opened}
	for _, t := range opened.Troubles {
		if r.skip(t.Name, registry.Refuse("%s", t.Text)); t.Name == "" {
			r.skipped = append(r.skipped, t.Text)
		}
	}
	for _, p := range opened.Parts {
		r.part(p)
	}
	f, err := r.result(kind)
	if err != nil {
		return nil, err
	}
	f.from, f.skipped, f.with = opened.From, r.skipped, r.others(f)
	if f.said, err = r.checksums(f, whole); err != nil {
		return nil, err
	}
	if a, err := mail.ParseAddress(f.from); err == nil {
		f.from = a.Address
	}
	return f, nil
}

// How much of a mail is searched for checksums of its certificate. More text is refused.
const (
	maxCompared = 1024    // different checksums
	maxText     = 4 << 20 // bytes of text
	maxOther    = 1 << 20 // bytes of the whole mail, and of a file that is no text
)

// withoutTags returns a text with something in the place of each tag of HTML, and of each comment, which may stand
// between the digits of a checksum.
func withoutTags(text, between []byte) []byte {
	var out []byte
	comments := true // the rest may have the end of one
	for {
		at := bytes.IndexByte(text, '<')
		if at < 0 {
			return append(out, text...)
		}
		out, text = append(out, text[:at]...), text[at:]
		end := -1
		if comments && bytes.HasPrefix(text, []byte("<!--")) {
			if end = bytes.Index(text, []byte("-->")) + 2; end < 2 {
				end, comments = -1, false
			}
		}
		if end < 0 {
			end = bytes.IndexAny(text[1:], "<>") + 1
		}
		switch {
		case end <= 0:
			return append(out, text...)
		case text[end] == '<':
			out, text = append(out, text[:end]...), text[end:]
		default:
			out, text = append(out, between...), text[end+1:]
		}
	}
}

// checksums returns the checksums in the message next to its certificate that would confirm it: in
// the headers, in the names of files, and in other parts. Others are not kept, so that invented ones
// can't displace them.
func (r *partsReader) checksums(f *incomingFile, whole []byte) (said [][]byte, err error) {
	if len(f.file.Certificates) == 0 {
		return nil, nil
	}
	texts, err := r.texts(whole)
	if err != nil {
		return nil, err
	}
	of := registry.Certificate{Provenance: registry.Provenance{File: f.data, With: f.with}}
	compared := map[string]bool{}
	for _, text := range texts {
		sums, _ := pasted.Checksums(text)
		for _, s := range sums {
			if !comparable(s) || compared[string(s.Octets)] {
				continue
			}
			if len(compared) == maxCompared {
				return nil, registry.Refuse("the mail or archive has more than %d checksums, and any of them may be "+
					"that of its certificate: ask for a mail with the certificate alone", maxCompared)
			}
			compared[string(s.Octets)] = true
			if confirms(s.Octets, of, f.file.Certificates[0]) {
				said = append(said, s.Octets)
			}
		}
	}
	return said, nil
}

var errMuchText = registry.Refuse("the mail or archive has more text than the %d bytes that are searched for the "+
	"checksum of its certificate: ask for a mail with the certificate alone", maxText)

// texts returns what may have a checksum in it next to the certificate. That is the headers and all
// text, or an error; of other files, it is the small ones.
func (r *partsReader) texts(whole []byte) ([][]byte, error) {
	begin := min(len(whole), maxOther)
	switch filekind.Of(whole) {
	case filekind.Unknown, filekind.AppleMail, filekind.Mailbox: // others have no headers at their beginning
		begin = max(begin, headerEnd(whole))
	}
	texts, left := [][]byte{whole[:begin], decodedWords(whole[:begin])}, maxText-begin
	if left < 0 {
		return nil, errMuchText
	}
	var others [][]byte
	for _, p := range r.opened.Parts {
		texts = append(texts, []byte(p.Name))
		holds := slices.ContainsFunc(r.parts, func(o unpack.Part) bool { return bytes.Equal(o.Data, p.Data) })
		isText := p.Name == "" || strings.HasPrefix(strings.ToLower(p.Media), "text/") ||
			utf8.Valid(p.Data) && bytes.IndexByte(p.Data, 0) < 0
		switch {
		case holds && p.Name != "":
		case !isText:
			others = append(others, p.Data)
		default:
			texts = append(texts, p.Data)
			if left -= len(p.Data); left < 0 {
				return nil, errMuchText
			}
			if bytes.ContainsAny(p.Data, "<&") { // as a reader of HTML shows it: in one line, or in cells
				for _, between := range []string{"", " "} {
					shown := html.UnescapeString(string(withoutTags(p.Data, []byte(between))))
					if between != "" {
						shown = strings.Join(strings.Fields(shown), between)
					}
					texts = append(texts, []byte(shown))
				}
			}
		}
	}
	for _, data := range others {
		if len(data) <= min(left, maxOther) {
			texts, left = append(texts, data), left-len(data)
		}
	}
	return texts, nil
}

// encodedWord is a word in another character set (RFC 2047 section 2).
var encodedWord = regexp.MustCompile(`=\?[^\s?]{1,40}\?[bBqQ]\?[^\s?]*\?=`)

// betweenWords is the blank space between two encoded words, which mail programs do not show.
var betweenWords = regexp.MustCompile(`\?=\s+=\?`)

// decodedWords returns a text with its encoded words as mail programs show them, and nothing if there are none. Each
// is read by itself, so that one that can't be read hides no other. All character sets are read as one in which
// digits are what they are in ASCII.
func decodedWords(text []byte) []byte {
	words := mime.WordDecoder{CharsetReader: func(_ string, in io.Reader) (io.Reader, error) {
		word, err := io.ReadAll(in)
		return bytes.NewReader(bytes.ReplaceAll(word, []byte{0}, nil)), err // UTF-16 has zeros
	}}
	if !encodedWord.Match(text) {
		return nil
	}
	text = betweenWords.ReplaceAll(text, []byte("?==?"))
	return encodedWord.ReplaceAllFunc(text, func(word []byte) []byte {
		if decoded, err := words.Decode(string(word)); err == nil {
			return []byte(decoded)
		}
		return word
	})
}

// headerEnd returns where the headers of a mail end.
func headerEnd(mail []byte) int {
	for _, blank := range []string{"\n\r\n", "\n\n"} {
		if at := bytes.Index(mail, []byte(blank)); at >= 0 {
			mail = mail[:at]
		}
	}
	return len(mail)
}

// partsReader collects what is in the parts of a file.
type partsReader struct {
	opened  *unpack.File
	found   []*incomingFile
	parts   []unpack.Part // that each of them came as
	skipped []string
}

// generated is what programs call parts that they add by themselves.
var generated = regexp.MustCompile(`(?i)^(?:ATT\d+\.\w+|winmail\.dat|signature\.asc|oledata\.mso|` +
	`image\d+\.[ew]mz|filelist\.xml|themedata\.thmx|colorschememapping\.xml|\._.*|\.DS_Store)$`)

func (r *partsReader) skip(name string, why error) {
	line := fmt.Sprintf("%s: %v", name, why)
	if name != "" && !generated.MatchString(name) && !slices.Contains(r.skipped, line) {
		r.skipped = append(r.skipped, line)
	}
}

var longWord = regexp.MustCompile(`[A-Za-z0-9+/=_-]{40}`)

// isProse reports whether data is text in which nothing can be hidden, such as a disclaimer.
func isProse(data []byte) bool {
	return utf8.Valid(data) && bytes.IndexByte(data, 0) < 0 && !longWord.Match(data)
}

// part takes the certificate in a part, if it holds one.
func (r *partsReader) part(p unpack.Part) {
	f, err := readFile(p.Data)
	switch {
	case errors.Is(err, errSigned), err != nil && (p.Kind.Ornament() || p.Kind == filekind.Unknown && isProse(p.Data)):
	case err != nil && p.Archive >= 0 && r.opened.Archives[p.Archive].Kind == filekind.Office:
		archive := r.opened.Archives[p.Archive]
		r.skip(archive.Name, fmt.Errorf("this is %s: %s", archive.Kind, archive.Kind.Advice()))
	case err != nil:
		r.skip(p.Name, err)
	case p.Name == "" && (len(f.file.Certificates) == 0 || f.partnerFile != nil):
		// the text of the mail that quotes a key
	default:
		if f.name = p.Name; f.name == "" && r.opened.Mails > 0 {
			f.name = unnamed
		}
		r.found, r.parts = append(r.found, f), append(r.parts, p)
	}
}

// result returns the one certificate.
func (r *partsReader) result(kind filekind.Kind) (*incomingFile, error) {
	what := "the mail"
	if kind != filekind.Unknown && r.opened.Mails == 0 {
		what = "the file, which is " + kind.String() + ","
	}
	var different []*incomingFile
	for _, f := range r.found {
		i := slices.IndexFunc(different, func(o *incomingFile) bool { return sameCertificate(o.file, f.file) })
		switch {
		case i < 0:
			different = append(different, f)
		case different[i].partnerFile == nil && f.partnerFile != nil: // which says more
			different[i] = f
		}
	}
	switch len(different) {
	case 0:
		text := what + " has no certificate attached"
		if r.opened.Signed {
			text = what + " has no certificate but the one of its own signature, which is its signer's; " +
				"ask for the partner's as an attachment (.pem, .cer, .crt, .p7b)"
		}
		switch {
		case len(r.skipped) > 0:
			text += ": " + strings.Join(r.skipped, "; ")
		case kind != filekind.Unknown && r.opened.Mails == 0:
			text += ": " + kind.Advice()
		case !r.opened.Signed:
			text += ": receive the certificate's file, or the mail that has it; a checksum is compared with a " +
				"certificate that came before"
		}
		return nil, registry.Refuse("%s", text)
	case 1:
		return different[0], nil
	}
	if f := joined(different); f != nil {
		return f, nil
	}
	names := make([]string, len(different))
	for i, f := range different {
		names[i] = f.name
	}
	return nil,
		registry.Refuse("%s has %d different certificates attached: %s; save the right one, and receive that file",
			what, len(different), strings.Join(names, ", "))
}

// joined returns the file with the leaf, if the others hold nothing but its issuers, which came
// apart. It returns nil if they hold something else.
func joined(found []*incomingFile) *incomingFile {
	var files []*keyfile.File
	for _, f := range found {
		if len(f.file.Certificates) > 0 {
			files = append(files, f.file)
		}
	}
	if len(files) == 0 {
		return nil
	}
	all, err := keyfile.Join(files)
	if err != nil {
		return nil
	}
	for _, f := range found {
		if len(f.file.Certificates) > 0 && f.file.Certificates[0].Equal(all.Certificates[0]) {
			f.file = all
			return f
		}
	}
	return nil
}

// others returns the files that came with a certificate, and the archives that it came in.
func (r *partsReader) others(chosen *incomingFile) (with []registry.With) {
	add := func(name string, data []byte, same bool) {
		sum := sha256.Sum256(data)
		known := func(w registry.With) bool { return bytes.Equal(w.SHA256, sum[:]) }
		if name == "" && !same || slices.ContainsFunc(with, known) {
			return
		}
		with = append(with, registry.With{Name: cut(name, 100), SHA256: sum[:], Same: same})
	}
	for _, p := range r.opened.Parts {
		same := false
		for i, f := range r.found {
			same = same || bytes.Equal(r.parts[i].Data, p.Data) && sameCertificate(f.file, chosen.file)
		}
		add(p.Name, p.Data, same)
	}
	for i, f := range r.found {
		if !sameCertificate(f.file, chosen.file) {
			continue
		}
		for at := r.parts[i].Archive; at >= 0; at = r.opened.Archives[at].Archive {
			add(r.opened.Archives[at].Name, r.opened.Archives[at].Data, true)
		}
	}
	return with
}

// unnamed is what errors call a part without a file name.
const unnamed = "the mail's text"
