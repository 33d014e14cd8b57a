package main

import (
	"crypto/rand"
	"fmt"
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

func newSandboxRiskOS() *cobra.Command {
	var listenOn, dir, apiKeyFile string
	var customerCerts []string
	var required bool
	c := &cobra.Command{
		Use:   "riskos",
		Short: "The provider's side of RiskOS: evaluations and document uploads, sealed or plain",
		Long: `Riskos serves a stand-in of RiskOS for one account. In --dir it keeps the
provider's key and certificate, the API key, and, unless you bring certificates of
your own with --customer-cert, a customer's key and certificate to call it with.

What an evaluation decides follows from the name in its data:
` + identityTable() + `
A request with the header ` + sandbox.FaultHeader + ` gets a faulty answer:
` + faultTable(sandbox.ProviderFaults),
		Example: `  sealane sandbox riskos --dir riskos
  sealane sandbox riskos --dir riskos --customer-cert mine.pem --listen 127.0.0.1:8480`,
		Args: cobra.NoArgs,
	}
	f := c.Flags()
	f.StringVar(&listenOn, "listen", "127.0.0.1:8480", "address to serve on")
	f.StringVar(&dir, "dir", "", "folder for keys and certificates (required)")
	f.StringVar(&apiKeyFile, "api-key-file", "", "file with the account's API key (default: one is made in --dir)")
	f.StringArrayVar(&customerCerts, "customer-cert", nil, "the customer's certificate or public JWK; further ones verify too")
	f.BoolVar(&required, "require-sealing", false, "refuse plain requests")
	must(c.MarkFlagRequired("dir"))
	c.RunE = func(c *cobra.Command, _ []string) error {
		account, files, err := riskosAccount(c, dir, apiKeyFile, customerCerts, required)
		if err != nil {
			return err
		}
		logRSA(c.ErrOrStderr(), nil) // faulty answers are made with keys of crypto/rsa
		log := logTo(c.ErrOrStderr())
		provider, err := riskos.NewProvider([]riskos.Account{account}, func() http.Handler { return &riskos.Service{} }, log)
		if err != nil {
			return err
		}
		l, err := httpserver.Listen(c.Context(), listenOn)
		if err != nil {
			return err
		}
		fmt.Fprintf(c.OutOrStdout(), "RiskOS stand-in on http://%s\n\n%s", l.Addr(), files)
		return httpserver.Serve(c.Context(), l, provider, log)
	}
	return c
}

// riskosAccount makes or loads what the stand-in needs, and describes the files.
func riskosAccount(c *cobra.Command, dir, apiKeyFile string, customerCerts []string, required bool) (riskos.Account, string, error) {
	fail := func(err error) (riskos.Account, string, error) { return riskos.Account{}, "", err }
	p, err := profile.Load("riskos")
	if err != nil {
		return fail(err)
	}
	providerSpec := sandboxSpec(p, dir, "provider")
	provider, err := keydir.LoadOrCreate(c.Context(), providerSpec)
	if err != nil {
		return fail(err)
	}
	var text strings.Builder
	t := tabwriter.NewWriter(&text, 0, 0, 2, ' ', 0)
	fmt.Fprintf(t, "provider's certificate\t%s\nthe same as JWK\t%s\n", providerSpec.CertificateFile(), providerSpec.JWKFile())
	if apiKeyFile == "" {
		if apiKeyFile, err = makeAPIKey(dir); err != nil {
			return fail(err)
		}
	}
	apiKey, err := secretFile(c, apiKeyFile)
	if err != nil {
		return fail(err)
	}
	fmt.Fprintf(t, "API key\t%s\n", apiKeyFile)
	if len(customerCerts) == 0 {
		customer := sandboxSpec(p, dir, "customer")
		if _, err := keydir.LoadOrCreate(c.Context(), customer); err != nil {
			return fail(err)
		}
		customerCerts = []string{customer.CertificateFile()}
		fmt.Fprintf(t, "customer's key\t%s\n", customer.KeyFile())
	}
	for _, file := range customerCerts {
		fmt.Fprintf(t, "customer's certificate\t%s\n", file)
	}
	t.Flush()
	theirs, err := (&laneFlags{c: c, partner: customerCerts}).theirs()
	if err != nil {
		return fail(err)
	}
	ours, err := keyring.New(keyring.Key{State: keyring.Active, ID: provider.KeyID, Private: provider.Key})
	if err != nil {
		return fail(err)
	}
	config := sealane.Config{Profile: p, Side: sealane.ServerSide, Environment: "SANDBOX", Partner: "customer", Ours: ours, Theirs: theirs, Sealing: sealane.SealingOptional}
	if required {
		config.Sealing = sealane.SealingRequired
	}
	lane, err := sealane.New(config)
	return riskos.Account{Name: "customer", APIKey: apiKey, Lane: lane, Signer: provider.Key}, text.String(), err
}

// sandboxSpec describes the key pair of one side, in a folder of its name.
func sandboxSpec(p *profile.Profile, dir, name string) *keydir.Spec {
	return &keydir.Spec{
		Folder: filepath.Join(dir, name), Profile: p, Environment: "SANDBOX",
		Request: cert.Template{
			CommonName: name + ".sandbox.example", Organization: "Sealane sandbox", Unit: name,
			Email: name + "@sandbox.example", NotBefore: time.Now(),
		},
	}
}

// makeAPIKey gives the file of an API key, which is made where there is none.
func makeAPIKey(dir string) (string, error) {
	file := filepath.Join(dir, "api-key")
	if _, err := os.Stat(file); err == nil {
		return file, nil
	}
	return file, newfile.Write(file, []byte(rand.Text()+"\n"), 0o600)
}

func identityTable() string {
	var b strings.Builder
	t := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	for _, i := range riskos.TestIdentities {
		given := i.GivenName
		if given == "" {
			given = "(any)"
		}
		fmt.Fprintf(t, "  %s\t%s\t%s\n", given, i.FamilyName, i.Note)
	}
	t.Flush()
	return b.String()
}
