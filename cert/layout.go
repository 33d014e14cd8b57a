package cert

import (
	"bytes"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"iter"
	"slices"
)

// layouts returns the certificate as programs write it to files: as PEM or base64, in lines
// of 64 or 76 characters or in one, with either line ends, and with or without a last one.
func layouts(c *x509.Certificate) iter.Seq2[Form, []byte] {
	text := []byte(base64.StdEncoding.EncodeToString(c.Raw))
	return func(yield func(Form, []byte) bool) {
		for _, width := range []int{64, 76, len(text)} {
			var lines [][]byte
			for line := range slices.Chunk(text, width) {
				lines = append(lines, line)
			}
			form := "base64 without PEM lines"
			for _, list := range [][][]byte{lines, pemLines(lines)} {
				for _, end := range []string{"\n", "\r\n", "\r", ""} {
					whole := bytes.Join(list, []byte(end))
					for _, last := range []string{"", end, end + end} {
						name := Form(fmt.Sprintf("the %s, in lines of %d, with %q between and %q behind them",
							form, width, end, last))
						if !yield(name, append(slices.Clone(whole), last...)) {
							return
						}
					}
				}
				form = "PEM"
			}
		}
	}
}

func pemLines(lines [][]byte) [][]byte {
	return slices.Concat([][]byte{[]byte("-----BEGIN CERTIFICATE-----")}, lines,
		[][]byte{[]byte("-----END CERTIFICATE-----")})
}
