package main

import (
	"bytes"
	"fmt"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/cert"
	"github.com/sealane/sealane/profile"
	"github.com/sealane/sealane/sealhttp"
)

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
		message, err := lane.OpenMessage(c.Context(), takeToken(data, lane.Profile()))
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

// takeToken returns the token of a request's or a response's body. It returns
// anything else as it is: the lane says what is wrong with it.
func takeToken(data []byte, p *profile.Compiled) []byte {
	data = bytes.TrimSpace(data)
	for _, direction := range []profile.CompiledDirection{p.Request(), p.Response()} {
		if direction.Sealed() && direction.Field() != "" {
			if token, err := sealhttp.UnwrapToken(data, direction); err == nil {
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
		o.Caller = string(m.SenderAuth())
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
