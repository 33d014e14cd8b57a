package command

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sealane/sealane/internal/hostile"
)

// ruleNames are what the verdict calls the rules that files of the corpus name.
var ruleNames = map[string]string{
	"not-ca":              "End entity",
	"key-type":            "Kind of key",
	"key-size":            "Size of the key",
	"exponent":            "Public exponent",
	"weak-key":            "Known weaknesses",
	"key-usage":           "Key usage",
	"critical-extension":  "Critical extensions",
	"extended-key-usage":  "Extended key usage",
	"common-name":         "Common name (CN)",
	"organization":        "Organization (O)",
	"unit":                "Organization unit (OU)",
	"email":               "Contact email",
	"validity-length":     "Length of validity",
	"validity-now":        "Valid now",
	"signature-algorithm": "Signature algorithm",
	"issuer":              "Issuer",
	"serial":              "Serial number",
	"names":               "Number of names",
}

// cliWrong are files that only the command line does not judge as they require, with
// what it does. When one becomes right, the test fails until its line is removed.
var cliWrong = map[string]string{}

// errorTexts are what standard error says of each error.
var errorTexts = map[string]string{
	"cert.ErrKeySize":             "2048, 3072 or 4096 bits",
	"cert.ErrKeyExponent":         "exponent is not 65537",
	"cert.ErrROCA":                "ROCA",
	"cert.ErrSmallFactor":         "small factor",
	"cert.ErrClosePrimes":         "too close",
	"keyfile.ErrPassphraseNeeded": "encrypted: give its passphrase",
	"keyfile.ErrPassphraseWrong":  "passphrase is wrong",
	"keyfile.PrivateKeyError":     "treat it as compromised",
}

// TestHostileFiles passes each key file and certificate of the corpus to the command
// line. Certificates are checked as of now, and those that were right when they were
// made are only shown: internal/hostile checks the rules about dates.
func TestHostileFiles(t *testing.T) {
	const corpus = "../testdata/hostile"
	files, err := hostile.ReadFiles(corpus)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for _, f := range files {
		t.Run(f.Path, func(t *testing.T) {
			wrong := judgeFile(t, dir, f)
			was, known := cliWrong[f.Path]
			if !known {
				was, known = hostile.KnownWrong[f.Path]
			}
			switch {
			case known && wrong == "":
				t.Errorf("is right now and no longer known to be wrong (%s): take it off cliWrong or KnownWrong", was)
			case !known && wrong != "":
				t.Errorf("%s\n%s", wrong, f.Head())
			}
		})
	}
	for path := range cliWrong {
		if _, err := os.Stat(filepath.Join(corpus, filepath.FromSlash(path))); err != nil {
			t.Error(err)
		}
	}
}

// judgeFile returns what is wrong with the command line's judgment of a file.
func judgeFile(t *testing.T, dir string, f hostile.File) string {
	name := filepath.Join(dir, strings.ReplaceAll(f.Path, "/", "-"))
	if err := os.WriteFile(name, f.Content, 0o600); err != nil {
		t.Fatal(err)
	}
	says := f.Says + errorTexts[f.Error]
	if f.Reader == hostile.ReaderPrivate {
		args := []string{"key", "convert", "--to", "pkcs8", "--out", name + ".out", name}
		if len(f.Passphrase) > 0 {
			if err := os.WriteFile(name+".pass", f.Passphrase, 0o600); err != nil {
				t.Fatal(err)
			}
			args = append(args, "--passphrase-file", name+".pass")
		}
		if f.Level == hostile.LevelOK {
			return commandLine(t, args, "", 0)
		}
		// A fault of one's own key is a failure, and no judgment.
		wrong := commandLine(t, args, says, exitFailed)
		if _, err := os.Stat(name + ".out"); err == nil {
			wrong += "a key was written; "
		}
		if f.AsCertificate != "" {
			wrong += certCheck(t, "rdx", name, textOf(f.AsCertificate), exitRefused)
		}
		return wrong
	}
	switch {
	case f.Rule == "validity-now" && f.Level == hostile.LevelWarning,
		f.Level == hostile.LevelOK && !strings.HasPrefix(f.Path, "keyfile/"):
		return commandLine(t, []string{"cert", "show", name}, "", 0)
	case f.Level == hostile.LevelOK:
		return commandLine(t, []string{"cert", "convert", "--to", "jwk", name}, "", 0)
	case f.Rule != "" && f.Level == hostile.LevelWarning:
		// The certificate may have expired since.
		return certCheck(t, f.Profile, name, "WARNING: "+ruleNames[f.Rule]+"\n", anyVerdict)
	case f.Rule != "":
		return certCheck(t, f.Profile, name, "REFUSED: "+ruleNames[f.Rule]+"\n", exitRefused)
	case len(f.Content) > 1<<20:
		return certCheck(t, "rdx", name, "larger than 1048576 bytes", exitFailed)
	case strings.HasPrefix(f.Path, "keyfile/"):
		// A key without a certificate is not checked until it is used.
		return commandLine(t, []string{"cert", "convert", "--to", "jwk", name}, says, exitRefused)
	}
	return certCheck(t, "rdx", name, says, exitRefused)
}

func certCheck(t *testing.T, profile, file, says string, code int) string {
	t.Helper()
	return commandLine(t, []string{"cert", "check", "--profile", profile, file}, says, code)
}

// textOf returns the text of an error that is named; other text stays as it is.
func textOf(text string) string {
	if w, known := errorTexts[text]; known {
		return w
	}
	return text
}

// anyVerdict stands for 0 and exitRefused.
const anyVerdict = -1

// commandLine runs the command line, and returns what is wrong with its exit code, its
// text, or what it does to the terminal.
func commandLine(t *testing.T, args []string, says string, code int) string {
	t.Helper()
	var out, errors strings.Builder
	got := run(t.Context(), args, strings.NewReader(""), &out, &errors)
	all := out.String() + errors.String()
	var wrong strings.Builder
	if got != code && (code != anyVerdict || got != 0 && got != exitRefused) {
		wrong.WriteString("exit code " + string(rune('0'+got)) + ", want " + string(rune('0'+max(code, 0))) + "; ")
	}
	if got != 0 && out.Len() == 0 && !strings.HasPrefix(errors.String(), "sealane: ") {
		wrong.WriteString("standard error says nothing; ")
	}
	if !strings.Contains(all, says) {
		wrong.WriteString("it does not say " + says + "; ")
	}
	if draws(all) {
		wrong.WriteString("it draws on the terminal; ")
	}
	if len(all) > 16<<10 && args[1] != "convert" {
		wrong.WriteString("it writes more than 16 KiB; ")
	}
	if wrong.Len() == 0 {
		return ""
	}
	return args[0] + " " + args[1] + ": " + wrong.String() + firstOf(errors.String())
}

func firstOf(s string) string { return strings.ToValidUTF8(s[:min(len(s), 300)], "?") }
