package notify

import (
	"errors"
	"net"
	"net/mail"
	"net/url"
	"os"
	"strconv"
	"strings"

	"github.com/sealane/sealane/internal/loopback"
	"github.com/sealane/sealane/internal/strictyaml"
	"github.com/sealane/sealane/internal/termtext"
)

// Check returns what is refused at start, as far as the file alone tells: all of it at once.
func (c *Config) Check() error {
	f := strictyaml.NewCheck(c.lines)
	c.check(f)
	return f.Err(c.file, nil)
}

func (c *Config) check(f *strictyaml.Check) {
	if c.Mail == nil && c.Webhook == nil && c.Ping == "" {
		f.Add("", "nobody is told anything: give mail, webhook or ping")
	}
	if c.Mail != nil {
		c.Mail.check(f)
		if c.Answers.Name == "" {
			f.Add("answers.name", "must be given: each mail names a person whom its reader can ask")
		}
		if c.Answers.Telephone == "" {
			f.Add("answers.telephone", "must be given: each mail has a telephone number")
		}
		if len(c.Operations) == 0 {
			f.Add("operations", "must be given: our own people are told what partners don't do")
		}
	}
	checkText(f, "answers.name", c.Answers.Name)
	checkText(f, "answers.telephone", c.Answers.Telephone)
	checkText(f, "host", c.Host)
	if c.Answers.Email != "" {
		addAddress(f, "answers.email", c.Answers.Email)
	}
	for i, address := range c.Operations {
		addAddress(f, "operations["+strconv.Itoa(i)+"]", address)
	}
	if c.Webhook != nil {
		c.Webhook.Check(f, "webhook")
	}
	if c.Ping != "" {
		checkURL(f, "ping", c.Ping)
	}
	if c.Templates != "" {
		if info, err := os.Stat(c.TemplatesFolder()); err != nil || !info.IsDir() {
			f.Add("templates", "is not a folder that can be read: create it, or remove the key")
		}
	}
}

func (m *MailConfig) check(f *strictyaml.Check) {
	host, port, err := net.SplitHostPort(m.Server)
	number, wrong := strconv.ParseUint(port, 10, 16)
	switch {
	case m.Server == "":
		f.Add("mail.server", "must be given: HOST:PORT, such as mail.example:587")
	case err != nil || wrong != nil || number == 0 || host == "" || strings.ContainsAny(host, " \r\n\t@/"):
		f.Add("mail.server", "is %.80q: give HOST:PORT, such as mail.example:587", m.Server)
	case m.TLS == tlsNone && !loopback.Is(host):
		f.Add("mail.tls", "is none, which is allowed to this machine only: mails and the login would be readable on "+
			"their way to %s", host)
	case (m.TLS == "" || m.TLS == tlsStart) && number == 465:
		f.Add("mail.tls", "is starttls, and port 465 speaks TLS from the start: give tls")
	}
	if m.From == "" {
		f.Add("mail.from", "must be given: the address that the letters to partners name")
	} else {
		addAddress(f, "mail.from", m.From)
	}
	if m.Bounces != "" {
		addAddress(f, "mail.bounces", m.Bounces)
	}
	sender, path := m.sender()
	if at := strings.LastIndexByte(sender, '@'); at+1+maxTag > maxLocal || len(sender)+1+maxTag > maxPath {
		f.Add(path, "is too long: a tag of %d characters is added in front of its @", maxTag)
	}
	if (m.Username == "") != (m.Password == "") {
		f.Add("mail.username", "and password must be given together, or none of them")
	}
	checkText(f, "mail.username", m.Username)
	checkText(f, "mail.from_name", m.FromName)
	if strings.ContainsAny(m.Hello, " <>") || strings.ContainsFunc(m.Hello, unprintable) {
		f.Add("mail.hello", "is %.80q: give the name of this machine, such as sealane.example", m.Hello)
	}
}

// Check adds what is wrong with the webhook at a path of a file.
func (c *WebhookConfig) Check(f *strictyaml.Check, path string) {
	checkURL(f, path+".url", c.URL)
	if c.Secret == "" {
		f.Add(path+".secret", "must be given: a call without a signature proves nothing")
	}
}

// sender returns the address to which failures are reported, and where it is in the file.
func (m *MailConfig) sender() (address, path string) {
	if m.Bounces != "" {
		return m.Bounces, "mail.bounces"
	}
	return m.From, "mail.from"
}

// checkText refuses values that could not be shown as they are.
func checkText(f *strictyaml.Check, path, value string) {
	if termtext.EscapeLine(value) != value || len(value) > maxValue {
		f.Add(path, "has characters that can't be shown, or too many")
	}
}

// addAddress adds the fault of an address.
func addAddress(f *strictyaml.Check, path, address string) {
	if err := checkAddress(address); err != nil {
		f.Add(path, "is %.80q: %v", address, err)
	}
}

// checkAddress returns an error for what is not an address that every mail server takes.
func checkAddress(address string) error {
	a, err := mail.ParseAddress(address)
	switch {
	case strings.ContainsFunc(address, unprintable):
		return errors.New("has characters that not every mail server takes: use ASCII")
	case len(address) > maxPath || strings.LastIndexByte(address, '@') > maxLocal:
		return errors.New("is too long")
	case err != nil || a.Address != address || strings.ContainsAny(address, " <>\"\\"):
		return errors.New("is not an address such as name@company.example")
	}
	return nil
}

// unprintable reports whether a character is none of printable ASCII.
func unprintable(r rune) bool { return r < ' ' || r > '~' }

// checkURL refuses what is called without TLS. It does not repeat the URL, which may have a token.
func checkURL(f *strictyaml.Check, path, text string) {
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.Scheme != "https" && (u.Scheme != "http" || !loopback.Is(u.Hostname())) {
		f.Add(path, "is not a URL with https, or with http to this machine")
	}
}
