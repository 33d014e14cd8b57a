package main

import (
	"bytes"
	"fmt"
	"os"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/cert"
	"github.com/sealane/sealane/profile"
	"github.com/sealane/sealane/sealhttp"
)

func newSeal() *cobra.Command {
	c := &cobra.Command{
		Use:   "seal [FILE]",
		Short: "Sign and encrypt a payload for a partner",
		Long: `Seal reads a payload from FILE or standard input (up to 64 MiB) and writes the
sealed token. The payload is sealed byte for byte as it is.`,
		Example: `  sealane seal --profile riskos --key our.key --to provider.pem evaluation.json
  sealane seal --profile rdx --to issuer.pem --to-key-id 1234dadc1234b704c1f23dc4-PKE-ACS-Client-2048SHA2-STAG risk.json
  echo '{"id":"1"}' | sealane seal --profile riskos --key our.key --to provider.pem --body`,
		Args: cobra.MaximumNArgs(1),
	}
	flags := addLaneFlags(c, "to", "the partner's certificate, in any format")
	side := c.Flags().String("side", "client", "which side you are: client sends requests, server sends answers")
	body := c.Flags().Bool("body", false, "write the whole HTTP body of the profile, not the bare token")
	c.RunE = func(c *cobra.Command, args []string) error {
		lane, err := flags.laneOf(c.Context(), *side)
		if err != nil {
			return err
		}
		payload, err := readInput(c, first(args), maxInput)
		if err != nil {
			return err
		}
		token, err := lane.Seal(c.Context(), payload)
		if err != nil {
			return judged(err)
		}
		if *body {
			token = sealhttp.Body(token, lane.Out().Body)
		}
		_, err = c.OutOrStdout().Write(append(token, '\n'))
		return err
	}
	return c
}

func newOpen() *cobra.Command {
	c := &cobra.Command{
		Use:   "open [FILE]",
		Short: "Decrypt and verify a message from a partner",
		Long: `Open reads a token, bare or in the profile's JSON body, from FILE or standard
input and writes the payload to standard output, byte for byte as it was signed.
Who signed it is said on standard error. Nothing is written unless all holds.`,
		Example: `  sealane open --profile riskos --key our.key --from provider.pem answer.json
  sealane open --profile rdx --caller mutual-tls --key new.key --key old.key --key-id 1234dadc1234b704c1f23dc4-PKE-ACS-Client-2048SHA2-STAG message.jwe`,
		Args: cobra.MaximumNArgs(1),
	}
	flags := addLaneFlags(c, "from", "the partner's certificate, in any format; further ones verify too (overlap)")
	side := c.Flags().String("side", "server", "which side you are: server opens requests, client opens answers")
	asJSON := c.Flags().Bool("json", false, "write a JSON object with the payload and who signed it")
	c.RunE = func(c *cobra.Command, args []string) error {
		lane, err := flags.laneOf(c.Context(), *side)
		if err != nil {
			return err
		}
		data, err := readInput(c, first(args), lane.MaxToken()+1)
		if err != nil {
			return err
		}
		message, err := lane.Open(c.Context(), takeToken(data, lane.Config().Profile))
		if err != nil {
			return judged(fmt.Errorf("%w\nTo see why: sealane inspect --profile %s --key … --from …", err, flags.profile))
		}
		if *asJSON {
			return writeJSON(c.OutOrStdout(), describe(lane, message))
		}
		if v, ok := message.(*sealane.Verified); ok {
			fmt.Fprintf(c.ErrOrStderr(), "Signed by %s, opened by %s\n", keyName(v.Signer().ID, cert.ThumbprintJWK(v.Signer().Public)), keyName(v.OpenedBy().ID, cert.ThumbprintJWK(v.OpenedBy().Public)))
		} else {
			fmt.Fprintf(c.ErrOrStderr(), "NOT SIGNED: the sender is not proven; opened by %s\n", keyName(message.OpenedBy().ID, cert.ThumbprintJWK(message.OpenedBy().Public)))
		}
		_, err = c.OutOrStdout().Write(message.Payload())
		return err
	}
	return c
}

// takeToken takes the token out of either leg's body; anything else is given to
// the lane as it is, which then says what is wrong with it.
func takeToken(data []byte, p *profile.Profile) []byte {
	data = bytes.TrimSpace(data)
	for _, leg := range []*profile.Direction{&p.Request, &p.Response} {
		if leg.Sealed() && leg.Body.Field != "" {
			if token, err := sealhttp.Token(data, leg.Body); err == nil {
				return token
			}
		}
	}
	return data
}

// opened is what open --json writes.
type opened struct {
	Lane     string  `json:"lane"`
	Verified bool    `json:"verified"`
	Signer   *keyRef `json:"signer,omitempty"`
	Caller   string  `json:"caller,omitempty"`
	OpenedBy keyRef  `json:"opened_by"`
	Payload  *string `json:"payload,omitempty"`        // where it is text
	Base64   []byte  `json:"payload_base64,omitempty"` // where it is not
}

type keyRef struct {
	ID         string `json:"key_id,omitempty"`
	Thumbprint string `json:"thumbprint"` // RFC 7638
}

func describe(lane *sealane.Lane, m sealane.Message) opened {
	o := opened{Lane: lane.Name(), OpenedBy: keyRef{m.OpenedBy().ID, cert.ThumbprintJWK(m.OpenedBy().Public)}}
	switch m := m.(type) {
	case *sealane.Verified:
		o.Verified, o.Signer = true, &keyRef{m.Signer().ID, cert.ThumbprintJWK(m.Signer().Public)}
	case *sealane.Unverified:
		o.Caller = string(m.SenderAuth)
	}
	if text := string(m.Payload()); utf8.ValidString(text) {
		o.Payload = &text
	} else {
		o.Base64 = m.Payload()
	}
	return o
}

func keyName(id, thumbprint string) string {
	if id == "" {
		return "key " + thumbprint
	}
	return fmt.Sprintf("key %q (%s)", id, thumbprint)
}

func newProfile() *cobra.Command {
	c := &cobra.Command{Use: "profile", Short: "List, show and check profiles (partners' dialects)"}
	c.AddCommand(&cobra.Command{
		Use: "list", Short: "List the embedded profiles", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			for _, name := range profile.Names() {
				p, err := profile.Load(name)
				if err != nil {
					return err
				}
				fmt.Fprintf(c.OutOrStdout(), "%-8s %s (client: %s, server: %s)\n", name, p.Title, p.Parties.Client, p.Parties.Server)
			}
			return nil
		},
	}, &cobra.Command{
		Use: "show NAME", Short: "Print an embedded profile, to start your own from", Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			source, err := profile.Source(args[0])
			if err == nil {
				_, err = c.OutOrStdout().Write(source)
			}
			return err
		},
	}, &cobra.Command{
		Use: "check FILE", Short: "Read a profile file strictly and say what is wrong with it", Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			if _, err := os.Stat(args[0]); err != nil {
				return err
			}
			data, err := readInput(c, args[0], 1<<20)
			if err != nil {
				return err
			}
			p, err := profile.Parse(data)
			if err != nil {
				return refused(fmt.Errorf("%s: %w", args[0], err))
			}
			fmt.Fprintf(c.OutOrStdout(), "%s: %s is fine\n", p.Name, p.Title)
			return nil
		},
	})
	return c
}
