package unpack

import (
	"bytes"
	"regexp"
	"strings"
)

var (
	labelForm  = regexp.MustCompile(`-----BEGIN [A-Z0-9 ]{1,64}-----`)
	changing   = regexp.MustCompile(`[0-9]+|[ \t]+`)
	replacedBy = []byte(",;|#_~^*")
)

// maxLabels is how many PEM blocks of a text are looked at for what is around their lines.
const maxLabels = 256

// undecorated removes from the lines of each PEM block what a program has put around all of them: line
// numbers, the signs of a diff or of a comment, the time and the name of a log, the words of a command.
// It also breaks the lines where another character stands for each line end.
func undecorated(text []byte) []byte {
	var out []byte
	from := 0
	forms := map[string]*regexp.Regexp{}
	left := 1 << 20 // bytes that are read in vain
	for _, at := range labelForm.FindAllIndex(text, maxLabels) {
		if at[0] < from || left <= 0 {
			continue
		}
		begin := bytes.LastIndexByte(text[:at[0]], '\n') + 1
		line, _, _ := bytes.Cut(text[at[1]:], []byte{'\n'})
		before, behind := string(text[begin:at[0]]), strings.TrimRight(string(line), "\r")
		if len(behind) > 0 && bytes.IndexByte(replacedBy, behind[0]) >= 0 && strings.Count(behind, behind[:1]) > 2 {
			n := blockEnd(text[at[1]:])
			out = append(append(out, text[from:at[1]]...),
				bytes.ReplaceAll(text[at[1]:at[1]+n], []byte(behind[:1]), []byte{'\n'})...)
			from = at[1] + n
			continue
		}
		if strings.Trim(before+behind, " \t") == "" || len(before)+len(behind) > longestDecoration {
			continue
		}
		form := decoration(forms, before, behind)
		plain, n, found := withoutDecoration(text[begin:], form)
		if !found {
			left -= n
			continue
		}
		out = append(append(out, text[from:begin]...), plain...)
		from = begin + n
	}
	if from == 0 {
		return nil
	}
	return append(out, text[from:]...)
}

const (
	longestDecoration = 200       // bytes before and behind a line
	longestBlock      = 64 << 10  // bytes of a PEM block
	longestLine       = 128 + 256 // bytes of one of its lines
)

// blockEnd returns where a PEM block ends that begins with text, behind its first label.
func blockEnd(text []byte) int {
	text = text[:min(len(text), longestBlock)]
	at := bytes.Index(text, []byte("-----END "))
	if at < 0 {
		return len(text)
	}
	if end := bytes.Index(text[at+len("-----END "):], []byte("-----")); end >= 0 {
		return at + len("-----END ") + end + len("-----")
	}
	return len(text)
}

// decoration returns the form of the lines of a block, by what is before and behind its first line: only
// the numbers and the blanks of it may change.
func decoration(forms map[string]*regexp.Regexp, before, behind string) *regexp.Regexp {
	quoted := func(text string) string {
		text = string([]rune(text)) // an expression takes each byte that is no UTF-8 for U+FFFD
		var out strings.Builder
		from := 0
		for _, at := range changing.FindAllStringIndex(text, -1) {
			out.WriteString(regexp.QuoteMeta(text[from:at[0]]))
			if text[at[0]] == ' ' || text[at[0]] == '\t' {
				out.WriteString(`[ \t]*`)
			} else {
				out.WriteString(`[0-9]+`)
			}
			from = at[1]
		}
		return out.String() + regexp.QuoteMeta(text[from:])
	}
	text := `^` + quoted(before) + `([A-Za-z0-9+/=:, -]*?)` + quoted(behind) + `$`
	form := forms[text]
	if form == nil {
		form = regexp.MustCompile(text)
		forms[text] = form
	}
	return form
}

// withoutDecoration returns the lines of the block with which text begins, without what the form says, and
// how much of text it has read. found is false if a line before the last label has another form.
func withoutDecoration(text []byte, form *regexp.Regexp) (plain []byte, n int, found bool) {
	for n < min(len(text), longestBlock) {
		line, _, more := bytes.Cut(text[n:min(len(text), n+longestLine)], []byte{'\n'})
		m := form.FindSubmatch(bytes.TrimRight(line, "\r"))
		if m == nil {
			return nil, n + len(line), false
		}
		plain = append(append(plain, m[1]...), '\n')
		n += len(line)
		if more {
			n++
		}
		if bytes.HasPrefix(m[1], []byte("-----END ")) {
			return plain, n, true
		}
		if !more {
			break
		}
	}
	return nil, n, false
}
