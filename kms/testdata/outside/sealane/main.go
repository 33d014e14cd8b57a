// Command sealane is Sealane's command line with a key store of one's own.
package main

import (
	_ "example.com/outside/softstore"
	"github.com/sealane/sealane/command"
)

func main() { command.Main() }
