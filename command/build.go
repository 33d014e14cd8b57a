package command

import (
	"runtime/debug"
	"strings"
)

const module = "github.com/sealane/sealane"

// build describes how the program was built, as the go command recorded it.
type build struct {
	Version string `json:"version"`           // Sealane's
	Program string `json:"program,omitempty"` // the main package's module and its version, if it isn't Sealane
	Commit  string `json:"commit,omitempty"`  // of the program's repository
	Date    string `json:"date,omitempty"`    // of the commit, as RFC 3339
	// Modified reports whether files differed from the commit.
	Modified bool `json:"modified,omitempty"`
}

func thisBuild() build {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		info = &debug.BuildInfo{}
	}
	return newBuild(info)
}

func newBuild(info *debug.BuildInfo) build {
	b := build{Version: info.Main.Version}
	if info.Main.Path != module && info.Main.Path != "" {
		b.Program, b.Version = strings.TrimSpace(info.Main.Path+" "+info.Main.Version), ""
		for _, d := range info.Deps {
			if d.Path == module {
				b.Version = d.Version
			}
		}
	}
	if b.Version == "" {
		b.Version = "(devel)"
	}
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			b.Commit = s.Value
		case "vcs.time":
			b.Date = s.Value
		case "vcs.modified":
			b.Modified = s.Value == "true"
		}
	}
	return b
}

// String returns one line: v1.2.0, commit 0123…, 2026-11-30T09:00:00Z.
func (b build) String() string {
	s := b.Version
	if b.Program != "" {
		s += " in " + b.Program
	}
	if b.Commit == "" {
		return s + ", commit not recorded"
	}
	s += ", commit " + b.Commit
	if b.Modified {
		s += " (modified)"
	}
	if b.Date != "" {
		s += ", " + b.Date
	}
	return s
}
