package command

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/internal/sandbox"
	"github.com/sealane/sealane/internal/sandbox/rdx"
	"github.com/sealane/sealane/sealhttp"
)

func newSandboxVCAS() *cobra.Command {
	var base, otp, faultName, card string
	c := &cobra.Command{
		Use:   "vcas",
		Short: "The sender's side of RDX: runs a challenge against an issuer's URL",
		Long: `Vcas sends risk, stepup, initiateaction and validate to --url (as …/risk and so
on), sealed to the issuer's certificate under its alias, and checks the plain
answers. The passcode comes from --otp, or is read from standard input.

With --fault every message has a fault:
` + faultTable("rdx", sandbox.RequestFaults),
		Example: `  sealane sandbox vcas --url https://issuer.example/rdx/v1 --to issuer.pem \
      --to-key-id 1234dadc1234b704c1f23dc4-PKE-ACS-Client-4096SHA2-STAG`,
		Args: cobra.NoArgs,
	}
	flags := addLaneFlags(c, "to", "the issuer's certificate, in any format")
	flags.calls = true
	f := c.Flags()
	flags.onlyRDX()
	f.StringVar(&base, "url", "",
		"the issuer's base URL, to which /risk, /stepup, /initiateaction and /validate are added (required)")
	f.StringVar(&otp, "otp", "", "passcode to answer with (default: read from standard input)")
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
		client := &http.Client{Timeout: 30 * time.Second}
		client.Transport = &sealhttp.Transport{Lane: sealhttp.OneLane(lane), Base: transport}
		if faultName != "" {
			client.Transport = &sandbox.FaultyTransport{Lane: lane, Fault: sandbox.Fault(faultName), Base: transport}
		}
		v := rdx.NewVCAS(client, base)
		v.CardNumber = card
		answers, err := v.Challenge(c.Context(), askOTP(c, otp))
		for _, a := range answers {
			fmt.Fprintf(c.OutOrStdout(), "%-15s HTTP %d  %-10s %4d ms  %d bytes\n",
				a.Call, a.HTTPStatus, printable(a.Status), a.Duration.Milliseconds(), len(a.Raw))
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

// errNoPasscode says that the user gave no passcode, which is not the issuer's error.
var errNoPasscode = errors.New("no passcode: give --otp, or type it")

// askOTP returns a function that returns otp or, if that is empty, asks the user.
func askOTP(c *cobra.Command, otp string) func(context.Context, rdx.Answer) (string, error) {
	lines := bufio.NewScanner(io.LimitReader(c.InOrStdin(), 4<<10))
	return func(context.Context, rdx.Answer) (string, error) {
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
