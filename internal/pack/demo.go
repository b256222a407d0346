package pack

import (
	"embed"
	"io/fs"
)

//go:embed all:demo
var demo embed.FS

// Demo returns the content pack of the demonstration body.
func Demo() fs.FS {
	sub, err := fs.Sub(demo, "demo")
	if err != nil {
		panic("pack: " + err.Error()) // the name is a constant
	}
	return sub
}
