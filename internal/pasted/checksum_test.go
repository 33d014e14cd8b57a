package pasted_test

import (
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sealane/sealane/internal/pasted"
)

const (
	one = "185bc94fc02d25f6de874bc5b12ea5506cb84287144851b44e8f55ae90ff16d9"
	two = "d4780392e5ee5ee626ed2bd0161ba3ef9bcf0103b212f2f27cca50e44664cfdd"
)

// sums returns the SHA-256 checksums of a text in hexadecimal, with ? behind unsure ones.
func sums(text string) (found []string) {
	all, _ := pasted.Checksums([]byte(text))
	for _, s := range all {
		if len(s.Octets) == 32 {
			mark := "?"
			if s.Sure {
				mark = ""
			}
			found = append(found, hex.EncodeToString(s.Octets)+mark)
		}
	}
	return found
}

// What tools print and people write holds the checksum.
func TestChecksumsOfTools(t *testing.T) {
	files, err := filepath.Glob("testdata/checksums/*.txt")
	more, _ := filepath.Glob("../../testdata/reports/*/checksum-*.txt")
	if files = append(files, more...); err != nil || len(files) < 30 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		found := sums(string(data))
		joined := strings.Contains(file, "wrapped") // no sign says that the number goes on
		if !slices.Contains(found, one) && !slices.Contains(found, two) &&
			!(joined && slices.Contains(found, one+"?")) {
			_, doubts := pasted.Checksums(data)
			t.Errorf("%s: %q, %v", file, found, doubts)
		}
	}
}

func colons(digits string) string {
	var pairs []string
	for i := 0; i < len(digits); i += 2 {
		pairs = append(pairs, digits[i:i+2])
	}
	return strings.Join(pairs, ":")
}

// A dump of a file with the octets of a checksum holds that checksum, and no other.
func TestDumpsOfChecksums(t *testing.T) {
	octets, err := hex.DecodeString(one)
	if err != nil {
		t.Fatal(err)
	}
	line := func(at int, offset, group, behind string) string {
		part := octets[at : at+16]
		text := fmt.Sprintf("% x", part)
		switch group {
		case "xxd":
			text = strings.TrimSpace(strings.Join(slices.Collect(func(yield func(string) bool) {
				for pair := range slices.Chunk(part, 2) {
					if !yield(hex.EncodeToString(pair)) {
						return
					}
				}
			}), " "))
		case "-C":
			text = fmt.Sprintf("% x  % x", part[:8], part[8:])
		case "words", "octal":
			form := map[string]string{"words": "%02x%02x", "octal": "%06o"}[group]
			var words []string
			for pair := range slices.Chunk(part, 2) {
				word := fmt.Sprintf(form, pair[1], pair[0])
				if group == "octal" {
					word = fmt.Sprintf(form, int(pair[1])<<8|int(pair[0]))
				}
				words = append(words, word)
			}
			text = strings.Join(words, " ")
		case "capitals":
			text = strings.ToUpper(text)
		}
		return offset + text + behind + "\n"
	}
	for name, c := range map[string]struct {
		text string
		sure bool
	}{
		"xxd": {line(0, "00000000: ", "xxd", "  .[.O.-%...K....P") +
			line(16, "00000010: ", "xxd", "  l.B..HQ...Z...m."), true},
		"xxd -g1": {line(0, "00000000: ", "", "  ab cd ef 01 23 4") + line(16, "00000010: ", "", "  l.B..HQ"), true},
		"hexdump -C": {line(0, "00000000  ", "-C", "  |.[.O.-%...K....P|") +
			line(16, "00000010  ", "-C", "  |l.B..HQ...Z...m.|") + "00000020\n", true},
		"od -tx1": {line(0, "0000000 ", "", "") + line(16, "0000020 ", "", "") + "0000040\n", true},
		"Format-Hex": {"\n           00 01 02 03 04 05 06 07 08 09 0A 0B 0C 0D 0E 0F\n\n" +
			line(0, "00000000   ", "capitals", "  .[ÉOÀ-%öÞ.KÅ±.¥P") +
			line(16, "00000010   ", "capitals", "  l¸B..HQ´.õZ®.ÿ.Ù"), true},
		"certutil": {line(0, "    0000  ", "-C", "   .[.O.-%...K....P") +
			line(16, "    0010  ", "-C", "   l.B..HQ...Z...m."), true},
		"od -x":   {line(0, "0000000 ", "words", "") + line(16, "0000020 ", "words", "") + "0000040\n", false},
		"hexdump": {line(0, "0000000 ", "words", "") + line(16, "0000010 ", "words", "") + "0000020\n", false},
		"od":      {line(0, "0000000 ", "octal", "") + line(16, "0000020 ", "octal", "") + "0000040\n", false},
	} {
		all, doubts := pasted.Checksums([]byte("$ " + name + " sum.bin\n" + c.text + "$ \n"))
		found := false
		for _, s := range all {
			found = found || hex.EncodeToString(s.Octets) == one && s.Sure == c.sure && s.Line > 1
			if len(s.Octets) != 32 || s.Sure && hex.EncodeToString(s.Octets) != one {
				t.Errorf("%s: also %x", name, s.Octets)
			}
		}
		if !found || len(doubts) > 0 {
			t.Errorf("%s: %v, %v\n%s", name, all, doubts, c.text)
		}
	}
	var file strings.Builder // a dump of a file, which is no checksum
	for at := range 64 {
		file.WriteString(line(at%2*16, fmt.Sprintf("%08x: ", 16*at), "", "  ................"))
	}
	if all, _ := pasted.Checksums([]byte(file.String())); slices.ContainsFunc(all, func(s pasted.Sum) bool {
		return len(s.Octets) == 64
	}) {
		t.Errorf("a dump of a file: %v", all)
	}
}

