package fault_test

import (
	"fmt"

	"github.com/sealane/sealane/fault"
)

// A code from a log says what is wrong and what to do.
func ExampleCode() {
	c := fault.Code("open.tag")
	fmt.Println(c.Known(), c.Layer())
	fmt.Println(c.Meaning())
	fmt.Println(c.Next())
	// Output:
	// true open
	// The encrypted key decrypts, but the content does not match its tag.
	// The token was changed on its way, or encrypted wrongly.
}
