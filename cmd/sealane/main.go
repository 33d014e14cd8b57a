// Command sealane seals and opens messages between companies' APIs, makes and checks
// certificates, explains messages that do not open, manages the registry, and stands in
// for the services at both ends. Package command has all of it.
package main

import "github.com/sealane/sealane/command"

func main() { command.Main() }
