package command

import (
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"github.com/sealane/sealane/internal/operation"
)

func noticePreview() *cobra.Command {
	c := &cobra.Command{
		Use:   "preview MAIL|KIND",
		Short: "Show a mail as it is sent, or each kind of mail with made-up certificates",
		Long: `Preview writes a mail of the outbox as it was sent, or as it would be sent now: a file that
mail programs open (.eml). With the name of a kind it writes the text of such a mail with
made-up certificates, by your templates, and needs no registry. Without an argument it lists
the kinds.`,
		Example: `  sealane notice preview m-4w7jr2kq5d > notice.eml
  sealane notice preview notice-theirs --notify notify.yaml`,
		Args: cobra.MaximumNArgs(1),
	}
	flags := registryVerb(c)
	config := addNotify(c)
	c.RunE = func(c *cobra.Command, args []string) error {
		if len(args) == 0 {
			for _, kind := range operation.NoticeKinds() {
				if err := say(c, "%s", kind); err != nil {
					return err
				}
			}
			return nil
		}
		if kind := operation.NoticeKind(args[0]); slices.Contains(operation.NoticeKinds(), kind) {
			text, problems, err := operation.SampleNotice(*config, kind)
			if err != nil {
				return err
			}
			for _, p := range problems {
				warn(c, "%s", p)
			}
			_, err = c.OutOrStdout().Write([]byte(text))
			return err
		}
		if !operation.IsMail(args[0]) {
			return usage(fmt.Sprintf("there is no mail or kind %q: `sealane notice preview` lists the kinds",
				printable(args[0])))
		}
		input := func(_ *cobra.Command, args []string) (operation.NoticePreview, error) {
			return operation.NoticePreview{Mail: args[0], Config: *config}, nil
		}
		return does(flags, operation.PreviewNotice, input, func(c *cobra.Command, m operation.NoticeText) error {
			for _, p := range m.Problems {
				warn(c, "%s", p)
			}
			_, err := c.OutOrStdout().Write(m.Message)
			return err
		})(c, args)
	}
	return c
}
