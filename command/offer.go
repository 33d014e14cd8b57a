package command

import (
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/sealane/sealane/internal/keydir"
	"github.com/sealane/sealane/internal/newfile"
	"github.com/sealane/sealane/internal/operation"
)

const telephoneHelp = "telephone number in the letters, for the partner's questions"

func newOffer() *cobra.Command {
	var in operation.OfferRequest
	var out, telephone string
	var all offerAllFlags
	var silent bool // no letter has a telephone number
	c := &cobra.Command{
		Use:        "offer PARTNER|PROFILE ENVIRONMENT",
		Short:      "Write your certificate and letters for a partner; make the key pair if needed",
		SuggestFor: []string{"send"},
		Long: `Offer writes two folders: 1-send, with your certificate in the formats that partners
take and a covering letter; and 2-send-separately, with the letter that has the SHA-256
checksums. Send them by two messages. There is no private key in them. The letters name
you as the sender.

If the partner has not installed a key pair of yours yet, that one is offered (again).
Otherwise offer makes a new pair, which follows the one that is in use; its subject is
the same unless you name another. To send the certificate of a certain pair again, name
it (--key).

A partner may encrypt to a certificate as soon as it has it. So a new pair is offered when
every node of yours has loaded it: offer waits for that (--wait), and names the nodes.

A pair that all partners of a profile share is renewed by a campaign: offer --all
PROFILE ENVIRONMENT makes the successor, and writes it for the next partners, each in a
folder of its own. It stops while too many have not answered. One order is for all
(sealane activate), and each partner changes when it has the certificate.

The letters show your name, mail address and telephone number (sealane person change).`,
		Example: `  sealane offer vcas STAG --out vcas-stag --common-name rdx.bank.example \
      --org "Example Bank" --unit Payments --email keys@bank.example
  sealane offer vcas STAG --out vcas-stag-2028     # two years later: its successor
  sealane offer --all riskos PROD --out renewal-2028 --batch 25 --rate 100`,
		Args: cobra.ExactArgs(2),
	}
	flags := registryVerb(c)
	f := c.Flags()
	f.StringVar(&out, "out", "", "folder to write (required)")
	f.StringVar(&in.KeyPair, "key", "", "the key pair to offer, by its identity")
	f.StringVar(&in.KeyID, "key-id", "", "key ID (alias) of a new pair, if it is known already")
	f.IntVar(&in.Bits, "bits", 0, "RSA size of a new pair: 2048, 3072 or 4096 (default: as before, or the profile's)")
	subjectFlags(c, &in.Subject)
	f.StringVar(&telephone, "telephone", "", telephoneHelp+" (default: yours)")
	f.DurationVar(&in.Wait, "wait", time.Minute, "how long to wait for nodes that have not loaded a new pair yet")
	must(c.MarkFlagRequired("out"))
	all.add(c)
	input := func(c *cobra.Command, args []string) (operation.OfferRequest, error) {
		in.Partner, in.Environment = args[0], args[1]
		in.Waits = saysWhoWaits(c)
		in.Deliver = func(p operation.OfferPackage) error {
			p.Date = time.Now()
			if telephone != "" {
				p.From.Telephone = telephone
			}
			silent = p.From.Telephone == ""
			return keydir.WriteOffer(out, p)
		}
		for _, folder := range []string{keydir.SendFolder, keydir.SendSeparatelyFolder} {
			if err := newfile.Check(filepath.Join(out, folder)); err != nil {
				return in, err
			}
		}
		return in, nil
	}
	one := does(flags, operation.Offer, input, func(c *cobra.Command, o operation.Offered) error {
		return writeOffered(c, o, out, silent)
	})
	c.RunE = func(c *cobra.Command, args []string) error {
		if all.all {
			all.in.Bits, all.in.Subject, all.in.Wait, all.in.Waits = in.Bits, in.Subject, in.Wait, saysWhoWaits(c)
			return all.run(flags, out, telephone)(c, args)
		}
		return one(c, args)
	}
	return c
}

// saysWhoWaits returns what tells the caller for which nodes it waits.
func saysWhoWaits(c *cobra.Command) func([]string) {
	return func(nodes []string) {
		warn(c, "the pair is not loaded yet by node %s: waiting for it", strings.Join(nodes, ", "))
	}
}

// writeOffered says what an offer has made and written. Silent letters have no telephone number.
func writeOffered(c *cobra.Command, o operation.Offered, out string, silent bool) error {
	var err error
	switch {
	case o.Made && o.Replaces != "":
		err = say(c, "Key pair %s is made. It follows %s, which stays in use until the partner has installed it.",
			o.ID, o.Replaces)
	case o.Made:
		err = say(c, "Key pair %s is made. It opens messages from now on.", o.ID)
	}
	if err != nil {
		return err
	}
	if silent {
		warn(c, "the letters have no telephone number for the partner's questions: offer again with --telephone, "+
			"or have an administrator enter yours (sealane person change)")
	}
	return writeStep(c, o.Step, "%s and %s are written, with the certificate of %s. Send them by two messages.",
		filepath.Join(out, keydir.SendFolder), filepath.Join(out, keydir.SendSeparatelyFolder), o.ID)
}
