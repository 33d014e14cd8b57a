// Package notify writes and sends what tells people that a certificate ends: mails, a webhook, and a calendar.
//
// [Read] reads the file that says how. [LoadTemplates] and [Templates.Render] make the text of a mail from plain
// [Facts], [Message.Bytes] makes the mail, and [Mailer.Send] sends its bytes to one recipient. What is due, who is
// told, and what was told already, is the caller's matter: the package knows no registry and no database.
//
// What comes from partners, such as the names in certificates, is printable and has a bounded length in all that is
// written here. No error and no result has a password.
package notify

import (
	"strings"

	"github.com/sealane/sealane/internal/termtext"
)

// The limits of what is read and written.
const (
	maxConfig   = 256 << 10
	maxValue    = 300       // bytes of a value in a mail
	maxWords    = 500       // characters of what a server says
	maxMessage  = 1 << 20   // bytes of a mail
	maxServer   = 1 << 20   // bytes that a mail server may send on a connection
	maxBounce   = 4 << 20   // bytes of a mail that reports a failure
	maxLine     = 998       // bytes of a line in a mail (RFC 5322)
	maxTag      = 40        // bytes
	maxLocal    = 64        // bytes in front of the @ (RFC 5321)
	maxPath     = 254       // bytes of an address (RFC 5321)
	maxRendered = 512 << 10 // bytes of what a template writes
)

// line returns text from outside as a mail can show it in a line: nothing in it is hidden, ends the line, is decoded
// as a word of RFC 2047, or is a link.
func line(s string) string {
	s = strings.Join(strings.Fields(termtext.EscapeLine(termtext.Cut(s, maxValue))), " ")
	return unlink.Replace(s)
}

// lines is [line] for text of several lines.
func lines(s string) string {
	return unlink.Replace(termtext.Escape(strings.ReplaceAll(s, "\r\n", "\n")))
}

// unlink escapes what readers of mail decode, or make a link of.
var unlink = strings.NewReplacer("=?", `=\x3f`, "://", `:\x2f/`)

// printable returns what a server says: on one line, and not too long.
func printable(s string) string {
	s = termtext.EscapeLine(strings.Join(strings.Fields(s), " "))
	if r := []rune(s); len(r) > maxWords {
		return string(r[:maxWords-1]) + "…"
	}
	return s
}
