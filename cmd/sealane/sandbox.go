package main

import (
	"bufio"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/internal/sandbox"
	"github.com/sealane/sealane/keyring"
	"github.com/sealane/sealane/profile"
	"github.com/sealane/sealane/sealhttp"
)

func newSandbox() *cobra.Command {
	c := &cobra.Command{
		Use:   "sandbox",
		Short: "Stand-ins of the services at the other end, for trying and testing",
	}
	c.AddCommand(newSandboxRiskOS(), newSandboxVCAS(), newSandboxIssuer())
	return c
}

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
		log := logTo(c.ErrOrStderr())
		provider, err := sandbox.NewProvider([]sandbox.Account{account}, func() http.Handler { return &sandbox.RiskOS{} }, log)
		if err != nil {
			return err
		}
		l, err := listen(c.Context(), listenOn)
		if err != nil {
			return err
		}
		fmt.Fprintf(c.OutOrStdout(), "RiskOS stand-in on http://%s\n\n%s", l.Addr(), files)
		return serve(c.Context(), l, provider, log)
	}
	return c
}

// riskosAccount makes or loads what the stand-in needs, and describes the files.
func riskosAccount(c *cobra.Command, dir, apiKeyFile string, customerCerts []string, required bool) (sandbox.Account, string, error) {
	fail := func(err error) (sandbox.Account, string, error) { return sandbox.Account{}, "", err }
	p, err := profile.Load("riskos")
	if err != nil {
		return fail(err)
	}
	provider, err := loadOrMakeParty(c.Context(), p, dir, "provider", "SANDBOX")
	if err != nil {
		return fail(err)
	}
	var text strings.Builder
	t := tabwriter.NewWriter(&text, 0, 0, 2, ' ', 0)
	fmt.Fprintf(t, "provider's certificate\t%s\nthe same as JWK\t%s\n", provider.certFile, provider.jwkFile)
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
		customer, err := loadOrMakeParty(c.Context(), p, dir, "customer", "SANDBOX")
		if err != nil {
			return fail(err)
		}
		customerCerts = []string{customer.certFile}
		fmt.Fprintf(t, "customer's key\t%s\n", customer.keyFile)
	}
	for _, file := range customerCerts {
		fmt.Fprintf(t, "customer's certificate\t%s\n", file)
	}
	t.Flush()
	theirs, err := (&laneFlags{c: c, partner: customerCerts}).theirs()
	if err != nil {
		return fail(err)
	}
	ours, err := keyring.New(keyring.Key{State: keyring.Active, ID: provider.keyID, Private: provider.key})
	if err != nil {
		return fail(err)
	}
	config := sealane.Config{Profile: p, Side: sealane.ServerSide, Environment: "SANDBOX", Partner: "customer", Ours: ours, Theirs: theirs, Sealing: sealane.SealingOptional}
	if required {
		config.Sealing = sealane.SealingRequired
	}
	lane, err := sealane.New(config)
	return sandbox.Account{Name: "customer", APIKey: apiKey, Lane: lane}, text.String(), err
}

// makeAPIKey gives the file of an API key, which is made where there is none.
func makeAPIKey(dir string) (string, error) {
	file := filepath.Join(dir, "api-key")
	if _, err := os.Stat(file); err == nil {
		return file, nil
	}
	return file, writeNew(file, []byte(rand.Text()+"\n"), 0o600)
}

func identityTable() string {
	var b strings.Builder
	t := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	for _, i := range sandbox.TestIdentities {
		given := i.GivenName
		if given == "" {
			given = "(any)"
		}
		fmt.Fprintf(t, "  %s\t%s\t%s\n", given, i.FamilyName, i.Note)
	}
	t.Flush()
	return b.String()
}

func faultTable(faults []sandbox.FaultName) string {
	var b strings.Builder
	t := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	for _, f := range faults {
		fmt.Fprintf(t, "  %s\t%s\n", f.Name, f.Effect)
	}
	t.Flush()
	return b.String()
}

