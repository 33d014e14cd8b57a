package inspect

import (
	"bytes"
	"slices"

	"github.com/sealane/sealane/internal/strictjson"
)

// foreignAlg returns the algorithm of a JWS alone, if none of the profiles signs with it, or "".
func (x *examiner) foreignAlg(text []byte) string {
	head, _, _ := bytes.Cut(text, []byte{'.'})
	data, _ := decode(head)
	for _, m := range readMembers(data) {
		alg, ok := strictjson.String(m.Value)
		if m.Name != "alg" || !ok {
			continue
		}
		for _, s := range x.legs() {
			if s.leg.Sign != nil && slices.Contains(s.leg.Sign.Alg.Open, alg) {
				return ""
			}
		}
		return alg
	}
	return ""
}
