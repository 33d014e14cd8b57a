package unpack

import (
	"bytes"
	"compress/zlib"
	"encoding/ascii85"
	"io"
	"iter"
	"regexp"
	"strconv"

	"github.com/sealane/sealane/internal/filekind"
)

// PDFStreams returns what the compressed streams of a PDF hold (ISO 32000-1, section 7.3.8): files
// that are attached to it, and the text of its pages, which is also returned as it is read where the
// page has it in ASCII. It returns nothing for other files, and for a PDF that is encrypted.
func PDFStreams(data []byte) iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		if filekind.Of(data) != filekind.PDF {
			return
		}
		left := MaxBytes
		for n := 0; n < MaxParts && left > 0; n++ {
			at := bytes.Index(data, []byte("stream"))
			if at < 0 {
				return
			}
			const dictionary = 512 // bytes before a stream that say how it is coded
			said := data[max(0, at-dictionary):at]
			data = data[at+len("stream"):]
			if bytes.HasSuffix(said, []byte("end")) {
				continue
			}
			data = bytes.TrimPrefix(bytes.TrimPrefix(data, []byte{'\r'}), []byte{'\n'})
			plain := inflated(data, said, min(left, maxOne))
			if left -= len(plain); len(plain) == 0 {
				continue
			}
			if !yield(plain) {
				return
			}
			if page := pageText(plain); page != nil && !yield(page) {
				return
			}
		}
	}
}

var pdfASCII85 = regexp.MustCompile(`/(?:ASCII85Decode|A85)\b`)

// inflated returns the content of a stream that is compressed, as far as it can be read.
func inflated(data, dictionary []byte, limit int) []byte {
	var r io.Reader = bytes.NewReader(data)
	dictionary = dictionary[bytes.LastIndex(dictionary, []byte("obj"))+1:]
	if pdfASCII85.Match(dictionary) {
		data, _, _ = bytes.Cut(data, []byte("~>"))
		r = ascii85.NewDecoder(bytes.NewReader(data))
	}
	z, err := zlib.NewReader(r)
	if err != nil {
		return nil
	}
	plain, _ := io.ReadAll(io.LimitReader(z, int64(limit)))
	return plain
}

var shows = regexp.MustCompile(`[)>\]]\s*(?:Tj|TJ|'|")`)

// pageText returns the text that a page shows, if it has strings: a line for each position.
func pageText(page []byte) []byte {
	if !shows.Match(page) {
		return nil
	}
	var out []byte
	for at := 0; at < len(page); {
		switch c := page[at]; {
		case c == '(':
			text, n := pdfString(page[at:])
			out = append(out, text...)
			at += n
		case isLetter(c) || c == '\'' || c == '"':
			from := at
			for at++; at < len(page) && (isLetter(page[at]) || page[at] == '*'); {
				at++
			}
			switch string(page[from:at]) {
			case "Td", "TD", "Tm", "T*", "ET", "'", `"`:
				out = append(out, '\n')
			}
		default:
			at++
		}
	}
	return out
}

// pdfString returns the string with which text begins, and its length there (section 7.3.4.2).
func pdfString(text []byte) (out []byte, n int) {
	depth := 0
	for n < len(text) {
		c := text[n]
		n++
		switch {
		case c == '(':
			if depth++; depth == 1 {
				continue
			}
		case c == ')':
			if depth--; depth == 0 {
				return out, n
			}
		case c == '\\' && n < len(text):
			octet, size := pdfEscape(text[n:])
			out, n = append(out, octet...), n+size
			continue
		}
		out = append(out, c)
	}
	return out, n
}

// pdfEscape returns what an escape stands for, without its backslash, and its length.
func pdfEscape(text []byte) (octet []byte, size int) {
	const octal = 3
	if at := bytes.IndexByte([]byte("nrtbf"), text[0]); at >= 0 {
		return []byte{"\n\r\t\b\f"[at]}, 1
	}
	if len(text) >= octal {
		if value, err := strconv.ParseUint(string(text[:octal]), 8, 8); err == nil {
			return []byte{byte(value)}, octal
		}
	}
	if text[0] == '\n' { // the string goes on in the next line
		return nil, 1
	}
	return text[:1], 1
}
