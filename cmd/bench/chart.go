package main

import (
	"fmt"
	"html"
	"math"
	"strings"
)

// The chart's measures, in pixels.
const (
	barHeight  = 14
	groupSpace = 26
	labelWidth = 64
	plotWidth  = 640
	chartTop   = 62
)

// colours are those of the contestants; they differ in lightness too, for people
// who do not tell the hues apart.
var colours = map[string]string{ours: "#0b5d57", cached: "#5fb3a8", gqlgen: "#d99a2b", postgraphile: "#a5527a", sql: "#4a6fa5", bare: "#b9c4c9"}

// chart returns requests a second of every contestant on every question as an
// SVG, on a logarithmic scale.
func (r *result) chart() string {
	var shown []string
	for _, c := range r.Contestants {
		if c != hello {
			shown = append(shown, c)
		}
	}
	var rows []asked
	for _, q := range r.Questions {
		if q.Whole {
			rows = append(rows, q)
		}
	}
	low, high := math.Inf(1), math.Inf(-1)
	for _, m := range r.Measurements {
		if m.Contestant != hello {
			low, high = min(low, m.PerSecond), max(high, m.PerSecond)
		}
	}
	if len(rows) == 0 || math.IsInf(low, 0) || low <= 0 {
		return ""
	}
	// The axis begins at the power of ten below everything, so that every bar has
	// a length.
	from, to := math.Floor(math.Log10(low)), math.Ceil(math.Log10(high*1.01))
	x := func(n float64) float64 {
		return labelWidth + plotWidth*(math.Log10(n)-from)/(to-from)
	}
	bottom := chartTop + len(rows)*(len(shown)*barHeight+groupSpace)
	width := labelWidth + plotWidth + 80

	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="%d" font-family="system-ui, sans-serif" font-size="12" role="img" aria-labelledby="title">`+"\n", width, bottom+30, width)
	b.WriteString(`<title id="title">Requests a second of each contestant on each question, logarithmic scale</title>` + "\n")
	fmt.Fprintf(&b, `<rect width="%d" height="%d" fill="#ffffff"/>`+"\n", width, bottom+30)
	b.WriteString(`<text x="8" y="20" font-size="15" fill="#1a1a1a">Requests a second (logarithmic)</text>` + "\n")
	for i, c := range shown {
		at := labelWidth + i*150
		fmt.Fprintf(&b, `<rect x="%d" y="32" width="12" height="12" fill="%s"/><text x="%d" y="43" fill="#1a1a1a">%s</text>`+"\n", at, colours[c], at+17, html.EscapeString(c))
	}
	for power := from; power <= to; power++ {
		n := math.Pow(10, power)
		fmt.Fprintf(&b, `<line x1="%.1f" y1="%d" x2="%.1f" y2="%d" stroke="#dddddd"/><text x="%.1f" y="%d" text-anchor="middle" fill="#555555">%s</text>`+"\n",
			x(n), chartTop-6, x(n), bottom, x(n), bottom+18, short(n))
	}
	y := chartTop
	for _, q := range rows {
		fmt.Fprintf(&b, `<text x="8" y="%d" font-weight="bold" fill="#1a1a1a">%s</text>`+"\n", y+len(shown)*barHeight/2+4, html.EscapeString(q.Name))
		for _, c := range shown {
			if n := r.of(q.Name, c, perSecond); !math.IsNaN(n) {
				fmt.Fprintf(&b, `<rect x="%d" y="%d" width="%.1f" height="%d" fill="%s"/><text x="%.1f" y="%d" font-size="11" fill="#1a1a1a">%s</text>`+"\n",
					labelWidth, y, x(n)-labelWidth, barHeight-2, colours[c], x(n)+4, y+barHeight-4, short(n))
			}
			y += barHeight
		}
		y += groupSpace
	}
	b.WriteString("</svg>\n")
	return b.String()
}
