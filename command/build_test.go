package command

import (
	"runtime/debug"
	"testing"
)

func TestBuild(t *testing.T) {
	const commit, at = "6d0f2a1c3b", "2026-11-30T09:00:00Z"
	stamped := []debug.BuildSetting{{Key: "-tags", Value: "x"}, {Key: "vcs.revision", Value: commit},
		{Key: "vcs.time", Value: at}, {Key: "vcs.modified", Value: "false"}}
	modified := append(stamped[:3:3], debug.BuildSetting{Key: "vcs.modified", Value: "true"})
	own := debug.Module{Path: "example.com/ours", Version: "v2.0.0"}
	for _, c := range []struct {
		name string
		info debug.BuildInfo
		want string
	}{
		{"release", debug.BuildInfo{Main: debug.Module{Path: module, Version: "v1.2.0"}, Settings: stamped},
			"v1.2.0, commit " + commit + ", " + at},
		{"modified", debug.BuildInfo{Main: debug.Module{Path: module, Version: "(devel)"}, Settings: modified},
			"(devel), commit " + commit + " (modified), " + at},
		{"no repository", debug.BuildInfo{Main: debug.Module{Path: module}}, "(devel), commit not recorded"},
		{"no build information", debug.BuildInfo{}, "(devel), commit not recorded"},
		{"a program of one's own", debug.BuildInfo{Main: own, Settings: stamped,
			Deps: []*debug.Module{{Path: "example.com/other", Version: "v9.0.0"}, {Path: module, Version: "v1.2.0"}}},
			"v1.2.0 in example.com/ours v2.0.0, commit " + commit + ", " + at},
	} {
		if got := newBuild(&c.info).String(); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}
