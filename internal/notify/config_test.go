package notify_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sealane/sealane/internal/notify"
	"github.com/sealane/sealane/internal/strictyaml"
)

const goodConfig = `
mail:
  server: mail.example:587
  username: sealane
  password: file:password
  from: notices@company.example
  from_name: Company
  bounces: bounces@company.example
  timeout: 30s
answers: {name: Kim Day, email: keys@company.example, telephone: +1 555 0100}
operations: [operations@company.example]
webhook: {url: "https://hooks.example/sealane", secret: "env:HOOK"}
ping: https://ping.example/token
host: one
`

func TestRead(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := filepath.Join(dir, "notify.yaml")
	write(t, file, goodConfig+"templates: mails\n")
	if err := os.Mkdir(filepath.Join(dir, "mails"), 0o700); err != nil {
		t.Fatal(err)
	}
	c, err := notify.Read(file)
	if err != nil {
		t.Fatal(err)
	}
	if c.Mail.Server != "mail.example:587" || time.Duration(c.Mail.Timeout) != 30*time.Second ||
		c.TemplatesFolder() != filepath.Join(dir, "mails") || c.AnswersTo() != "keys@company.example" ||
		c.Check() != nil {
		t.Errorf("%+v %v", c, c.Check())
	}
	if _, err := notify.NewMailer(c); err == nil || !strings.Contains(err.Error(), "password") {
		t.Errorf("without the file of the password: %v", err)
	}
	write(t, filepath.Join(dir, "password"), "hunter2\n")
	if _, err := notify.NewMailer(c); err != nil {
		t.Error(err)
	}
	if _, err := notify.Read(filepath.Join(dir, "none.yaml")); !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
}

// TestReadRefuses: each fault is named with its line, and no secret that was written in place of where it is.
func TestReadRefuses(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ from, to, says string }{
		"nothing":               {goodConfig, "{}", "nobody is told anything"},
		"not YAML":              {goodConfig, "a: [", "notify.yaml:"},
		"unknown key":           {"bounces:", "bounce:", `yaml:8: mail.bounce: there is no such key; did`},
		"no server":             {"server: mail.example:587", "hello: x", "mail.server: must be given"},
		"no port":               {"mail.example:587", "mail.example", "give HOST:PORT"},
		"port zero":             {"mail.example:587", "mail.example:0", "give HOST:PORT"},
		"name of a port":        {"mail.example:587", "mail.example:smtp", "give HOST:PORT"},
		"no host":               {"mail.example:587", `":587"`, "give HOST:PORT"},
		"a URL":                 {"mail.example:587", "smtp://mail.example:587", "give HOST:PORT"},
		"no TLS":                {"from_name: Company", "tls: none", "yaml:7: mail.tls: is none, which is allowed"},
		"TLS misspelled":        {"from_name: Company", "tls: startls", `did you mean "starttls"?`},
		"port of TLS":           {"mail.example:587", "mail.example:465", "port 465 speaks TLS"},
		"password in the file":  {"file:password", "hunter2", "mail.password: is not the place of a secret"},
		"no password":           {"  password: file:password\n", "", "must be given together"},
		"no sender":             {"  from: notices@company.example\n", "", "mail.from: must be given"},
		"sender with a line":    {"from: notices@company.example", `from: "a@b.example\r\nBcc: x"`, "mail.from: is"},
		"sender with a name":    {"from: notices@company.example", "from: Company <a@b.example>", "mail.from: is"},
		"sender not ASCII":      {"from: notices@company.example", "from: a@b\u0430nk.example", "use ASCII"},
		"long sender":           {"bounces@", strings.Repeat("b", 40) + "@", "mail.bounces: is too long"},
		"name with a line":      {"from_name: Company", `from_name: "A\r\nBcc: x"`, "mail.from_name: has characters"},
		"name with bidi":        {"from_name: Company", `from_name: "A\u202eB"`, "mail.from_name: has characters"},
		"hello with a line":     {"from_name: Company", `hello: "A\r\nMAIL FROM:<x>"`, "mail.hello: is"},
		"negative time":         {"30s", "-30s", "mail.timeout: is"},
		"nobody answers":        {"name: Kim Day, ", "", "answers.name: must be given"},
		"no telephone":          {", telephone: +1 555 0100", "", "answers.telephone: must be given"},
		"answers elsewhere":     {"email: keys@company.example", "email: keys", "answers.email: is"},
		"no operations":         {"operations: [operations@company.example]", "", "operations: must be given"},
		"bad operations":        {"[operations@company.example]", "[a@b.example, c]", "operations[1]: is"},
		"webhook without TLS":   {"https://hooks.example/sealane", "http://hooks.example/t0ken", "hook.url: is not"},
		"webhook not signed":    {`, secret: "env:HOOK"`, "", "webhook.secret: must be given"},
		"ping without TLS":      {"https://ping.example/token", "http://ping.example/t0ken", "ping: is not a URL"},
		"no folder":             {"host: one", "templates: none", "templates: is not a folder"},
		"host with a character": {"host: one", `host: "a\eb"`, "host: has characters"},
	} {
		file := filepath.Join(t.TempDir(), "notify.yaml")
		text := strings.Replace(goodConfig, c.from, c.to, 1)
		if text == goodConfig {
			t.Errorf("%s: nothing was changed", name)
		}
		write(t, file, text)
		_, err := notify.Read(file)
		if err == nil || !strings.Contains(err.Error(), c.says) || strings.Contains(err.Error(), "hunter2") ||
			strings.Contains(err.Error(), "t0ken") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestPlainToOthers: what Check refuses does not send either.
func TestPlainToOthers(t *testing.T) {
	t.Parallel()
	c := &notify.Config{Mail: &notify.MailConfig{Server: "mail.example:25", TLS: "none", From: "a@b.example"}}
	if _, err := notify.NewMailer(c); err == nil || !strings.Contains(err.Error(), "allowed to this machine only") {
		t.Error(err)
	}
	if _, err := notify.NewMailer(&notify.Config{}); err == nil {
		t.Error("without a server")
	}
}

// FuzzConfig: a file is read, or refused with faults that can be shown.
func FuzzConfig(f *testing.F) {
	f.Add(goodConfig)
	f.Add("mail: {server: \"[::1]:25\", tls: none, from: a@b.example}\noperations: a@b.example\n")
	f.Add("ping: \"%zz\"\nwebhook: []\nmail: &a {from: *a}\n")
	file := filepath.Join(f.TempDir(), "notify.yaml")
	f.Fuzz(func(t *testing.T, text string) {
		write(t, file, text)
		c, err := notify.Read(file)
		if err != nil {
			if _, ok := errors.AsType[*strictyaml.Faults](err); !ok && len(text) < 256<<10 {
				t.Errorf("%v", err)
			}
			return
		}
		if err := c.Check(); err != nil {
			t.Errorf("Read takes what Check refuses: %v", err)
		}
		if c.Mail != nil && c.Mail.TLS == "none" && !strings.HasPrefix(c.Mail.Server, "localhost:") &&
			!strings.HasPrefix(c.Mail.Server, "127.") && !strings.HasPrefix(c.Mail.Server, "[") {
			t.Errorf("plain to %s", c.Mail.Server)
		}
	})
}
