package exchange

import (
	"context"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/x509"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/sealane/sealane/cert"
	"github.com/sealane/sealane/internal/pasted"
	"github.com/sealane/sealane/internal/registry"
	"github.com/sealane/sealane/internal/unpack"
	"github.com/sealane/sealane/keyfile"
)

// Comparison is a received certificate, and the checksum of the partner's second message.
type Comparison struct {
	Certificate string `json:"certificate"` // its identity
	Checksum    string `json:"checksum"`    // in any notation, in the message or in the output of a tool
}

// maxPasted is how much of a message is read, in bytes.
const maxPasted = 64 << 10

// MatchChecksum compares a received certificate with the checksums in a text, and returns what
// matched. One that matches is enough: the others may be those of other files. A checksum that
// should match and does not is recorded, and undoes a match before. One that belongs to another
// file accuses nobody.
func (e Exchange) MatchChecksum(ctx context.Context, of Comparison) (matched string, err error) {
	sums, doubts := checksumsIn([]byte(of.Checksum[:min(len(of.Checksum), maxPasted)]))
	if !slices.ContainsFunc(sums, comparable) {
		return "", registry.Refuse("certificate %s: %w", of.Certificate, noChecksum(sums, doubts))
	}
	var wrong *registry.Certificate
	var accused string
	step := func(tx registry.Tx, c *registry.Certificate) error {
		if err := c.NotBlocked(tx); err != nil {
			return fmt.Errorf("certificate %s: %w", c.ID, err)
		}
		chain, err := c.Parse()
		if err != nil {
			return err
		}
		found, sum, err := compare(sums, *c, chain[0])
		if errors.Is(err, errMismatch) {
			wrong, accused = c, cut(sum.Text, 200)
		}
		if err != nil {
			return err
		}
		if slices.ContainsFunc(c.Provenance.Said, func(said []byte) bool { return slices.Equal(said, sum.Octets) }) {
			return registry.Refuse("this checksum came in the same mail as certificate %s, and proves nothing: "+
				"ask for it by another message", c.ID)
		}
		matched = found
		if c.State != registry.Received && c.State != registry.Matched {
			return notMatchedAgain(*c)
		}
		if c.State == registry.Matched { // by another of the partner's checksums
			return nil
		}
		p := &c.Provenance
		p.MatchedBy, p.Matched = e.session.Person().ID, e.session.Time()
		p.Checksum, p.MatchedAs = cut(sum.Text, 200), matched
		return e.session.MoveCertificate(tx, c, registry.Matched)
	}
	err = e.changeTheirs(ctx, registry.ActionExchangeMatch, of.Certificate, step)
	if wrong != nil {
		err = errors.Join(err, e.recordMismatch(ctx, *wrong, checksumMismatch, accused))
	}
	return matched, err
}

// checksumsIn returns the checksums in a message: in its text, or, if there are none, in what a
// person sees of a saved mail or a page.
func checksumsIn(message []byte) (sums []pasted.Sum, doubts []pasted.Doubt) {
	sums, doubts = pasted.Checksums(message)
	if slices.ContainsFunc(sums, comparable) {
		return sums, doubts
	}
	for _, p := range unpack.Open(message, keyfile.SignedContent).Parts {
		text, _ := unpack.Text(p.Data)
		for _, reading := range [][]byte{text, unpack.Meant(text)} {
			if found, _ := pasted.Checksums(reading); slices.ContainsFunc(found, comparable) {
				return found, nil
			}
		}
	}
	return sums, doubts
}

// notMatchedAgain refuses to record the right checksum of a certificate that was approved or has ended.
func notMatchedAgain(c registry.Certificate) error {
	p := c.Provenance
	if p.MatchedBy == "" || c.State == registry.Rejected || c.State == registry.Compromised {
		return registry.Refuse("certificate %s is %s, and can't become %s", c.ID, c.State, registry.Matched)
	}
	when := ""
	if !p.Matched.IsZero() {
		when = " on " + p.Matched.Format(time.DateOnly)
	}
	return registry.Refuse("the checksum is right, and nothing is left to confirm: certificate %s is %s, and %s has "+
		"confirmed it%s", c.ID, c.State, p.MatchedBy, when)
}

const md5Size = 16 // bytes

// comparable reports whether a certificate can be compared with a checksum.
func comparable(s pasted.Sum) bool {
	return slices.Contains([]int{sha256.Size, sha512.Size384, sha512.Size, sha1.Size}, len(s.Octets))
}

// noChecksum explains a text without a checksum that can be compared.
func noChecksum(sums []pasted.Sum, doubts []pasted.Doubt) error {
	const ask = "copy the 64 hexadecimal digits of the SHA-256 from the second message"
	names := map[int]string{md5Size: "an MD5", sha256.Size224: "a SHA-224"}
	switch {
	case len(doubts) > 0:
		return registry.Refuse("this is no checksum: line %d: %s; %s", doubts[0].Line, doubts[0].Text, ask)
	case len(sums) > 0:
		return registry.Refuse("this is %s (%d bytes), with which nothing is compared; ask for the SHA-256",
			names[len(sums[0].Octets)], len(sums[0].Octets))
	}
	return registry.Refuse("this is no checksum; " + ask)
}

// errMismatch means that a checksum of the certificate does not match it.
var errMismatch = errors.New("the checksum does not match")

