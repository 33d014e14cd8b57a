package notify

import (
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/sealane/sealane/internal/secretfile"
	"github.com/sealane/sealane/internal/strictyaml"
)

// armed is what the file says for which sending is armed. It is outside the database: a copy of the database, or a
// backup that was restored on another machine, does not have it.
type armed struct {
	Host         string `yaml:"host"`
	Database     string `yaml:"database"`     // without a password
	Installation string `yaml:"installation"` // the identity in the database
	From         string `yaml:"from"`
	Bounces      string `yaml:"bounces"`
	At           string `yaml:"at"`
}

const maxArmed = 16 << 10

// ErrNotArmed means that no mail is sent, because somebody has to arm sending for this installation first.
var ErrNotArmed = errors.New("sending is not armed for this installation")

// armedFile returns the file that says for which installation sending is armed.
func (c *Config) armedFile() (string, error) {
	switch {
	case c.ArmedFile != "":
		return c.in(c.ArmedFile), nil
	case c.file != "":
		return c.file + ".armed", nil
	}
	return "", errors.New("there is no file that says whether sending is armed: give armed in the notification file")
}

// here returns what this installation is.
func (c *Config) here(database, installation string) (armed, error) {
	host, err := c.host()
	if err != nil {
		return armed{}, err
	}
	a := armed{Host: host, Database: withoutPassword(database), Installation: installation}
	switch {
	case c.Mail != nil:
		a.From = c.Mail.From
		a.Bounces, _ = c.Mail.sender()
	case c.Webhook == nil:
		return armed{}, errors.New("no mail server and no webhook is configured: give one in the notification file")
	}
	return a, nil
}

// withoutPassword returns the name of a database without the password that a URL may have.
func withoutPassword(database string) string {
	u, err := url.Parse(database)
	if err != nil || u.Host == "" && u.User == nil {
		if strings.Contains(database, "://") {
			return "…"
		}
		return database
	}
	if u.User != nil {
		u.User = url.User(u.User.Username())
	}
	query := u.Query()
	query.Del("password")
	u.RawQuery = query.Encode()
	return u.String()
}

// Arm lets this installation send mails: this host, this database with this identity, and this sender. It writes the
// file that Armed compares.
func (c *Config) Arm(database, installation string, now time.Time) error {
	file, err := c.armedFile()
	if err != nil {
		return err
	}
	a, err := c.here(database, installation)
	if err != nil {
		return err
	}
	a.At = now.UTC().Format(time.RFC3339)
	data, err := yaml.Marshal(a)
	if err != nil {
		return err
	}
	if err := secretfile.Replace(file, data); err != nil {
		return fmt.Errorf("sending can't be armed: %w", err)
	}
	return nil
}

// Armed returns nil if mails may be sent by this installation. Otherwise the error, which is ErrNotArmed, says why
// not. Somebody must call Arm after a database was copied or restored, and after the host or the sender was changed.
func (c *Config) Armed(database, installation string) error {
	file, err := c.armedFile()
	if err != nil {
		return fmt.Errorf("%w: %w", ErrNotArmed, err)
	}
	now, err := c.here(database, installation)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrNotArmed, err)
	}
	data, err := secretfile.Read(file, maxArmed)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%w: there is no file %s", ErrNotArmed, file)
	}
	if err != nil {
		return fmt.Errorf("%w: %s: %w", ErrNotArmed, file, err)
	}
	var then armed
	if _, err := strictyaml.Decode(file, data, &then); err != nil {
		return fmt.Errorf("%w: %w", ErrNotArmed, err)
	}
	for _, part := range []struct{ what, then, now string }{
		{"host", then.Host, now.Host}, {"database", then.Database, now.Database},
		{"identity of the database", then.Installation, now.Installation},
		{"sender", then.From, now.From}, {"address for failures", then.Bounces, now.Bounces},
	} {
		if part.then != part.now {
			return fmt.Errorf("%w: the %s was %.200q when it was armed, and is %.200q", ErrNotArmed, part.what,
				part.then, part.now)
		}
	}
	return nil
}
