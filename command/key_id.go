package command

import (
	"cmp"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/sealane/sealane/cert"
	"github.com/sealane/sealane/internal/pasted"
)

func newKeyID() *cobra.Command {
	var id cert.KeyID
	var file, env string
	var asJSON bool
	c := &cobra.Command{
		Use:   "id [KEY-ID]",
		Short: "Explain, check or build a six-part key ID (the RDX alias)",
		Long: `Id explains a six-part key ID. With --cert and --env it compares the key ID with the
certificate and the environment that it names. Without an argument it builds one:

  [Reason/Entity]-[Use Case]-[MPI/ACS]-[Cert Owning Entity]-[Bit Length/Algorithm]-[Environment]`,
		Example: `  sealane key id 1234dadc1234b704c1f23dc4-PKE-ACS-Client-2048SHA2-STAG --cert bank.pem --env STAG
  sealane key id --entity 1234dadc1234b704c1f23dc4 --owner Client --bits 4096 --env PROD`,
		Args: cobra.MaximumNArgs(1),
	}
	f := c.Flags()
	f.StringVar(&file, "cert", "", "certificate that it names")
	f.StringVar(&env, "env", "", "environment")
	f.StringVar(&id.Entity, "entity", "", "build: reason or entity")
	f.StringVar(&id.UseCase, "use-case", "PKE", "build: use case")
	f.StringVar(&id.Component, "component", "ACS", "build: MPI or ACS")
	f.StringVar(&id.Owner, "owner", "", "build: entity that owns the certificate")
	f.IntVar(&id.Bits, "bits", 4096, "build: RSA size")
	f.BoolVar(&asJSON, "json", false, "write JSON")
	c.RunE = func(c *cobra.Command, args []string) error {
		var err error
		if len(args) == 0 {
			id.Environment = env
			id, err = cert.NewKeyID(id)
		} else {
			var keyID string
			if keyID, err = pasted.Word(args[0]); err == nil {
				id, err = cert.ParseKeyID(keyID)
			}
		}
		if err != nil {
			return refused(err)
		}
		if file != "" {
			read, err := readCertificate(c, file)
			if err != nil {
				return err
			}
			if err := id.Check(read.PublicKey, cmp.Or(env, id.Environment)); err != nil {
				return refused(err)
			}
		} else if env != "" && env != id.Environment {
			return refused(fmt.Errorf("key ID %s is for %s, not for %s", id, id.Environment, env))
		}
		if asJSON {
			return writeJSON(c.OutOrStdout(), partsOf(id))
		}
		_, err = fmt.Fprintf(c.OutOrStdout(), "%s\n"+
			"  reason/entity  %s\n  use case       %s\n  component      %s\n  owner          %s\n"+
			"  key            %d bits, %s\n  environment    %s\n",
			id, id.Entity, id.UseCase, id.Component, id.Owner, id.Bits, id.Hash, id.Environment)
		return err
	}
	return c
}

// keyIDParts are what key id --json writes.
type keyIDParts struct {
	KeyID       string `json:"key_id"`
	Entity      string `json:"entity"`
	UseCase     string `json:"use_case"`
	Component   string `json:"component"`
	Owner       string `json:"owner"`
	Bits        int    `json:"bits"`
	Hash        string `json:"hash"`
	Environment string `json:"environment"`
}

func partsOf(id cert.KeyID) keyIDParts {
	return keyIDParts{id.String(), id.Entity, id.UseCase, id.Component, id.Owner, id.Bits, id.Hash, id.Environment}
}
