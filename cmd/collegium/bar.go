package main

import (
	"github.com/schollz/progressbar/v3"
)

// bar is a progress bar on a terminal; elsewhere it is silent.
type bar struct {
	*progressbar.ProgressBar
}

func newBar(s streams, total int, what string) bar {
	if !isTerminal(s.err) {
		return bar{}
	}
	return bar{progressbar.NewOptions(total,
		progressbar.OptionSetWriter(s.err),
		progressbar.OptionSetDescription(what),
		progressbar.OptionShowCount(),
		progressbar.OptionClearOnFinish(),
	)}
}

// set says how much is done.
func (b bar) set(done int) {
	if b.ProgressBar != nil {
		_ = b.Set(done)
	}
}

// finish takes the bar off the terminal.
func (b bar) finish() {
	if b.ProgressBar != nil {
		_ = b.Finish()
	}
}

// describe says what is being done now.
func (b bar) describe(what string) {
	if b.ProgressBar != nil {
		b.Describe(what)
	}
}
