package command

import (
	"cmp"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/cert"
	"github.com/sealane/sealane/internal/httpserver"
	"github.com/sealane/sealane/internal/keydir"
	"github.com/sealane/sealane/internal/newfile"
	"github.com/sealane/sealane/internal/sandbox"
	"github.com/sealane/sealane/internal/sandbox/riskos"
	"github.com/sealane/sealane/keyring"
	"github.com/sealane/sealane/profile"
)

// sandboxEnvironment is the only one of the RiskOS stand-in.
const sandboxEnvironment = "SANDBOX"

// riskosFlags are the flags of sandbox riskos.
type riskosFlags struct {
	c              *cobra.Command
	listen, folder string
	apiKeyFile     string
	customerCerts  []string
	required       bool
}

func newSandboxRiskOS() *cobra.Command {
	c := &cobra.Command{
		Use:   "riskos",
		Short: "The provider's side of RiskOS: evaluations and document uploads, sealed or plain",
		Long: `Riskos serves a stand-in of RiskOS for one account. In --dir it keeps the
provider's key and certificate, the API key, and, unless you bring certificates of
your own with --customer-cert, a customer's key and certificate to call it with.

What an evaluation decides follows from the name in its data:
` + identityTable() + `
A request with the header ` + sandbox.FaultHeader + ` gets a faulty answer:
` + faultTable("riskos", sandbox.ResponseFaults),
		Example: `  sealane sandbox riskos --dir riskos
  sealane sandbox riskos --dir riskos --customer-cert mine.pem --listen 127.0.0.1:8480`,
		Args: cobra.NoArgs,
	}
	flags := &riskosFlags{c: c}
	f := c.Flags()
	f.StringVar(&flags.listen, "listen", "127.0.0.1:8480", "address to serve on")
	f.StringVar(&flags.folder, "dir", "", "folder for keys and certificates (required)")
	f.StringVar(&flags.apiKeyFile, "api-key-file", "",
		"file with the account's API key (default: one is made in --dir)")
	f.StringArrayVar(&flags.customerCerts, "customer-cert", nil,
		"the customer's certificate or public JWK; further ones verify too")
	f.BoolVar(&flags.required, "require-sealing", false, "refuse plain requests")
	must(c.MarkFlagRequired("dir"))
	c.RunE = flags.run
	return c
}

func (f *riskosFlags) run(c *cobra.Command, _ []string) error {
	var files strings.Builder
	account, err := f.account(tabwriter.NewWriter(&files, 0, 0, 2, ' ', 0))
	if err != nil {
		return err
	}
	logRSA(c.ErrOrStderr(), nil) // faulty answers are made with keys of crypto/rsa
	log := logTo(c.ErrOrStderr())
	newService := func() http.Handler { return &riskos.Service{} }
	provider, err := riskos.NewProvider([]riskos.Account{account}, newService, log)
	if err != nil {
		return err
	}
	l, err := httpserver.Listen(c.Context(), f.listen)
	if err != nil {
		return err
	}
	fmt.Fprintf(c.OutOrStdout(), "RiskOS stand-in on http://%s\n\n%s", l.Addr(), files.String())
	return httpserver.Serve(c.Context(), l, provider, log)
}

// account makes or loads what the stand-in needs, and writes a table of the files.
func (f *riskosFlags) account(table *tabwriter.Writer) (account riskos.Account, err error) {
	p, err := profile.Load("riskos")
	if err != nil {
		return account, err
	}
	spec := f.spec(p, "provider")
	provider, err := keydir.LoadOrCreate(f.c.Context(), spec)
	if err != nil {
		return account, err
	}
	fmt.Fprintf(table, "provider's certificate\t%s\nthe same as JWK\t%s\n", spec.CertificateFile(), spec.JWKFile())
	apiKey, err := f.apiKey(table)
	if err != nil {
		return account, err
	}
	theirs, err := f.customerKeys(p, table)
	if err != nil {
		return account, err
	}
	ours, err := keyring.New(keyring.Key{State: keyring.Active, ID: provider.KeyID, Private: provider.Key})
	if err != nil {
		return account, err
	}
	config := sealane.Config{
		Profile: p, Side: sealane.ServerSide, Environment: sandboxEnvironment, Partner: "customer",
		Ours: ours, Theirs: theirs, Sealing: sealane.SealingOptional,
	}
	if f.required {
		config.Sealing = sealane.SealingRequired
	}
	lane, err := sealane.New(config)
	if err != nil {
		return account, err
	}
	return riskos.Account{Name: "customer", APIKey: apiKey, Lane: lane, Signer: provider.Key}, table.Flush()
}

// apiKey reads the account's API key, or makes one.
func (f *riskosFlags) apiKey(table *tabwriter.Writer) (string, error) {
	file := cmp.Or(f.apiKeyFile, filepath.Join(f.folder, "api-key"))
	if f.apiKeyFile == "" {
		if _, err := os.Stat(file); errors.Is(err, fs.ErrNotExist) {
			if err := newfile.Write(file, []byte(rand.Text()+"\n"), 0o600); err != nil {
				return "", err
			}
		}
	}
	fmt.Fprintf(table, "API key\t%s\n", file)
	return secretFile(f.c, file)
}

// customerKeys reads the customer's certificates, or makes a key pair for a customer.
func (f *riskosFlags) customerKeys(p *profile.Profile, table *tabwriter.Writer) (*keyring.Ring, error) {
	files := f.customerCerts
	if len(files) == 0 {
		spec := f.spec(p, "customer")
		if _, err := keydir.LoadOrCreate(f.c.Context(), spec); err != nil {
			return nil, err
		}
		fmt.Fprintf(table, "customer's key\t%s\n", spec.KeyFile())
		files = []string{spec.CertificateFile()}
	}
	for _, file := range files {
		fmt.Fprintf(table, "customer's certificate\t%s\n", file)
	}
	engine, err := chosenEngine(f.c)
	if err != nil {
		return nil, err
	}
	return (&laneFlags{c: f.c, partner: files}).theirs(engine)
}

// spec describes the key pair of one side, in a folder of its name.
func (f *riskosFlags) spec(p *profile.Profile, name string) *keydir.Spec {
	return &keydir.Spec{
		Folder: filepath.Join(f.folder, name), Profile: p, Environment: sandboxEnvironment,
		Request: cert.Template{
			CommonName: name + ".sandbox.example", Organization: "Sealane sandbox", Unit: name,
			Email: name + "@sandbox.example", NotBefore: time.Now(),
		},
	}
}

func identityTable() string {
	var names, notes []string
	for _, i := range riskos.TestIdentities {
		names, notes = append(names, cmp.Or(i.GivenName, "(any)")+" "+i.FamilyName), append(notes, i.Note)
	}
	return explained(names, notes)
}
