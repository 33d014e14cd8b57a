package command

import (
	"github.com/spf13/cobra"
)

func newExchange() *cobra.Command {
	c := &cobra.Command{
		Use:   "exchange",
		Short: "Exchange certificates with a partner, step by step",
		Long: `For a certificate of the partner: receive, confirm (the checksum of their second
message), approve (a second person), activate. For one of yours: sealane key create,
offer, alias (the key ID that they assign), activate (when they have installed it).
At any time, sealane exchange status PARTNER shows what comes next.`,
	}
	flags := addRegistryFlags(c)
	c.AddCommand(
		exchangeReceive(flags), exchangeConfirm(flags), exchangeApprove(flags), exchangeReject(flags),
		exchangeStage(flags), exchangeActivate(flags), exchangeRetire(flags), exchangeCompromised(flags),
		exchangeOffer(flags), exchangeAlias(flags),
		exchangeChallenge(flags), exchangeProve(flags), exchangeAnswer(flags),
		exchangeStatus(flags))
	return c
}
