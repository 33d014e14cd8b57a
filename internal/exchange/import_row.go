package exchange

import (
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"slices"
	"strings"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/internal/lanes"
	"github.com/sealane/sealane/internal/pasted"
	"github.com/sealane/sealane/internal/registry"
)

// tryRow returns the result that the import of a row would have, and stores nothing.
func (e Exchange) tryRow(ctx context.Context, row tableRow, folder string) (result RowResult) {
	err := e.session.DryRun(ctx, func(s *registry.Session) {
		e.session = s
		result = e.importRow(ctx, row, folder)
	})
	if err != nil && result.Error == "" {
		result.Error = err.Error()
	}
	return result
}

func (e Exchange) importRow(ctx context.Context, row tableRow, folder string) RowResult {
	i := &rowImport{
		Exchange: e, folder: folder, cells: row.cells,
		lane:   lanes.Name{Partner: row.cells["partner"], Environment: row.cells["environment"]},
		result: RowResult{Line: row.line, Done: []string{}},
	}
	err := row.err
	if err == nil {
		err = i.run(ctx)
		i.result.Partner, i.result.Environment = i.lane.Partner, i.lane.Environment
	}
	if err != nil {
		i.result.Error = err.Error()
	}
	return i.result
}

// rowImport is the import of one row. A cell that is empty, or whose column the table does not
// have, says nothing: what is there stays as it is.
type rowImport struct {
	Exchange
	folder string // of the table
	cells  map[string]string
	lane   lanes.Name
	result RowResult
}

// ofEnvironment are the columns about an environment.
var ofEnvironment = []string{
	"sealing", "caller", "account", "contact_role", "contact_name", "contact_email", "certificate", "sha256", "key_id",
}

func (i *rowImport) run(ctx context.Context) error {
	if i.lane.Partner == "" {
		return registry.Refuse("the row names no partner")
	}
	if i.lane.Environment == "" {
		for _, name := range ofEnvironment {
			if i.cells[name] != "" {
				return registry.Refuse("the row has %s, and names no environment", name)
			}
		}
	}
	if err := i.addPartner(ctx); err != nil || i.lane.Environment == "" {
		return err
	}
	if err := i.addEnvironment(ctx); err != nil {
		return err
	}
	if err := i.addContact(ctx); err != nil {
		return err
	}
	if i.cells["certificate"] == "" {
		for _, name := range []string{"sha256", "key_id"} {
			if i.cells[name] != "" {
				return registry.Refuse("the row has %s, and names no certificate", name)
			}
		}
		return nil
	}
	return i.addCertificate(ctx)
}

func (i *rowImport) done(what string) { i.result.Done = append(i.result.Done, what) }

// addPartner adds the partner with its environment, or compares it with the one that is there.
func (i *rowImport) addPartner(ctx context.Context) error {
	p := registry.Partner{ID: i.lane.Partner, Profile: i.cells["profile"]}
	p.Name = cmp.Or(i.cells["name"], p.ID)
	if side := i.cells["side"]; side != "" {
		if err := p.Side.UnmarshalText([]byte(side)); err != nil {
			return err
		}
	}
	var there registry.Partner
	err := i.session.View(ctx, func(tx registry.Reader) (err error) {
		there, err = tx.Partner(p.ID)
		return err
	})
	i.nameEnvironment(ctx, cmp.Or(there.Profile, p.Profile))
	switch {
	case errors.Is(err, registry.ErrNotFound):
		return i.newPartner(ctx, p)
	case err != nil:
		return err
	case p.Profile != "" && there.Profile != p.Profile, i.cells["side"] != "" && there.Side != p.Side:
		return registry.Refuse("partner %s is there with profile %s, and we are its %s; the row says %s and %s",
			p.ID, there.Profile, there.Side, cmp.Or(p.Profile, "nothing"), cmp.Or(i.cells["side"], "nothing"))
	case there.Name != p.Name && p.Name != p.ID:
		return registry.Refuse("partner %s is there as %q; the row says %q", p.ID, there.Name, p.Name)
	}
	return nil
}

// newPartner adds a partner. Its environment is added in the same change, so that a row with an
// environment that is refused leaves nothing, unless that has to wait for a second person.
func (i *rowImport) newPartner(ctx context.Context, p registry.Partner) error {
	for _, name := range []string{"profile", "side"} {
		if i.cells[name] == "" {
			return registry.Refuse("partner %s is not there yet, and the row does not say its %s", p.ID, name)
		}
	}
	n := registry.NewPartner{Partner: p}
	if i.lane.Environment != "" {
		n.Environment = i.environment()
	}
	err := i.session.AddPartnerWith(ctx, n)
	if _, waits := errors.AsType[*registry.SecondPersonError](err); waits {
		if err = i.session.AddPartner(ctx, p); err == nil {
			i.done("partner")
		}
		return err
	}
	if err == nil {
		i.done("partner")
		if i.lane.Environment != "" {
			i.done("environment")
		}
	}
	return err
}

// nameEnvironment puts the name of the profile's environment that a cell means, whatever its
// capitals.
func (i *rowImport) nameEnvironment(ctx context.Context, profile string) {
	_ = i.session.View(ctx, func(tx registry.Reader) error {
		prof, err := registry.LoadProfile(tx, profile)
		if err != nil {
			return err // adding the partner or the environment says so
		}
		for _, name := range prof.Environments {
			if strings.EqualFold(name, i.lane.Environment) {
				i.lane.Environment = name
			}
		}
		return nil
	})
}

// environment returns the environment that the row describes.
func (i *rowImport) environment() registry.Environment {
	return registry.Environment{
		Partner: i.lane.Partner, Name: i.lane.Environment, Account: i.cells["account"],
		Sealing: sealane.Sealing(i.cells["sealing"]), SenderAuth: sealane.SenderAuth(i.cells["caller"]),
	}
}