// Digits of two numbers are never put together, and what is no checksum is named.
func TestChecksumsInDoubt(t *testing.T) {
	blanks := strings.ReplaceAll(colons(one), ":", " ")
	for text, want := range map[string]struct {
		sums  []string
		doubt string
	}{
		one + "\n" + two:                        {[]string{one, two}, ""},
		one + " " + two:                         {[]string{one, two}, ""},
		colons(one) + "\n" + colons(two):        {[]string{one, two}, ""},
		colons(one) + ":" + colons(two[:20]):    {nil, "84 hexadecimal digits"},
		one[:63]:                                {nil, "63 hexadecimal digits"},
		one + "0":                               {nil, "65 hexadecimal digits"},
		one[:16] + "…" + one[48:]:               {nil, "left out"},
		"18:5b:c9:4f:...:16:d9":                 {nil, "left out"},
		"O" + one[1:]:                           {nil, `'O' is not a hexadecimal digit (character 1 of 64)`},
		strings.Replace(one, "c", "с", 1):       {nil, "U+0441"},
		"ad " + blanks:                          {nil, "66 hexadecimal digits"},
		one[:40] + "\n" + one[40:] + "\nof it":  {[]string{one + "?"}, ""},
		one[:40] + "\n" + two:                   {[]string{two}, ""},
		one[:40] + "\nSHA-1 of " + one[40:]:     {nil, "24 hexadecimal digits"},
		"6b1eb51d60f6baa49331d7ad779d9e1a":      {nil, ""},
		"2026-11-29 10:00 +49 170 1234567890":   {nil, ""},
		"123e4567-e89b-12d3-a456-426614174000":  {nil, ""},
		"see https://example.org/a/b/Cdef01234": {nil, ""},
		"":                                      {nil, ""},
	} {
		_, doubts := pasted.Checksums([]byte(text))
		var all []string
		for _, d := range doubts {
			all = append(all, d.Text)
		}
		if got := sums(text); !slices.Equal(got, want.sums) {
			t.Errorf("%q: %q, want %q", text, got, want.sums)
		}
		if said := strings.Join(all, "; "); (want.doubt == "") != (said == "") || !strings.Contains(said, want.doubt) {
			t.Errorf("%q: %q, want %q", text, said, want.doubt)
		}
	}
}

// The file that a line names goes with its checksum.
func TestNamesOfChecksums(t *testing.T) {
	for text, want := range map[string]string{
		one + "  customer.cer":                                       "customer.cer",
		one + " *a b/customer.cer":                                   "customer.cer",
		"SHA256(customer.cer)= " + one:                               "customer.cer",
		"SHA256 hash of customer.cer:\r\n" + one + "\r\nCertUtil: x": "customer.cer",
		"Hash : " + one + "\nPath      : C:\\Users\\a\\customer.cer": "customer.cer",
		"SHA256   " + one + "   C:\\Users\\a\\customer.cer":          "customer.cer",
		one: "", "sha256 Fingerprint=" + colons(one): "",
	} {
		found, _ := pasted.Checksums([]byte(text))
		if len(found) != 1 || found[0].Name != want {
			t.Errorf("%q: %v", text, found)
		}
	}
}

