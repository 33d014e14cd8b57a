package command

import (
	"bytes"
	"fmt"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/cert"
	"github.com/sealane/sealane/keyring"
	"github.com/sealane/sealane/profile"
	"github.com/sealane/sealane/sealhttp"
)

func newOpen() *cobra.Command {
	c := &cobra.Command{
		Use:   "open [FILE]",
		Short: "Decrypt and verify a message from a partner",
		Long: `Open reads a token, alone or in the profile's JSON body, from FILE or standard input.
It writes the payload to standard output, with the bytes that were signed, and the
key that signed it to standard error. If anything is wrong with the message, it
writes no payload.`,
		Example: `  sealane open --profile riskos --key our.key --from provider.pem answer.json
  sealane open --profile rdx --caller mutual-tls --key new.key --key old.key \
      --key-id 1234dadc1234b704c1f23dc4-PKE-ACS-Client-2048SHA2-STAG message.jwe`,
		Args: cobra.MaximumNArgs(1),
	}
	flags := addLaneFlags(c, "from", "the partner's certificate, in any format; further ones verify too (overlap)")
	side := c.Flags().String("side", "server", "your side: server opens requests, client opens answers")
	asJSON := c.Flags().Bool("json", false, "write a JSON object with the payload and the key that signed it")
	c.RunE = func(c *cobra.Command, args []string) error {
		lane, err := flags.laneOf(c.Context(), *side)
		if err != nil {
			return err
		}
		if in := lane.Inbound(); !in.Signed() && c.Flags().Changed("from") {
			warn(c, "--from is not used: messages of %s are not signed", flags.profile)
		}
		data, err := readInput(c, first(args), lane.MaxToken()+1)
		if err != nil {
			return err
		}
		message, err := lane.OpenMessage(c.Context(), takeToken(data, lane.Profile()))
		if err != nil {
			hint := fmt.Sprintf("To see why: sealane inspect --profile %s --key … --from …", flags.profile)
			return judged(fmt.Errorf("%w\n%s", err, hint))
		}
		if *asJSON {
			return writeJSON(c.OutOrStdout(), describe(lane, message))
		}
		if v, ok := message.(*sealane.Verified); ok {
			fmt.Fprintf(c.ErrOrStderr(), "Signed by %s, opened by %s\n", refOf(v.Signer()), refOf(v.OpenedBy()))
		} else {
			fmt.Fprintf(c.ErrOrStderr(), "NOT SIGNED: the sender is not proven; opened by %s\n",
				refOf(message.OpenedBy()))
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
	Payload  *string `json:"payload,omitempty"`        // if it is text
	Base64   []byte  `json:"payload_base64,omitempty"` // if it is not
}

// keyRef names a key.
type keyRef struct {
	ID         string `json:"key_id,omitempty"`
	Thumbprint string `json:"thumbprint"` // RFC 7638
}

func describe(lane *sealane.Lane, m sealane.Message) opened {
	o := opened{Lane: lane.Name(), OpenedBy: refOf(m.OpenedBy())}
	switch m := m.(type) {
	case *sealane.Verified:
		signer := refOf(m.Signer())
		o.Verified, o.Signer = true, &signer
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

func refOf(k keyring.KeyInfo) keyRef { return keyRef{k.ID, cert.ThumbprintJWK(k.Public)} }

// String names a key for people.
func (k keyRef) String() string {
	if k.ID == "" {
		return "key " + k.Thumbprint
	}
	return fmt.Sprintf("key %q (%s)", k.ID, k.Thumbprint)
}
