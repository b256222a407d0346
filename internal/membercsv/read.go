package membercsv

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/unicode"
	"golang.org/x/text/transform"

	"github.com/collegium/collegium/internal/errs"
)

// The encodings of files. A file that begins with a byte order mark is in the UTF
// that the mark says, whatever else is said.
const (
	UTF8        = "utf-8"
	Windows1252 = "windows-1252"
)

// maxRow is how long one row may be. A quote that is never closed makes the rest of
// the file one row.
const maxRow = 1 << 20

// table reads the rows of a CSV file.
type table struct {
	csv     *csv.Reader
	row     *limited
	columns *columns
	counted *counted
	// line is where the last row that was read began.
	line int
}

// openTable reads the headings.
func openTable(in io.Reader, enc string, delimiter rune, m Mapping) (*table, error) {
	var fallback encoding.Encoding
	switch enc {
	case UTF8, "":
		fallback = encoding.Nop
	case Windows1252:
		fallback = charmap.Windows1252
	default:
		return nil, errs.Invalidf("encoding", "%.40q is not known; there are %s and %s", enc, UTF8, Windows1252)
	}
	t := &table{counted: &counted{in: in}}
	text := bufio.NewReaderSize(transform.NewReader(t.counted, unicode.BOMOverride(fallback.NewDecoder())), 64<<10)
	if delimiter == 0 {
		delimiter = guessDelimiter(text)
	}
	t.row = &limited{in: text}
	t.csv = csv.NewReader(t.row)
	t.csv.Comma = delimiter
	t.csv.FieldsPerRecord = -1
	t.csv.ReuseRecord = true
	t.row.left = maxRow
	headings, err := t.csv.Read()
	switch {
	case err == io.EOF:
		return nil, errs.Invalidf("", "the file is empty; its first line holds the headings of the columns")
	case err != nil:
		return nil, t.fatal(err)
	}
	headings = append([]string(nil), headings...)
	for _, h := range headings {
		if problem := notText(h); problem != "" {
			return nil, errs.Invalidf("", "line 1 %s", problem)
		}
	}
	t.columns, err = match(headings, m)
	return t, err
}

// guessDelimiter returns the character that stands most often between the headings.
func guessDelimiter(in *bufio.Reader) rune {
	start, _ := in.Peek(16 << 10) // what is wrong is told by the reader
	if i := bytes.IndexByte(start, '\n'); i >= 0 {
		start = start[:i]
	}
	best, most := ',', 0
	for _, d := range ",;\t" {
		if n := bytes.Count(start, []byte(string(d))); n > most {
			best, most = d, n
		}
	}
	return best
}

// next returns the next row and its line. The problem says why it cannot be read; an
// error ends the reading, io.EOF at the end of the file.
func (t *table) next() (cells []string, line int, problem string, err error) {
	for {
		t.row.left = maxRow
		cells, err = t.csv.Read()
		var parse *csv.ParseError
		switch {
		case err == nil:
		case errors.As(err, &parse):
			reason := `has a quote where none can stand; a cell with a quote in it is written "with two "" of them"`
			if !errors.Is(parse.Err, csv.ErrBareQuote) && !errors.Is(parse.Err, csv.ErrQuote) {
				return nil, 0, "", t.fatal(err)
			}
			t.line = parse.StartLine
			return nil, t.line, reason, nil
		case err == io.EOF:
			return nil, 0, "", io.EOF
		default:
			return nil, 0, "", t.fatal(err)
		}
		t.line, _ = t.csv.FieldPos(0)
		line = t.line
		if allEmpty(cells) {
			continue // spreadsheets leave such rows at the end
		}
		if n, want := len(cells), len(t.columns.headings); n != want {
			if n > want && allEmpty(cells[want:]) {
				return cells[:want], line, "", nil
			}
			return nil, line, fmt.Sprintf("has %s, and there are %s", count(n, "cell"), count(want, "heading")), nil
		}
		return cells, line, "", nil
	}
}

func allEmpty(cells []string) bool {
	for _, c := range cells {
		if strings.Trim(c, white) != "" {
			return false
		}
	}
	return true
}

func (t *table) fatal(err error) error {
	if errors.Is(err, errLongRow) {
		return errs.Invalidf("", "after line %d a row is longer than 1 MiB; is there a quote that is never closed?", t.line)
	}
	return err
}

// notText says why a cell is no text.
func notText(cell string) string {
	switch {
	case !utf8.ValidString(cell):
		return "is not UTF-8; if the file was saved as Windows-1252 (Excel's plain CSV), say --encoding " + Windows1252
	case strings.IndexByte(cell, 0) >= 0:
		return "has a zero byte; save the file as UTF-8"
	}
	return ""
}

var errLongRow = errors.New("a row is too long")

// limited ends with errLongRow when more is read than is left.
type limited struct {
	in   io.Reader
	left int
}

func (l *limited) Read(p []byte) (int, error) {
	if l.left <= 0 {
		return 0, errLongRow
	}
	n, err := l.in.Read(p[:min(len(p), l.left)])
	l.left -= n
	return n, err
}

// counted counts what was read.
type counted struct {
	in io.Reader
	n  int64
}

func (c *counted) Read(p []byte) (int, error) {
	n, err := c.in.Read(p)
	c.n += int64(n)
	return n, err
}
