// Package filekind recognizes the kind of a file by its content, not by its name.
package filekind

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"regexp"
	"slices"
	"strings"
)

// Kind is a kind of file.
type Kind int

// The kinds. Unknown is also text in general, and everything in ASN.1.
const (
	Unknown Kind = iota

	// Kinds that hold other files.
	ZIP
	Gzip
	Bzip2
	Tar
	Outlook // a message saved by Outlook (.msg)
	TNEF    // winmail.dat
	AppleMail
	Mailbox

	// Archives that are not opened.
	SevenZip
	RAR
	XZ
	Zstandard
	Cabinet

	// Documents.
	PDF
	RTF
	OldOffice // Word, Excel or PowerPoint before 2007
	Office    // a ZIP with an Office document in it
	HTML
	XML

	// Parts of the signatures of mails.
	Image
	BusinessCard
	Calendar
	AppleDouble // what macOS knows of a file, next to it
	Signature   // of PGP

	// Key stores of other programs, each of which may hold a private key.
	BouncyCastle // BKS or UBER
	NSS
	Keychain
	KeePass
	Age

	// Other programs' files.
	WindowsShortcut
	WebShortcut
	SerializedStore // .sst of Windows, with certificates alone
	SSHPublic
	PGPPublic
	Executable
	SQLite
	Token // a compact JWS or JWE
	Pointer
	Printed // what a program prints of a certificate
)

// kindText is the text about a kind for people.
type kindText struct{ name, advice string }

const (
	adviceAttachment = "save the attachment itself and use that"
	adviceUnpack     = "unpack it, and use the certificate's file"
	adviceCopy       = "ask for the certificate as a file of its own (.pem, .cer, .crt or .p7b)"
	adviceExport     = "export the certificate alone from it, as .cer or .pem"
)

var texts = map[Kind]kindText{
	ZIP:     {"a ZIP archive", adviceUnpack},
	Gzip:    {"a gzip file", adviceUnpack},
	Bzip2:   {"a bzip2 file", adviceUnpack},
	Tar:     {"a tar archive", adviceUnpack},
	Outlook: {"an Outlook message (.msg)", adviceAttachment + ", or save the message as .eml"},
	TNEF: {
		"an Outlook attachment in TNEF (winmail.dat)",
		"ask the sender for a message that is not in rich text",
	},
	AppleMail:       {"a message of Apple Mail (.emlx)", adviceAttachment},
	Mailbox:         {"a mailbox (mbox)", adviceAttachment},
	SevenZip:        {"a 7z archive", adviceUnpack},
	RAR:             {"a RAR archive", adviceUnpack},
	XZ:              {"an xz file", adviceUnpack},
	Zstandard:       {"a Zstandard file", adviceUnpack},
	Cabinet:         {"a cabinet of Windows (.cab)", adviceUnpack},
	PDF:             {"a PDF document", adviceCopy},
	RTF:             {"a document in RTF", adviceCopy},
	OldOffice:       {"a document of Microsoft Office", adviceCopy},
	Office:          {"a document of Microsoft Office or LibreOffice", adviceCopy},
	HTML:            {"an HTML page", adviceCopy},
	XML:             {"an XML document", "take out what is in its X509Certificate, or " + adviceCopy},
	Image:           {"an image", adviceCopy},
	BusinessCard:    {"a business card (vCard)", adviceCopy},
	Calendar:        {"a calendar entry", adviceCopy},
	AppleDouble:     {"what macOS knows of a file, not the file", "send the file itself"},
	Signature:       {"a signature of PGP", adviceCopy},
	BouncyCastle:    {"a Bouncy Castle key store (BKS or UBER)", adviceExport},
	NSS:             {"a key database of NSS (Firefox, Thunderbird)", adviceExport},
	Keychain:        {"a keychain of macOS", adviceExport},
	KeePass:         {"a KeePass database", adviceExport},
	Age:             {"a file encrypted with age", "ask for the certificate as it is: it is no secret"},
	WindowsShortcut: {"a shortcut of Windows (.lnk), not the file that it points to", "send the file itself"},
	WebShortcut:     {"a shortcut to a web page (.url), not the file that it points to", "send the file itself"},
	SerializedStore: {"a serialized certificate store of Windows (.sst)", adviceExport},
	SSHPublic:       {"a public key of SSH, not a certificate", adviceCopy},
	PGPPublic:       {"a key or message of PGP, not an X.509 certificate", adviceCopy},
	Executable:      {"a program", adviceCopy},
	SQLite:          {"a SQLite database", adviceCopy},
	Token:           {"a token (JWS or JWE), not a certificate", adviceCopy},
	Pointer: {
		"a pointer of Git LFS or of a cloud drive, not the file that it points to",
		"send the file itself",
	},
	Printed: {
		"what a program prints of a certificate, without the certificate",
		"export the certificate itself: with openssl, leave out -noout; with keytool, add -rfc",
	},
}