// What mails, pages and people make of a checksum.
func TestChecksumsInOtherForms(t *testing.T) {
	octets, err := hex.DecodeString(one)
	if err != nil {
		t.Fatal(err)
	}
	signed, escaped := make([]string, len(octets)), new(strings.Builder)
	for i, b := range octets {
		signed[i] = fmt.Sprint(int8(b))
		fmt.Fprintf(escaped, `\x%02x`, b)
	}
	pairs := colons(one)
	for name, text := range map[string]string{
		"halves":                    "SHA-256: " + strings.ToUpper(one[:32]) + " " + strings.ToUpper(one[32:]),
		"unequal halves":            one[:40] + " " + one[40:],
		"broken behind a label":     "SHA-256: " + one[:50] + "\n" + one[50:],
		"broken, quoted":            "> > SHA-256: " + one[:60] + "\n> > " + one[60:],
		"broken, quoted-printable":  "SHA-256: " + one[:60] + "=\n" + one[60:],
		"broken, in a list":         "Hash      : " + one[:50] + "\n            " + one[50:] + "\nPath : C:\\a.cer",
		"groups of five":            strings.Join(groups(one, 5), " "),
		"groups of ten":             strings.Join(groups(one, 10), "-"),
		"label and colons in one":   "SHA-256" + pairs,
		"label in one":              "sha256" + one,
		"ratio signs":               strings.ReplaceAll(pairs, ":", "\u2236"),
		"middle dots":               strings.ReplaceAll(pairs, ":", "·"),
		"bytes of Java":             "[" + strings.Join(signed, ", ") + "]",
		"bytes of Go":               fmt.Sprint(octets),
		"bytes of Python":           "b'" + escaped.String() + "'",
		"a pin of curl":             "sha256//" + base64.StdEncoding.EncodeToString(octets),
		"UTF-16, NULs removed":      "\xff\xfeAlgorithm : SHA256\r\nHash : " + one,
		"a cell of a spreadsheet":   `="` + one + `"`,
		"between other numbers":     "Serial: 5f2e1a7b3c4d5e6f708192a3b4c5d6e7f8091a2b\nSHA-256: " + one,
		"a long line before it":     strings.Repeat("a.b ", 5000) + one,
		"among words of two digits": "ad be " + one + " fa de",
	} {
		if got := sums(text); !slices.Contains(got, one) && !slices.Contains(got, one+"?") {
			_, doubts := pasted.Checksums([]byte(text))
			t.Errorf("%s: %q %v", name, got, doubts)
		}
	}
	long := sha512.Sum512(octets)
	for _, text := range []string{
		"sha512-" + base64.StdEncoding.EncodeToString(long[:]), base64.StdEncoding.EncodeToString(long[:]),
	} {
		if all, _ := pasted.Checksums([]byte(text)); len(all) != 1 || len(all[0].Octets) != len(long) {
			t.Errorf("%s: %v", text, all)
		}
	}
	// A line of a file in base64 is no SHA-384.
	if all, _ := pasted.Checksums([]byte(base64.StdEncoding.EncodeToString(long[:48]))); len(all) > 0 {
		t.Errorf("%v", all)
	}
}

func groups(digits string, n int) (out []string) {
	for g := range slices.Chunk([]byte(digits), n) {
		out = append(out, string(g))
	}
	return out
}

// The time grows with the text and not much faster, whatever is in it.
func TestChecksumsAreLinear(t *testing.T) {
	for _, piece := range []string{"a", "18:", "18 ", one + "\n", one + " ", one + " a.cer ", "18\n", "> ", "a.cer ",
		"\u200e", "=", "eyJ", ".\n", "a.", "aé", "[1,", "'\\x1", "sha256 ", "[", `"`, "    ", "abcd...",
		"GFvJT8AtJfbeh0vFsS6lUGy4QocUSFG0To9VrpD/Ftk= "} {
		text := []byte(strings.Repeat(piece, 1<<20/len(piece)))
		timed := func(text []byte) time.Duration {
			start := time.Now()
			pasted.Checksums(text)
			return time.Since(start)
		}
		small := text[:len(text)/16]
		part, whole := timed(small), time.Duration(0)
		for range 3 { // another program may take the processor meanwhile
			part = max(part, timed(small), 5*time.Millisecond)
			if whole = timed(text); whole <= 100*part {
				break
			}
		}
		if whole > 100*part {
			t.Errorf("%.20q: %v, and %v for 16 times as much", piece, part, whole)
		}
		pasted.Tokens(string(text[:64<<10]), 5)
	}
}

// Labels that are glued to numbers do not shift the places of the numbers that follow.
func TestManyGluedLabels(t *testing.T) {
	const first, second = "0123456789abcdef0123456789abcd", "ef0123456789abcdef0123456789abcdef"
	for _, glued := range []int{0, 1, 3, 20} {
		line := strings.Repeat("sha256:abab ", glued)
		pasted.Checksums([]byte(line + "12345678901234567 123456789012345678"))
		sums, _ := pasted.Checksums([]byte(strings.Repeat("x", 64) + " " + line + first + " " + second))
		if len(sums) != 1 || hex.EncodeToString(sums[0].Octets) != first+second {
			t.Errorf("%d glued labels: %d checksums", glued, len(sums))
		}
	}
}
