package command

import (
	"fmt"
	"net/http"
	"regexp"

	"github.com/spf13/cobra"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/internal/httpserver"
	"github.com/sealane/sealane/internal/sandbox/rdx"
	"github.com/sealane/sealane/sealhttp"
)

var sixDigits = regexp.MustCompile(`^[0-9]{6}$`)

func newSandboxIssuer() *cobra.Command {
	var listenOn, otp string
	c := &cobra.Command{
		Use:   "issuer",
		Short: "An example issuer for RDX: opens messages, and answers in plain JSON",
		Long: `Issuer serves an example of an issuer's service. It writes passcodes to standard
error in place of an SMS; with --otp every passcode is the given one, so that a script
knows it. During an overlap, name the old and the new key.`,
		Example: `  sealane sandbox issuer --key rdx-stag/private/rdx-stag.key \
      --env STAG --caller unauthenticated \
      --key-id 1234dadc1234b704c1f23dc4-PKE-ACS-Client-4096SHA2-STAG`,
		Args: cobra.NoArgs,
	}
	flags := addLaneFlags(c, "from", "not used: RDX messages are not signed")
	flags.onlyRDX()
	must(c.Flags().MarkHidden("from"))
	must(c.Flags().MarkHidden("from-key-id"))
	c.Flags().StringVar(&otp, "otp", "", "passcode of every challenge, six digits (default: random ones)")
	c.Flags().StringVar(&listenOn, "listen", "127.0.0.1:8481", "address to serve on")
	c.RunE = func(c *cobra.Command, _ []string) error {
		lane, err := flags.lane(c.Context(), sealane.ServerSide)
		if err != nil {
			return err
		}
		engine, err := chosenEngine(c)
		if err != nil {
			return err
		}
		logRSA(c.ErrOrStderr(), engine)
		log := logTo(c.ErrOrStderr())
		if otp != "" && !sixDigits.MatchString(otp) {
			return usage("--otp is six digits")
		}
		issuer := &rdx.Issuer{OTP: otp, OnOTP: func(transaction, otp string) {
			fmt.Fprintf(c.ErrOrStderr(), "passcode for transaction %s: %s\n", printable(transaction), otp)
		}}
		handler := &sealhttp.Handler{
			Lane: func(*http.Request) (*sealane.Lane, error) { return lane, nil },
			Next: issuer,
			Log:  log,
		}
		l, err := httpserver.Listen(c.Context(), listenOn)
		if err != nil {
			return err
		}
		fmt.Fprintf(c.OutOrStdout(), "Example issuer on http://%s/rdx/v1\n", l.Addr())
		return httpserver.Serve(c.Context(), l, handler, log)
	}
	return c
}