func (i *rowImport) addEnvironment(ctx context.Context) error {
	env := i.environment()
	var there registry.Environment
	err := i.session.View(ctx, func(tx registry.Reader) (err error) {
		there, err = tx.Environment(env.Partner, env.Name)
		return err
	})
	if errors.Is(err, registry.ErrNotFound) {
		err := i.session.AddEnvironment(ctx, env)
		if i.result.Second, _ = errors.AsType[*registry.SecondPersonError](err); i.result.Second != nil {
			i.result.Waits = env
		}
		if err == nil {
			i.done("environment")
		}
		return err
	}
	same := (env.Sealing == "" || there.Sealing == env.Sealing) &&
		(env.SenderAuth == "" || there.SenderAuth == env.SenderAuth) &&
		(env.Account == "" || there.Account == env.Account)
	if err == nil && !same {
		return registry.Refuse("environment %s of %s is there, with sealing %s, caller %q and account %q; "+
			"the row says %q, %q and %q: correct the row, or change the environment",
			env.Name, env.Partner, there.Sealing, there.SenderAuth, there.Account,
			env.Sealing, env.SenderAuth, env.Account)
	}
	return err
}

func (i *rowImport) addContact(ctx context.Context) error {
	contact := registry.Contact{
		Role: registry.ContactRole(i.cells["contact_role"]),
		Name: i.cells["contact_name"], Email: i.cells["contact_email"],
	}
	switch {
	case contact == registry.Contact{}:
		return nil
	case contact.Email == "":
		return registry.Refuse("the contact has no contact_email")
	case contact.Role == "":
		contact.Role = registry.Primary
	}
	there := false
	err := i.session.View(ctx, func(tx registry.Reader) error {
		env, err := tx.Environment(i.lane.Partner, i.lane.Environment)
		there = slices.Contains(env.Contacts, contact)
		return err
	})
	if err != nil || there {
		return err
	}
	if err := i.session.SetContact(ctx, i.lane, contact); err != nil {
		return err
	}
	i.done("contact")
	return nil
}

func (i *rowImport) addCertificate(ctx context.Context) error {
	name, data, err := certificateFile(i.cells["certificate"], i.folder)
	if err != nil {
		return err
	}
	c, there, err := i.certificateIn(ctx, data)
	if err != nil {
		return err
	}
	keyID, checksum := i.cells["key_id"], i.cells["sha256"]
	if !there {
		in := Incoming{Partner: i.lane.Partner, Environment: i.lane.Environment, Data: data, Name: name, KeyID: keyID,
			imported: true}
		if in.Waive, err = waivers(i.cells["waive"]); err != nil {
			return err
		}
		if c, _, err = i.Receive(ctx, in); err != nil {
			return err
		}
		i.done("certificate " + c.ID + " received")
	}
	switch {
	case keyID == "" || keyID == c.KeyID:
	case c.KeyID == "":
		if err := i.SetKeyID(ctx, KeyIDChange{ID: c.ID, KeyID: keyID}); err != nil {
			return err
		}
		i.done("key ID")
	default:
		return registry.Refuse("certificate %s has the key ID %q; the row says %q: correct the row, or "+
			"replace the key ID",
			c.ID, c.KeyID, keyID)
	}
	if checksum == "" {
		return nil
	}
	if c.State != registry.Received {
		return checkChecksum(c, checksum, data)
	}
	if _, err := i.MatchChecksum(ctx, Comparison{Certificate: c.ID, Checksum: checksum}); err != nil {
		return err
	}
	i.done("matched")
	return nil
}

// waivers returns the rules that a cell waives, each as RULE=REASON, with the reason of each. There
// may be several, one on a line.
func waivers(cell string) (map[string]string, error) {
	rules := map[string]string{}
	for line := range strings.Lines(cell) {
		rule, reason, ok := strings.Cut(strings.TrimSpace(line), "=")
		switch {
		case strings.TrimSpace(line) == "":
		case !ok:
			return nil, registry.Refuse("the waiver %q is not of the form RULE=REASON", line)
		default:
			rules[strings.TrimSpace(rule)] = strings.TrimSpace(reason)
		}
	}
	return rules, nil
}

// checkChecksum checks a row's checksum of a certificate that was compared before.
func checkChecksum(c registry.Certificate, checksum string, file []byte) error {
	chain, err := c.Parse()
	if err != nil {
		return err
	}
	sums, _ := pasted.Checksums([]byte(checksum))
	c.Provenance.File = file
	if _, _, err := compare(sums, c, chain[0]); err != nil {
		return registry.Refuse("certificate %s is %s, and the row's sha256 is not its checksum", c.ID, c.State)
	}
	return nil
}

// certificateIn returns the certificate in a file if it came in before, so that a row can be
// corrected and imported again.
func (i *rowImport) certificateIn(ctx context.Context, data []byte) (c registry.Certificate, there bool, err error) {
	f, err := read(data)
	if err != nil || len(f.file.Certificates) == 0 {
		return c, false, nil // Receive says what is wrong with it
	}
	sum := sha256.Sum256(f.file.Certificates[0].Raw)
	err = i.session.View(ctx, func(tx registry.Reader) error {
		known, err := tx.Certificates(registry.CertificateQuery{
			Owner: registry.Theirs, Partner: i.lane.Partner, Environment: i.lane.Environment, SHA256: sum[:],
			States: registry.StatesAlive,
		})
		if len(known) > 0 {
			c, there = known[0], true
		}
		return err
	})
	return c, there, err
}