// String names the kind in words, such as "a ZIP archive". It returns "" for Unknown.
func (k Kind) String() string { return texts[k].name }

// Advice says what to do with a file of the kind if a certificate is wanted.
func (k Kind) Advice() string { return texts[k].advice }

// Ornament reports whether mail programs add files of the kind to mails by themselves.
func (k Kind) Ornament() bool { return k >= Image && k <= Signature }

// magics are the first bytes of each kind.
var magics = []struct {
	kind Kind
	at   int
	is   string
}{
	{Gzip, 0, "\x1f\x8b\x08"},
	{AppleDouble, 0, "\x00\x05\x16\x07"},
	{Bzip2, 0, "BZh"},
	{Tar, 257, "ustar"},
	{TNEF, 0, "\x78\x9f\x3e\x22"},
	{SevenZip, 0, "7z\xbc\xaf\x27\x1c"},
	{RAR, 0, "Rar!\x1a\x07"},
	{XZ, 0, "\xfd7zXZ\x00"},
	{Zstandard, 0, "\x28\xb5\x2f\xfd"},
	{Cabinet, 0, "MSCF\x00\x00\x00\x00"},
	{RTF, 0, `{\rtf`},
	{Image, 0, "\x89PNG\r\n\x1a\n"},
	{Image, 0, "\xff\xd8\xff"},
	{Image, 0, "GIF87a"},
	{Image, 0, "GIF89a"},
	{Image, 0, "II*\x00"},
	{Image, 0, "MM\x00*"},
	{Image, 8, "WEBP"},
	{Image, 4, "ftypheic"},
	{Image, 4, "ftypavif"},
	{Image, 0, "\x00\x00\x01\x00"},
	{Image, 40, " EMF"},
	{Image, 0, "\xd7\xcd\xc6\x9a"}, // WMF
	{KeePass, 0, "\x03\xd9\xa2\x9a"},
	{Age, 0, "age-encryption.org/"},
	{Age, 0, "-----BEGIN AGE ENCRYPTED FILE-----"},
	{WindowsShortcut, 0, "L\x00\x00\x00\x01\x14\x02\x00"},
	{SerializedStore, 0, "\x00\x00\x00\x00CERT"},
	{Executable, 0, "\x7fELF"},
	{Executable, 0, "MZ\x90"},
}

// textForms are the beginnings of text of each kind, after white space.
var textForms = []struct {
	kind Kind
	is   *regexp.Regexp
}{
	{
		HTML,
		regexp.MustCompile(`^(?i:<!doctype html|<html\b|<head\b|<body\b|<meta\b|` +
			`<(?:p|div|span|br|font|pre|table|center)\b[^<]*>)`),
	},
	{Image, regexp.MustCompile(`^(?i:(?:<\?xml[^<]*)?(?:<!--[^<]*)?(?:<!DOCTYPE svg[^<]*)?<svg\b)`)},
	{WebShortcut, regexp.MustCompile(`^(?:<\?xml[^<]*)?(?:<!DOCTYPE plist[^<]*)?<plist[^<]*<dict>\s*<key>URL</key>`)},
	{XML, regexp.MustCompile(`^<(?:\?xml\b|[A-Za-z_][\w.-]*(?::[\w.-]+)?[\s>])`)},
	{BusinessCard, regexp.MustCompile(`^(?i:BEGIN:VCARD)`)},
	{Calendar, regexp.MustCompile(`^(?i:BEGIN:VCALENDAR)`)},
	{WebShortcut, regexp.MustCompile(`^(?i:\[InternetShortcut\]|\[Desktop Entry\])`)},
	{Pointer, regexp.MustCompile(`^version https://git-lfs\.github\.com/`)},
	{Printed, regexp.MustCompile(`^(?:Certificate:\s+Data:\s+Version:|X509 Certificate:\s+Version:|` +
		`(?:Owner|Alias name|Eigentümer|Aliasname|Propriétaire|Nom d'alias|所有者|別名): )`)},
	{
		SSHPublic,
		// A line of authorized_keys or known_hosts may begin with a marker, and with options or hosts.
		regexp.MustCompile(`^(?:@[a-z-]{1,32} )?(?:[^\s"{]+(?:"[^"\n]*"[^\s"]*)* )?` +
			`(?:ssh-(?:rsa|ed25519|dss)|ecdsa-sha2-\S{1,64}) AAAA|^---- BEGIN SSH2 PUBLIC KEY ----`),
	},
	{PGPPublic, regexp.MustCompile(`^-----BEGIN PGP (?:PUBLIC KEY BLOCK|MESSAGE)-----`)},
	{Signature, regexp.MustCompile(`^-----BEGIN PGP SIGNATURE-----`)},
	{Token, regexp.MustCompile(`^eyJ[\w-]+\.[\w-]*\.[\w-]+`)},
	{AppleMail, regexp.MustCompile(`^\d{1,9}[ \t]*\r?\n[A-Za-z-]+:`)},
	{Mailbox, regexp.MustCompile(`^From \S+ .*\d\d:\d\d.*\r?\n[A-Za-z-]+:`)},
}

