package main

import (
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/collegium/collegium/graph"
)

type schemaCmd struct{}

// Run prints the schema.
func (*schemaCmd) Run(s streams) error {
	_, err := fmt.Fprint(s.out, graph.SDL())
	return err
}

type versionCmd struct{}

// Run prints the version.
func (*versionCmd) Run(s streams) error {
	_, err := fmt.Fprintf(s.out, "collegium %s (%s, %s/%s)\n", version(), runtime.Version(), runtime.GOOS, runtime.GOARCH)
	return err
}

// version returns the version of the module, as the Go tool recorded it, and the
// commit it was built from.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	v := info.Main.Version
	if v == "" || v == "(devel)" {
		v = "development"
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" && len(s.Value) >= 12 {
			v += " " + s.Value[:12]
		}
	}
	return v
}