// compare returns what the first matching checksum is of. An error has the checksum that it is
// about.
func compare(sums []pasted.Sum, c registry.Certificate, leaf *x509.Certificate) (string, pasted.Sum, error) {
	var other error // what another checksum is of
	var wrong, unsure []pasted.Sum
	for _, s := range sums {
		match, ok := cert.MatchSum(s.Octets, c.Provenance.File, leaf)
		switch {
		case ok && match.CoversCertificate():
			return match.String(), s, nil
		case ok:
			other = registry.Refuse("this is the %s; ask for the SHA-256 of the certificate or of its file", match)
			continue
		case !comparable(s) || len(s.Octets) == sha1.Size:
			continue
		}
		if hash := otherHash(s); hash != "" {
			other = registry.Refuse("line %d is a checksum by %s, with which nothing is compared; ask for the SHA-256",
				s.Line, hash)
			continue
		}
		name, same, known := fileOf(s.Octets, c, leaf)
		switch {
		case known && same:
			return "SHA-256 of " + name + ", which holds the same certificate", s, nil
		case known:
			other = registry.Refuse("this is the SHA-256 of %q, which came with certificate %s and is another file: "+
				"compare the line that names the certificate's file", name, c.ID)
		case s.Name != "" && c.Provenance.Name != "" && !strings.EqualFold(s.Name, c.Provenance.Name):
			other = registry.Refuse("this is the SHA-256 of a file %q, and certificate %s came as %q: "+
				"ask for the SHA-256 of the certificate itself, or for that file", s.Name, c.ID, c.Provenance.Name)
		case s.Sure:
			wrong = append(wrong, s)
		default:
			unsure = append(unsure, s)
		}
	}
	switch {
	case len(wrong) > 0:
		return "", wrong[0],
			registry.Refuse("%w certificate %s, in any of its formats, nor the file in which it came: "+
				"stop, and call the partner at a number that you knew before", errMismatch, c.ID)
	case other != nil:
		return "", pasted.Sum{}, other
	case len(unsure) > 0:
		return "", unsure[0], registry.Refuse(
			"certificate %s: line %d can be read in more than one way, and none matches: "+
				"copy one checksum, in one line",
			c.ID,
			unsure[0].Line,
		)
	}
	return "", pasted.Sum{},
		registry.Refuse("certificate %s: there is only a SHA-1, and not of this certificate; ask for "+
			"the SHA-256", c.ID)
}

var (
	otherHashes = regexp.MustCompile(`(?i)\b(?:SHA-?3(?:[-_/](?:224|256|384|512))?|SHAKE-?\d+|KECCAK(?:-?\d+)?|` +
		`BLAKE-?[23]?[bs]?p?(?:-\d+)?|RIPEMD-?\d*|WHIRLPOOL|SM3|STREEBOG(?:-?\d+)?)\b`)
	longHashes = regexp.MustCompile(`(?i)\bsha-?2?-?(?:384|512)\b`)
)

// otherHash returns the name of the hash function of a checksum that is not of the family of
// SHA-256, or "". A long checksum is of SHA-384 or SHA-512 only if its line says so.
func otherHash(s pasted.Sum) string {
	if name := otherHashes.FindString(s.Text); name != "" {
		return name
	}
	if len(s.Octets) > sha256.Size && !longHashes.MatchString(s.Text) {
		return fmt.Sprintf("a function of %d bits that it does not name", 8*len(s.Octets))
	}
	return ""
}

// confirms reports whether a checksum is of a certificate, or of a file that holds it.
func confirms(sum []byte, c registry.Certificate, leaf *x509.Certificate) bool {
	if match, ok := cert.MatchSum(sum, c.Provenance.File, leaf); ok {
		return match.CoversCertificate()
	}
	_, same, known := fileOf(sum, c, leaf)
	return known && same
}

// fileOf returns the name of the file that a checksum is of, among those that came with the
// certificate or that Sealane writes of it. same reports whether the file holds the certificate.
func fileOf(sum []byte, c registry.Certificate, leaf *x509.Certificate) (name string, same, known bool) {
	for _, w := range c.Provenance.With {
		if slices.Equal(w.SHA256, sum) {
			return w.Name, w.Same, true
		}
	}
	for _, encode := range []func(*x509.Certificate) ([]byte, error){keyfile.EncodePKCS7DER, keyfile.EncodePKCS7} {
		data, err := encode(leaf)
		if own := sha256.Sum256(data); err == nil && slices.Equal(own[:], sum) {
			return "its PKCS#7 (.p7b)", true, true
		}
	}
	return "", false, false
}

// recordMismatch records what did not match. After a checksum that is wrong, a certificate that
// had matched, and is not in use yet, has to be compared and approved again.
func (e Exchange) recordMismatch(ctx context.Context, c registry.Certificate, what, value string) error {
	record := registry.Entry{
		Action: registry.ActionExchangeMismatch, Subject: "certificate/" + c.ID,
		Partner: c.Partner, Environment: c.Environment, Before: c,
	}
	return e.session.Change(ctx, record, func(tx registry.Tx, entry *registry.Entry) error {
		now, err := tx.Certificate(c.ID)
		if err != nil {
			return err
		}
		p := &now.Provenance
		p.Mismatches = append(slices.Clone(p.Mismatches), registry.Mismatch{
			At: e.session.Time(), By: e.session.Person().ID, What: what + " " + value,
		})
		p.Mismatches = p.Mismatches[max(0, len(p.Mismatches)-registry.MaxMismatches):]
		if what == checksumMismatch && (now.State == registry.Matched || now.State == registry.Approved) {
			unmatch(p)
			err = e.session.MoveCertificate(tx, &now, registry.Received)
		} else {
			err = tx.PutCertificate(&now)
		}
		entry.After = now
		return err
	})
}

// The kinds of mismatches.
const (
	checksumMismatch = "checksum"
	answerMismatch   = "answer"
)
