package registry

import (
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"fmt"
	"time"

	"github.com/sealane/sealane/cert"
)

// Owner is whose certificate it is.
type Owner string

// The owners.
const (
	Ours   Owner = "ours"
	Theirs Owner = "theirs"
)

// Certificate is a certificate of ours, or of a partner.
type Certificate struct {
	ID          string `json:"id"`
	Owner       Owner  `json:"owner"`
	Partner     string `json:"partner,omitempty"` // empty: ours, and shared by all partners of the profile
	Profile     string `json:"profile"`
	Environment string `json:"environment"`
	KeyPair     string `json:"key_pair,omitempty"` // of ours
	KeyID       string `json:"key_id,omitempty"`
	State       State  `json:"state"` // of ours: its key pair's

	CommonName string    `json:"common_name"`
	Issuer     string    `json:"issuer"`
	Serial     string    `json:"serial"` // hexadecimal
	NotBefore  time.Time `json:"not_before"`
	NotAfter   time.Time `json:"not_after"`
	Bits       int       `json:"bits"`
	SHA256     []byte    `json:"sha256"` // of the DER
	SPKI       []byte    `json:"spki"`
	SPKISHA256 []byte    `json:"spki_sha256"`
	DER        []byte    `json:"der"`
	Chain      [][]byte  `json:"chain,omitempty"` // its issuers, DER

	Provenance Provenance `json:"exchange,omitzero"`
	Alarm      *Alarm     `json:"alarm,omitempty"` // of a partner's certificate; open while it is in use
	Created    time.Time  `json:"created"`
	Changed    time.Time  `json:"changed"`
	// Activated is when a partner's certificate became active last. Rows of earlier versions lack it.
	Activated time.Time `json:"activated,omitzero"`
	// Added is how many records the audit log had when the row was stored first.
	Added   int64 `json:"added,omitempty"`
	Version int64 `json:"-"`
}

// Provenance is how a partner's certificate came in, and who compared and approved it.
type Provenance struct {
	File   []byte `json:"file,omitempty"` // as it was received
	Name   string `json:"name,omitempty"` // of that file, if it is known
	Format string `json:"format,omitempty"`
	// FileSHA256 is the checksum of File, which is read by itself.
	FileSHA256 []byte `json:"file_sha256,omitempty"`
	// Compared is how many records the audit log had when the key was compared with all others
	// for shared primes; 0: it is not known.
	Compared int64  `json:"compared,omitempty"`
	From     string `json:"from,omitempty"` // the sender of the mail, where it came by one
	With     []With `json:"with,omitempty"` // the other files of that mail
	// Imported reports whether it came in with a table of partners.
	Imported bool `json:"imported,omitempty"`
	// Said are its checksums that stand in the same mail or archive. They prove nothing about it.
	Said     [][]byte       `json:"said,omitempty"`
	Findings []cert.Finding `json:"findings,omitempty"`
	Waivers  []Waiver       `json:"waivers,omitempty"`

	ReceivedBy string `json:"received_by,omitempty"`
	MatchedBy  string `json:"matched_by,omitempty"`
	// Matched is when that was. Rows of earlier versions lack it.
	Matched    time.Time `json:"matched,omitzero"`
	Checksum   string    `json:"checksum,omitempty"` // what the second message said
	MatchedAs  string    `json:"matched_as,omitempty"`
	ApprovedBy string    `json:"approved_by,omitempty"`
	Change     string    `json:"change,omitempty"`     // the change reference
	CallBack   string    `json:"call_back,omitempty"`  // who was called back, where, and what they said
	Possession string    `json:"possession,omitempty"` // when the partner answered a challenge
	Challenge  []byte    `json:"challenge,omitempty"`  // SHA-256 of the nonce that is out
	Rejected   string    `json:"rejected,omitempty"`   // the reason

	// Mismatches are the checksums and answers that were wrong, the oldest first.
	Mismatches []Mismatch `json:"mismatches,omitempty"`
}

// With is a file that came in the mail of a certificate.
type With struct {
	Name   string `json:"name"`
	SHA256 []byte `json:"sha256"`
	// Same reports whether the file holds the same certificate, in another format.
	Same bool `json:"same,omitempty"`
}

// Mismatch is a checksum, or an answer to a challenge, that was not that of the certificate.
type Mismatch struct {
	At   time.Time `json:"at"`
	By   string    `json:"by"`
	What string    `json:"what"` // such as the checksum
}

// MaxMismatches is how many mismatches of a certificate are kept; the audit log has all.
const MaxMismatches = 20

// Waiver is a rule that does not count for one certificate. It needs two people, and is
// kept with the certificate.
type Waiver struct {
	Rule    string    `json:"rule"`
	Reason  string    `json:"reason"`
	Asked   string    `json:"asked"`
	Granted string    `json:"granted,omitempty"` // empty: not yet
	At      time.Time `json:"at"`
}

// NewCertificate returns the row of a certificate that comes in. c has its owner, partner,
// profile and environment; chain is the certificate with its issuers.
func NewCertificate(c Certificate, chain []*x509.Certificate) Certificate {
	leaf := chain[0]
	sum, spki := sha256.Sum256(leaf.Raw), sha256.Sum256(leaf.RawSubjectPublicKeyInfo)
	c.ID = newID("c")
	c.CommonName, c.Issuer, c.Serial = leaf.Subject.CommonName, cert.Name(leaf.RawIssuer), leaf.SerialNumber.Text(16)
	c.NotBefore, c.NotAfter = leaf.NotBefore.UTC(), leaf.NotAfter.UTC()
	c.DER, c.SHA256 = leaf.Raw, sum[:]
	c.SPKI, c.SPKISHA256 = leaf.RawSubjectPublicKeyInfo, spki[:]
	if pub, ok := leaf.PublicKey.(*rsa.PublicKey); ok {
		c.Bits = pub.N.BitLen()
	}
	if len(c.Provenance.File) > 0 {
		file := sha256.Sum256(c.Provenance.File)
		c.Provenance.FileSHA256 = file[:]
	}
	for _, issuer := range chain[1:] {
		c.Chain = append(c.Chain, issuer.Raw)
	}
	return c
}

// Parse returns the certificate and its issuers.
func (c Certificate) Parse() ([]*x509.Certificate, error) {
	var chain []*x509.Certificate
	for _, der := range append([][]byte{c.DER}, c.Chain...) {
		one, err := x509.ParseCertificate(der)
		if err != nil {
			return nil, fmt.Errorf("certificate %s: %w", c.ID, err)
		}
		chain = append(chain, one)
	}
	return chain, nil
}

// SPKISum is the checksum by which the registry tells public keys apart: SHA-256 of
// the SubjectPublicKeyInfo.
func SPKISum(pub *rsa.PublicKey) ([]byte, error) {
	spki, err := x509.MarshalPKIXPublicKey(pub)
	sum := sha256.Sum256(spki)
	return sum[:], err
}
