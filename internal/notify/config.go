package notify

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"

	"github.com/sealane/sealane/internal/readlimit"
	"github.com/sealane/sealane/internal/secretplace"
	"github.com/sealane/sealane/internal/strictyaml"
)

// Config says how people are told. The field tags are the keys of the file.
type Config struct {
	// Mail is the server that takes our mails. Without it none is sent.
	Mail *MailConfig `yaml:"mail"`
	// Answers is the person whom a reader of our mails can ask.
	Answers Answers `yaml:"answers"`
	// Operations are the addresses of our own people. They are told what partners don't do, and have the daily
	// summary.
	Operations []string `yaml:"operations"`
	// Webhook is where programs of ours are told.
	Webhook *WebhookConfig `yaml:"webhook"`
	// Ping is a URL outside of this installation, which is called after each pass. What is there raises an alarm
	// when no call comes.
	Ping string `yaml:"ping"`
	// Templates is a folder with templates in the place of the built-in ones: KIND.subject, KIND.txt and KIND.html.
	Templates string `yaml:"templates"`
	// ArmedFile is the file that says for which installation mails are sent. The default is the name of this file with
	// .armed behind it.
	ArmedFile string `yaml:"armed"`
	// Host is the name of this machine, for which sending is armed. The default is the system's.
	Host string `yaml:"host"`

	file  string         // the name of the file
	dir   string         // of the file: relative paths begin here
	lines map[string]int // where each key of the file is, by its path
}

// MailConfig is the server that takes our mails, and from whom they are.
type MailConfig struct {
	// Server is HOST:PORT. The name in the server's certificate must be HOST.
	Server string `yaml:"server"`
	// TLS is starttls, tls (from the start, as on port 465), or none, which is allowed to this machine only. The
	// default is starttls. A server that does not offer it gets no mail.
	TLS string `yaml:"tls" enum:"starttls,tls,none"`
	// CA is a PEM file with the certificates of those who issue the server's. The default are the system's.
	CA string `yaml:"ca"`
	// Username is that of the login. The default is no login.
	Username string `yaml:"username"`
	// Password says where the password is.
	Password secretplace.Place `yaml:"password"`
	// From is the address from which our mails come: the one that the letters to partners name.
	From string `yaml:"from"`
	// FromName is the name with that address.
	FromName string `yaml:"from_name"`
	// Bounces is the address to which mail servers report failures. Each mail has its own: local+TAG@domain. The
	// default is From.
	Bounces string `yaml:"bounces"`
	// Hello is the name by which we greet the server. The default is the system's, or the address of the connection.
	Hello string `yaml:"hello"`
	// Timeout is how long the server may take for each answer, and five times as long after a mail was sent. The
	// default is 1m.
	Timeout strictyaml.Duration `yaml:"timeout"`
}

// Answers is the person whom a reader of our mails can ask.
type Answers struct {
	// Name is the person's.
	Name string `yaml:"name"`
	// Email is where answers to our mails go. The default is the address from which the mails come.
	Email string `yaml:"email"`
	// Telephone is the person's number.
	Telephone string `yaml:"telephone"`
}

// WebhookConfig is where programs of ours are told.
type WebhookConfig struct {
	// URL is https, or http to this machine.
	URL string `yaml:"url"`
	// Secret says where the secret is that signs each call, in the manner of Standard Webhooks.
	Secret secretplace.Place `yaml:"secret"`
	// CA is a PEM file with the certificates of those who issue the server's. The default are the system's.
	CA string `yaml:"ca"`
}

// The values of TLS.
const (
	tlsStart = "starttls"
	tlsOnly  = "tls"
	tlsNone  = "none"
)

// Read reads a configuration file. An error is a *strictyaml.Faults with all faults at once, those of [Config.Check]
// too, or says why the file can't be read.
func Read(path string) (*Config, error) {
	data, err := readlimit.File(path, maxConfig)
	if err != nil {
		return nil, fmt.Errorf("notifications: %w", err)
	}
	return parse(path, data)
}

// parse reads the content of a configuration file.
func parse(path string, data []byte) (*Config, error) {
	c := &Config{file: path, dir: filepath.Dir(path)}
	var decoded error
	c.lines, decoded = strictyaml.Decode(path, data, c)
	if decoded != nil && len(c.lines) == 0 {
		return nil, decoded // it is not YAML
	}
	check := strictyaml.NewCheck(c.lines)
	c.check(check)
	if err := check.Err(path, decoded); err != nil {
		return nil, err
	}
	return c, nil
}

// in returns a path of the file as seen from the program.
func (c *Config) in(path string) string { return in(c.dir, path) }

// in returns a path that begins at a folder, unless it is absolute.
func in(dir, path string) string {
	if path == "" || filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(dir, path)
}

// TemplatesFolder returns the folder of the templates, or "".
func (c *Config) TemplatesFolder() string { return c.in(c.Templates) }

// host returns the name of this machine.
func (c *Config) host() (string, error) {
	if c.Host != "" {
		return c.Host, nil
	}
	name, err := os.Hostname()
	if err != nil || name == "" {
		return "", fmt.Errorf("the name of this machine is not known: give host in %s", cmp.Or(c.file, "the file"))
	}
	return name, nil
}

// From returns the address and the name from which our mails come.
func (c *Config) From() (address, name string) {
	if c.Mail == nil {
		return "", ""
	}
	return c.Mail.From, c.Mail.FromName
}

// AnswersTo returns the address for answers to our mails.
func (c *Config) AnswersTo() string {
	from, _ := c.From()
	return cmp.Or(c.Answers.Email, from)
}
