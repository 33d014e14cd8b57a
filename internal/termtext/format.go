package termtext

import "strconv"

// Color is the number of an ANSI "select graphic rendition" sequence.
type Color string

// The colors in use.
const (
	Bold   Color = "1"
	Faint  Color = "2"
	Red    Color = "31"
	Green  Color = "32"
	Yellow Color = "33"
)

// Paint returns text in color c.
func (c Color) Paint(text string) string { return "\x1b[" + string(c) + "m" + text + "\x1b[0m" }

// Count formats a number with commas between thousands.
func Count(n int) string {
	s := strconv.Itoa(n)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// Counted returns a number with its noun, such as "1 row" or "2 rows".
func Counted(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return Count(n) + " " + noun + "s"
}
