// Command generate runs gqlgen together with the plugin that writes the table of package
// graph/exec. It is what `go generate ./graph` runs.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"

	"github.com/99designs/gqlgen/api"
	"github.com/99designs/gqlgen/codegen/config"
	"github.com/collegium/collegium/graph/exec/tablegen"
)

func main() {
	file := flag.String("config", "", "gqlgen.yml of the graph; by default the nearest one at or above the current folder")
	flag.Parse()
	if err := run(*file); err != nil {
		fmt.Fprintln(os.Stderr, "generate:", err)
		os.Exit(1)
	}
}

func run(file string) error {
	var cfg *config.Config
	var err error
	if file == "" {
		cfg, err = config.LoadConfigFromDefaultLocations()
	} else {
		if err := os.Chdir(filepath.Dir(file)); err != nil {
			return err
		}
		cfg, err = config.LoadConfig(filepath.Base(file))
	}
	if err != nil {
		return fmt.Errorf("read gqlgen.yml: %w", err)
	}

	// The plugin removes the table of the last run first; after a failure the tree should still build.
	table := filepath.Join(cfg.Exec.Dir(), tablegen.Filename)
	last, readErr := os.ReadFile(table)
	err = api.Generate(cfg, api.AddPlugin(&tablegen.Plugin{Plain: []string{"github.com/collegium/collegium/graph/scalar"}}))
	if _, statErr := os.Stat(table); err != nil && readErr == nil && statErr != nil {
		err = errors.Join(err, os.WriteFile(table, last, 0o644))
	}
	return err
}
