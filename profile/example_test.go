package profile_test

import (
	"fmt"
	"log"

	"github.com/sealane/sealane/profile"
)

// A new dialect starts as a copy of one that is part of the module.
func ExampleParse() {
	source, err := profile.Source("riskos")
	if err != nil {
		log.Fatal(err)
	}
	p, err := profile.Parse(source)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(p.Title)
	for _, e := range p.Endpoints[:2] {
		fmt.Println(e.Method, e.Path)
	}
	fmt.Println(p.Request.Sign.Alg.Seal, p.Request.Encrypt.Alg.Seal, p.Request.Encrypt.Enc.Seal)
	// Output:
	// RiskOS payload encryption
	// POST /api/evaluation
	// POST /api/evaluation/{version}
	// RS256 RSA-OAEP-256 A256GCM
}

// A partner reads the text of its error table, and no more.
func ExampleErrors_Recognize() {
	p, err := profile.Load("riskos")
	if err != nil {
		log.Fatal(err)
	}
	row, _ := p.Errors.Row(profile.Decryption)
	body := p.Errors.Render("7d1f", row.Text) // what the other end answers

	on, id, _, _ := p.Errors.Recognize(row.Status, body)
	fmt.Println(on, id, on == profile.Decryption)
	// Output: decryption failed 7d1f true
}
