package command

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/fault"
	"github.com/sealane/sealane/internal/sandbox"
	"github.com/sealane/sealane/internal/sandbox/conformance"
	"github.com/sealane/sealane/internal/sandbox/rdx"
	"github.com/sealane/sealane/profile"
	"github.com/sealane/sealane/sealhttp"
)

func newSandboxVCAS() *cobra.Command {
	var base, otp, faultName, card string
	var verbose bool
	c := &cobra.Command{
		Use:   "vcas",
		Short: "The sender's side of RDX: runs a challenge against an issuer's URL",
		Long: `Vcas sends risk, stepup, initiateaction and validate to --url (as …/risk and so
on), sealed to the issuer's certificate under its alias, and checks the plain
answers. The passcode comes from --otp, or is read from standard input.

` + conformanceHelp + `

With --fault every message has a fault:
` + faultTable("rdx", sandbox.RequestFaults),
		Example: `  sealane sandbox vcas --url https://issuer.example/rdx/v1 --to issuer.pem \
      --to-key-id 1234dadc1234b704c1f23dc4-PKE-ACS-Client-4096SHA2-STAG
  sealane sandbox vcas --url https://issuer.example/rdx/v1 --to issuer.pem \
      --to-key-id 1234dadc1234b704c1f23dc4-PKE-ACS-Client-4096SHA2-STAG \
      --all-faults --junit rdx.xml`,
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
	f.BoolVarP(&verbose, "verbose", "v", false,
		"write each message and its answer to standard error; the messages are made up")
	all := addConformanceFlags(c)
	must(c.MarkFlagRequired("url"))
	c.MarkFlagsMutuallyExclusive("fault", "all-faults")
	c.RunE = func(c *cobra.Command, _ []string) error {
		if err := all.check(); err != nil {
			return err
		}
		if err := checkFault(faultName); err != nil {
			return err
		}
		lane, err := flags.lane(c.Context(), sealane.ClientSide)
		if err != nil {
			return err
		}
		transport, err := baseTransport("", "")
		if err != nil {
			return err
		}
		defer transport.CloseIdleConnections()
		var wire http.RoundTripper = transport
		if verbose {
			wire = &wireTap{base: transport, w: c.ErrOrStderr()}
		}
		v := rdx.NewVCAS(&http.Client{Timeout: 30 * time.Second}, base)
		v.CardNumber = card
		if all.allFaults {
			return all.run(c, &conformance.Check{Lane: lane, Base: wire, Send: sendRisk(v)})
		}
		v.Client.Transport = &sealhttp.Transport{Lane: sealhttp.OneLane(lane), Base: wire}
		if faultName != "" {
			v.Client.Transport = &sandbox.FaultyTransport{Lane: lane, Fault: sandbox.Fault(faultName), Base: wire}
		}
		if verbose {
			v.Client.Transport = &messageTap{base: v.Client.Transport, w: c.ErrOrStderr()}
		}
		answers, err := v.Challenge(c.Context(), askOTP(c, otp))
		for _, a := range answers {
			if a.HTTPStatus == 0 { // there was no answer
				continue
			}
			fmt.Fprintf(c.OutOrStdout(), "%-15s HTTP %d  %-10s %4d ms  %d bytes\n",
				a.Call, a.HTTPStatus, printable(a.Status), a.Duration.Milliseconds(), len(a.Raw))
		}
		if errors.Is(err, errNoPasscode) {
			return err
		}
		switch {
		case err != nil && faultName != "" && refusedRightly(lane, answers):
			return say(c, "The message was refused, as the profile says.")
		case err != nil && (len(answers) == 0 || answers[len(answers)-1].HTTPStatus == 0):
			return err // the issuer has not answered
		case err != nil:
			return &exit{exitPartner, err}
		case len(answers) > 0 && failure(answers[len(answers)-1].Status):
			return &exit{exitPartner, fmt.Errorf("the challenge ended with %s", answers[len(answers)-1].Status)}
		}
		return nil
	}
	return c
}

// checkFault returns an error for a name that no fault of a message of VCAS has.
func checkFault(name string) error {
	p, err := profile.Load("rdx")
	if err != nil {
		return err
	}
	var names []string
	for _, f := range sandbox.RequestFaults(p) {
		names = append(names, string(f))
	}
	plain, _, _ := strings.Cut(name, "=")
	if name == "" || slices.Contains(names, plain) || slices.Contains(sandbox.Codes(), fault.Code(name)) {
		return nil
	}
	return usage(fmt.Sprintf("--fault %.40q is not known: give %s, or a code of docs/faults.md",
		name, strings.Join(names, ", ")))
}

// refusedRightly reports whether the last answer is one of the profile's errors.
func refusedRightly(lane *sealane.Lane, answers []rdx.Answer) bool {
	if len(answers) == 0 {
		return false
	}
	last := answers[len(answers)-1]
	on, _, _, _ := lane.Profile().RecognizeError(last.HTTPStatus, last.Raw)
	return on != ""
}

// failure reports whether a challenge that ended with a status has failed.
func failure(status string) bool {
	return status != rdx.StatusSuccess && status != rdx.StatusAuthenticated
}

// sendRisk returns a function that sends the risk message of a new transaction.
func sendRisk(v *rdx.VCAS) func(context.Context, http.RoundTripper) error {
	return func(ctx context.Context, t http.RoundTripper) error {
		one := *v
		one.Client = &http.Client{Transport: t, Timeout: 30 * time.Second}
		_, err := one.Risk(ctx, one.NewTransaction())
		return err
	}
}

// messageTap writes messages and answers in plain JSON.
type messageTap struct {
	base http.RoundTripper
	w    io.Writer
}

// maxShown is how much of a message is shown, in bytes.
const maxShown = 4 << 10

// RoundTrip writes the request and its answer.
func (t *messageTap) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.GetBody != nil {
		if body, err := r.GetBody(); err == nil {
			shown, _ := io.ReadAll(io.LimitReader(body, maxShown)) // it is in memory
			body.Close()
			fmt.Fprintf(t.w, "> %s\n", printable(string(shown)))
		}
	}
	answer, err := t.base.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	shown, err := io.ReadAll(io.LimitReader(answer.Body, maxShown))
	if err != nil {
		return nil, err
	}
	fmt.Fprintf(t.w, "< %s\n", printable(string(shown)))
	answer.Body = readCloser{io.MultiReader(bytes.NewReader(shown), answer.Body), answer.Body}
	return answer, nil
}

type readCloser struct {
	io.Reader
	io.Closer
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