const front = 4096 // maximum number of bytes for recognizing text

// KeyStore recognizes the key store of another program, which may contain a private key. It returns
// Unknown for every other file.
func KeyStore(data []byte) Kind {
	switch {
	case bytes.HasPrefix(data, []byte(sqliteHead)): // key4.db
		if bytes.Contains(data[:min(len(data), 1<<16)], []byte("nssPrivate")) {
			return NSS
		}
	case bytes.HasPrefix(data, []byte("\x00\x06\x15\x61")) && bytes.Contains(data, []byte("global-salt")): // key3.db
		return NSS
	case isBouncyCastle(data):
		return BouncyCastle
	case bytes.HasPrefix(data, []byte("kych")):
		return Keychain
	}
	return Unknown
}

const sqliteHead = "SQLite format 3\x00"

// Of recognizes a file by its content.
func Of(data []byte) Kind {
	if kind := KeyStore(data); kind != Unknown {
		return kind
	}
	switch {
	case bytes.HasPrefix(data, []byte(sqliteHead)):
		return SQLite
	case bytes.HasPrefix(data, []byte("PK\x03\x04")), bytes.HasPrefix(data, []byte("PK\x05\x06")):
		return zipKind(data)
	case bytes.HasPrefix(data, []byte("\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1")):
		return compoundKind(data)
	case bytes.HasPrefix(data, []byte("BM")) && len(data) > 14 &&
		binary.LittleEndian.Uint32(data[2:]) == uint32(len(data)):
		return Image
	case bytes.Contains(data[:min(len(data), 1024)], []byte("%PDF-")):
		return PDF
	case isCloudPointer(data):
		return Pointer
	}
	for _, m := range magics {
		if len(data) >= m.at && bytes.HasPrefix(data[m.at:], []byte(m.is)) {
			return m.kind
		}
	}
	text := bytes.TrimLeft(bytes.TrimPrefix(data[:min(len(data), front)], []byte("\xef\xbb\xbf")), " \t\r\n")
	for _, f := range textForms {
		if f.is.Match(text) {
			return f.kind
		}
	}
	return Unknown
}

// zipKind distinguishes documents that are ZIP archives from others, by the first names in
// them.
func zipKind(data []byte) Kind {
	start := string(data[:min(len(data), front)])
	for _, name := range []string{"[Content_Types].xml", "word/", "xl/", "ppt/", "mimetypeapplication/vnd.oasis"} {
		if strings.Contains(start, name) {
			return Office
		}
	}
	return ZIP
}

// compoundKind distinguishes Outlook's messages from other files in Microsoft's compound
// format, by the names of the streams in them, which are in UTF-16.
func compoundKind(data []byte) Kind {
	if bytes.Contains(data, []byte("_\x00_\x00s\x00u\x00b\x00s\x00t\x00g\x001\x00.\x000\x00")) {
		return Outlook
	}
	return OldOffice
}

// isBouncyCastle recognizes the head that BKS and UBER share: the version, a salt of 20 bytes with
// its length, and a count of iterations.
func isBouncyCastle(data []byte) bool {
	const salt, head = 20, 4 + 4 + 20 + 4
	if len(data) <= head {
		return false
	}
	version, length := binary.BigEndian.Uint32(data), binary.BigEndian.Uint32(data[4:])
	iterations := binary.BigEndian.Uint32(data[head-4:])
	return version <= 2 && length == salt && iterations > 0 && iterations <= 1<<24
}

// pointerMembers are the members of the files that cloud drives put in the place of their documents.
var pointerMembers = []string{"", "url", "doc_id", "resource_id", "resource_key", "email"}

var driveAddress = regexp.MustCompile(`^https://(?:docs|drive)\.google\.com/`)

// isCloudPointer recognizes the file that a cloud drive puts in the place of a document (.gdoc): JSON
// with the address or the ID of the document, and nothing but what belongs to that.
func isCloudPointer(data []byte) bool {
	data = bytes.TrimSpace(bytes.TrimPrefix(data[:min(len(data), front)], []byte("\xef\xbb\xbf")))
	var members map[string]string
	if !bytes.HasPrefix(data, []byte{'{'}) || json.Unmarshal(data, &members) != nil {
		return false
	}
	for name := range members {
		if !slices.Contains(pointerMembers, name) {
			return false
		}
	}
	return members["doc_id"] != "" || members["resource_id"] != "" || driveAddress.MatchString(members["url"])
}