func newSandboxVCAS() *cobra.Command {
	var base, otp, faultName string
	var card string
	c := &cobra.Command{
		Use:   "vcas",
		Short: "The sender's side of RDX: runs a challenge against an issuer's URL",
		Long: `Vcas sends risk, stepup, initiateaction and validate to --url (as …/risk and so
on), sealed to the issuer's certificate under its alias, and checks the plain
answers. The passcode comes from --otp, or is read from standard input.

With --fault every message has a fault:
` + faultTable(sandbox.SenderFaults),
		Example: `  sealane sandbox vcas --url https://issuer.example/rdx/v1 --to issuer.pem \
      --to-key-id 1234dadc1234b704c1f23dc4-PKE-ACS-Client-4096SHA2-STAG`,
		Args: cobra.NoArgs,
	}
	flags := addLaneFlags(c, "to", "the issuer's certificate, in any format")
	f := c.Flags()
	flags.onlyRDX()
	f.StringVar(&base, "url", "", "the issuer's base URL; /risk, /stepup, /initiateaction and /validate are added (required)")
	f.StringVar(&otp, "otp", "", "passcode to answer with; default: read from standard input")
	f.StringVar(&card, "card", "", "test card number")
	f.StringVar(&faultName, "fault", "", "send every message with this fault, or with a fault code of docs/faults.md")
	must(c.MarkFlagRequired("url"))
	c.RunE = func(c *cobra.Command, _ []string) error {
		lane, err := flags.lane(c.Context(), sealane.ClientSide)
		if err != nil {
			return err
		}
		transport, err := baseTransport("", "")
		if err != nil {
			return err
		}
		defer transport.CloseIdleConnections()
		client := &http.Client{Timeout: 30 * time.Second, Transport: &sealhttp.Transport{Lane: lane, Base: transport}}
		if faultName != "" {
			client.Transport = &sandbox.ForgingTransport{Lane: lane, Fault: faultName, Base: transport}
		}
		v := newVCAS(client, base)
		v.CardNumber = card
		answers, err := v.Challenge(c.Context(), askOTP(c, otp))
		for _, a := range answers {
			fmt.Fprintf(c.OutOrStdout(), "%-15s HTTP %d  %-10s %4d ms  %d bytes\n", a.Call, a.HTTPStatus, printable(a.Status), a.Duration.Milliseconds(), len(a.Raw))
		}
		if errors.Is(err, errNoPasscode) {
			return err
		}
		if err != nil {
			return &exit{exitPartner, err}
		}
		return nil
	}
	return c
}

// errNoPasscode: nobody typed one, which is not the issuer's fault.
var errNoPasscode = errors.New("no passcode: give --otp, or type it")

func newVCAS(client *http.Client, base string) *sandbox.VCAS {
	base = strings.TrimRight(base, "/")
	return &sandbox.VCAS{Client: client, RiskURL: base + "/risk", StepupURL: base + "/stepup", InitiateURL: base + "/initiateaction", ValidateURL: base + "/validate"}
}

func askOTP(c *cobra.Command, otp string) func(context.Context, sandbox.Answer) (string, error) {
	lines := bufio.NewScanner(io.LimitReader(c.InOrStdin(), 4<<10))
	return func(context.Context, sandbox.Answer) (string, error) {
		if otp != "" {
			return otp, nil
		}
		fmt.Fprint(c.ErrOrStderr(), "Passcode: ")
		if !lines.Scan() {
			return "", errNoPasscode
		}
		return strings.TrimSpace(lines.Text()), nil
	}
}

func newSandboxIssuer() *cobra.Command {
	var listenOn string
	c := &cobra.Command{
		Use:   "issuer",
		Short: "An example issuer that answers RDX: opens messages, answers in clear",
		Long: `Issuer serves an example of an issuer's service. Passcodes are printed on standard
error in place of an SMS. Give the old and the new key during an overlap.`,
		Example: `  sealane sandbox issuer --key rdx-stag/private/rdx-stag.key \
      --key-id 1234dadc1234b704c1f23dc4-PKE-ACS-Client-4096SHA2-STAG --env STAG --caller unauthenticated`,
		Args: cobra.NoArgs,
	}
	flags := addLaneFlags(c, "from", "not used: RDX messages are not signed")
	flags.onlyRDX()
	must(c.Flags().MarkHidden("from"))
	must(c.Flags().MarkHidden("from-key-id"))
	c.Flags().StringVar(&listenOn, "listen", "127.0.0.1:8481", "address to serve on")
	c.RunE = func(c *cobra.Command, _ []string) error {
		lane, err := flags.lane(c.Context(), sealane.ServerSide)
		if err != nil {
			return err
		}
		if err := logRSA(c); err != nil {
			return err
		}
		log := logTo(c.ErrOrStderr())
		issuer := &sandbox.Issuer{OnOTP: func(transaction, otp string) {
			fmt.Fprintf(c.ErrOrStderr(), "passcode for transaction %s: %s\n", printable(transaction), otp)
		}}
		l, err := listen(c.Context(), listenOn)
		if err != nil {
			return err
		}
		fmt.Fprintf(c.OutOrStdout(), "Example issuer on http://%s/rdx/v1\n", l.Addr())
		return serve(c.Context(), l, issuerHandler(lane, issuer, log), log)
	}
	return c
}
