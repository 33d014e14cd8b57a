package command

import (
	"crypto/rsa"
	"encoding/xml"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/sealane/sealane/internal/newfile"
	"github.com/sealane/sealane/internal/sandbox/conformance"
	"github.com/sealane/sealane/keyring"
	"github.com/sealane/sealane/kms"
)

// conformanceFlags are the flags of commands that can try all faults on a server.
type conformanceFlags struct {
	allFaults, json bool
	junit           string
}

const conformanceHelp = `With --all-faults it sends a message without a fault, then one with each fault that a
message of the profile can have, and then one without a fault again, and judges
each answer:
  ok       as the profile says
  differs  refused, as it must be, with another answer than the profile's
  failed   accepted although it must be refused, refused although it must be
           accepted, no answer, or an error of the server
Messages without a fault are processed: use an environment for tests. The exit code
is 4 if an answer failed.`

func addConformanceFlags(c *cobra.Command) *conformanceFlags {
	f := &conformanceFlags{}
	c.Flags().BoolVar(&f.allFaults, "all-faults", false, "try every fault, and judge the answers")
	c.Flags().BoolVar(&f.json, "json", false, "with --all-faults: write the results as JSON")
	c.Flags().StringVar(&f.junit, "junit", "", "with --all-faults: write the results as JUnit XML to a new file")
	return f
}

// check refuses flags that mean nothing without --all-faults.
func (f *conformanceFlags) check() error {
	if !f.allFaults && (f.json || f.junit != "") {
		return &exit{exitUsage, errors.New("--json and --junit need --all-faults")}
	}
	return nil
}

// run runs the check and writes its results.
func (f *conformanceFlags) run(c *cobra.Command, check *conformance.Check) error {
	if !f.json {
		check.Report = func(r conformance.Result) {
			name := r.Fault
			if name == "" {
				name = "–"
			}
			fmt.Fprintf(c.OutOrStdout(), "%-8s %-28s %s\n", r.Verdict, name, printable(r.Got))
			if r.Verdict != conformance.OK {
				fmt.Fprintf(
					c.OutOrStdout(),
					"         %s\n         want: %s\n",
					printable(r.Meaning),
					printable(r.Want),
				)
			}
		}
	}
	results, err := check.Run(c.Context())
	if f.json {
		if err := writeJSON(c.OutOrStdout(), results); err != nil {
			return err
		}
	}
	if f.junit != "" {
		if err := writeJUnit(f.junit, check.Lane.Profile().Name(), results); err != nil {
			return err
		}
	}
	if err != nil {
		return &exit{exitPartner, err}
	}
	return f.verdict(c, results)
}

// verdict writes how many results there are of each kind, and returns an error if one failed.
func (f *conformanceFlags) verdict(c *cobra.Command, results []conformance.Result) error {
	count := map[conformance.Verdict]int{}
	for _, r := range results {
		count[r.Verdict]++
	}
	sum := fmt.Sprintf("%d ok, %d differ, %d failed", count[conformance.OK], count[conformance.Differs],
		count[conformance.Failed])
	if n := count[conformance.Failed]; n > 0 {
		return &exit{exitPartner, fmt.Errorf("the server does not follow the profile: %s", sum)}
	}
	fmt.Fprintf(c.ErrOrStderr(), "\n%s\n", sum)
	return nil
}

type junitSuite struct {
	XMLName  xml.Name    `xml:"testsuite"`
	Name     string      `xml:"name,attr"`
	Tests    int         `xml:"tests,attr"`
	Failures int         `xml:"failures,attr"`
	Cases    []junitCase `xml:"testcase"`
}

type junitCase struct {
	Class   string        `xml:"classname,attr"`
	Name    string        `xml:"name,attr"`
	Failure *junitFailure `xml:"failure,omitempty"`
	Output  string        `xml:"system-out,omitempty"`
}

type junitFailure struct {
	Message string `xml:"message,attr"`
	Text    string `xml:",chardata"`
}

// writeJUnit writes results in the form that CI systems read. An answer that only differs
// from the profile's is no failure there.
func writeJUnit(file, profileName string, results []conformance.Result) error {
	s := junitSuite{Name: "sealane " + profileName, Tests: len(results)}
	for _, r := range results {
		one := junitCase{Class: "sealane." + profileName, Name: strings.TrimPrefix(r.Fault+": "+r.Meaning, ": ")}
		says := fmt.Sprintf("want: %s\ngot: %s", printable(r.Want), printable(r.Got))
		if r.Verdict == conformance.Failed {
			s.Failures++
			one.Failure = &junitFailure{Message: printable(r.Got), Text: says}
		} else {
			one.Output = says
		}
		s.Cases = append(s.Cases, one)
	}
	data, err := xml.MarshalIndent(s, "", "  ")
	if err != nil {
		return err
	}
	return newfile.Write(file, append([]byte(xml.Header), append(data, '\n')...), 0o644)
}

// signer returns the active private key, which faulty messages are signed with, or nil if
// messages of the profile are not signed. It must be in a file.
func (l *laneFlags) signer(c *cobra.Command, check *conformance.Check) (keyring.Private, error) {
	if !check.Lane.Outbound().Signed() || len(l.keys) == 0 {
		return nil, nil
	}
	opened, err := kms.Open(c.Context(), l.keys[0], kms.Options{Passphrase: askPassphrase(c, l.passphrase)})
	if err != nil {
		return nil, err
	}
	if _, is := opened.Private.(*rsa.PrivateKey); !is {
		return nil, &exit{
			exitUsage,
			fmt.Errorf("--all-faults needs the private key in a file, not %s", kms.Name(l.keys[0])),
		}
	}
	return opened.Private, nil
}
