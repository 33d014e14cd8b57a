package inspect

import (
	"bytes"
	"strings"

	"github.com/sealane/sealane/internal/strictjson"
)

// foreignAlg returns the algorithm of a JWS alone if it is none of RSA, with which all messages are
// signed, or "".
func foreignAlg(text []byte) string {
	head, _, _ := bytes.Cut(text, []byte{'.'})
	data, _ := decode(head)
	for _, m := range readMembers(data) {
		name, ok := strictjson.String(m.Value)
		if m.Name == "alg" && ok && !strings.HasPrefix(name, "RS") && !strings.HasPrefix(name, "PS") {
			return name
		}
	}
	return ""
}
