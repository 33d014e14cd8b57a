package command_test

import "github.com/sealane/sealane/command"

// A program of one's own is this main function, and an import for each package that adds a key
// store.
func ExampleMain() {
	command.Main()
}
