package hostile

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// File is one file of the folders in [FileKinds]: a key or a certificate with one fault.
// Error, Says or Rule name the fault; without them the fault does no harm, and Level is ok.
type File struct {
	Path string // below the corpus's folder; its first element is the kind

	Reader        string    // "certificate": a partner's file; "private": one of our own keys
	Error         string    // the sentinel or type of the error, such as cert.ErrKeySize
	Says          string    // words of the error
	Rule          string    // the code of the rule of cert.Check that applies
	Also          []string  // other rules that refuse because of the same fault
	Level         string    // of the rule: "refused" or "warning"; "ok": the file is accepted
	AsCertificate string    // of a private key: the error if it is read as a partner's file
	Profile       string    // whose policy the certificate is checked against
	At            time.Time // the time of the check
	Passphrase    []byte    // nil: no passphrase
	Source        string    // the rule that is broken, or the incident where it mattered
	Note          string    // a remark
	Content       []byte
}

// The values of File.Reader and File.Level.
const (
	ReaderCertificate = "certificate"
	ReaderPrivate     = "private"
	LevelRefused      = "refused"
	LevelWarning      = "warning"
	LevelOK           = "ok"
)

// FileKinds are the folders that hold files and not messages.
var FileKinds = []string{"keyfile", "certificate"}

// ReadFiles reads the folders of FileKinds in dir, sorted by path.
func ReadFiles(dir string) ([]File, error) {
	var files []File
	err := each(dir, FileKinds, func(path string, data []byte) error {
		f, err := ParseFile(data)
		f.Path = path
		files = append(files, f)
		return err
	})
	if err != nil {
		return nil, err
	}
	slices.SortFunc(files, func(a, b File) int { return strings.Compare(a.Path, b.Path) })
	return files, nil
}

// each reads the files in the folders kinds of dir, and calls one with their
// slash-separated paths.
func each(dir string, kinds []string, one func(path string, data []byte) error) error {
	for _, kind := range kinds {
		err := filepath.WalkDir(filepath.Join(dir, kind), func(name string, entry fs.DirEntry, err error) error {
			if err != nil || entry.IsDir() {
				return err
			}
			data, err := os.ReadFile(name)
			if err != nil {
				return err
			}
			path, err := filepath.Rel(dir, name)
			if err != nil {
				return err
			}
			if err := one(filepath.ToSlash(path), data); err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// ParseFile reads one file. Path is not in it.
func ParseFile(data []byte) (File, error) {
	var f File
	content, err := parseHead(data, f.set)
	if err != nil {
		return f, err
	}
	f.Content = content
	return f, f.validate()
}

// parseHead calls set with each line of the head and returns the rest.
func parseHead(data []byte, set func(name, value string) error) (content []byte, err error) {
	head, content, found := bytes.Cut(data, []byte("\n\n"))
	if !found {
		return nil, errors.New("there is no empty line between the names and the content")
	}
	for line := range strings.SplitSeq(string(head), "\n") {
		name, value, _ := strings.Cut(line, ": ")
		if err := set(name, value); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
	}
	return content, nil
}

func (f *File) set(name, value string) (err error) {
	switch name {
	case "Reader":
		f.Reader = value
	case "Error":
		f.Error = value
	case "Says":
		f.Says = value
	case "Rule":
		f.Rule = value
	case "Also":
		f.Also = strings.Fields(value)
	case "Level":
		f.Level = value
	case "As-Certificate":
		f.AsCertificate = value
	case "Profile":
		f.Profile = value
	case "At":
		f.At, err = time.Parse(time.RFC3339, value)
	case "Passphrase": // quoted, because an empty one is not the same as none
		value, err = strconv.Unquote(value)
		f.Passphrase = []byte(value)
	case "Source":
		f.Source = value
	case "Note":
		f.Note = value
	default:
		err = errors.New("no such name")
	}
	return err
}

func (f *File) validate() error {
	named := f.Error != "" || f.Says != "" || f.Rule != ""
	switch {
	case f.Source == "":
		return errors.New("the name Source must be given")
	case f.Reader != ReaderCertificate && f.Reader != ReaderPrivate:
		return fmt.Errorf("the Reader is %q: it must be %s or %s", f.Reader, ReaderCertificate, ReaderPrivate)
	case f.Level != LevelRefused && f.Level != LevelWarning && f.Level != LevelOK:
		return fmt.Errorf("the Level is %q: it must be %s, %s or %s", f.Level, LevelRefused, LevelWarning, LevelOK)
	case named == (f.Level == LevelOK):
		return errors.New("a file is either accepted (Level: ok) or names its fault by Error, Says or Rule")
	case f.Rule != "" && (f.Error != "" || f.Says != ""):
		return errors.New("a Rule is of a certificate that was read; Error and Says are of one that was not")
	case f.Rule != "" && (f.Profile == "" || f.At.IsZero()):
		return errors.New("a Rule needs Profile and At")
	}
	return nil
}

// Bytes returns the file as ParseFile reads it.
func (f File) Bytes() []byte {
	return append(f.Head(), f.Content...)
}

// Head returns the lines before the content, with the empty one.
func (f File) Head() []byte {
	var b bytes.Buffer
	line := func(name, value string) {
		if value != "" {
			fmt.Fprintf(&b, "%s: %s\n", name, value)
		}
	}
	line("Reader", f.Reader)
	line("Error", f.Error)
	line("Says", f.Says)
	line("Rule", f.Rule)
	line("Also", strings.Join(f.Also, " "))
	line("Level", f.Level)
	line("As-Certificate", f.AsCertificate)
	line("Profile", f.Profile)
	if !f.At.IsZero() {
		line("At", f.At.UTC().Format(time.RFC3339))
	}
	if f.Passphrase != nil {
		line("Passphrase", strconv.Quote(string(f.Passphrase)))
	}
	line("Source", f.Source)
	line("Note", f.Note)
	b.WriteByte('\n')
	return b.Bytes()
}
