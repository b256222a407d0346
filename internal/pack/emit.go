package pack

import (
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"unicode"
)

// emitter writes structs as YAML that decoder reads back to the same. What is
// empty or the default is left out.
type emitter struct {
	strings.Builder
}

// yamlOf returns a struct as YAML, "" if all of it is left out.
func yamlOf(v any) string {
	var e emitter
	e.structure(reflect.Indirect(reflect.ValueOf(v)), 0, false)
	return e.String()
}

// left says that a field has the value it has without being written.
func left(f yamlField) bool {
	v := f.value
	switch {
	case v.Kind() == reflect.Struct:
		return !slices.ContainsFunc(fieldsOf(v), func(f yamlField) bool { return !left(f) })
	case v.Kind() == reflect.String && f.byDefault != "":
		return v.String() == f.byDefault
	case v.Kind() == reflect.Int && f.byDefault != "":
		return fmt.Sprint(v.Int()) == f.byDefault
	case v.Kind() == reflect.Int && f.required:
		return false
	case v.Kind() == reflect.Slice, v.Kind() == reflect.Map:
		return v.Len() == 0 && !f.required
	}
	return v.IsZero()
}

// structure writes the fields of a struct. With begun, the first one goes on in
// the line that is open.
func (e *emitter) structure(v reflect.Value, indent int, begun bool) {
	for _, f := range fieldsOf(v) {
		if left(f) {
			continue
		}
		if !begun {
			e.indent(indent)
		}
		begun = false
		e.WriteString(f.name)
		e.WriteByte(':')
		e.value(f.value, indent)
	}
}

func (e *emitter) indent(n int) {
	for range n {
		e.WriteByte(' ')
	}
}

// value writes what stands behind a colon, to the end of the line or over more.
func (e *emitter) value(v reflect.Value, indent int) {
	switch v.Kind() {
	case reflect.Pointer:
		e.value(v.Elem(), indent)
	case reflect.String:
		e.WriteByte(' ')
		e.text(v.String(), indent+2)
		e.WriteByte('\n')
	case reflect.Int:
		fmt.Fprintf(e, " %d\n", v.Int())
	case reflect.Bool:
		fmt.Fprintf(e, " %t\n", v.Bool())
	case reflect.Struct:
		e.WriteByte('\n')
		e.structure(v, indent+2, false)
	case reflect.Map:
		e.WriteByte('\n')
		keys := make([]string, 0, v.Len())
		for _, k := range v.MapKeys() {
			keys = append(keys, k.String())
		}
		slices.Sort(keys)
		for _, k := range keys {
			e.indent(indent + 2)
			e.text(k, 0)
			e.WriteByte(':')
			e.value(v.MapIndex(reflect.ValueOf(k)), indent+2)
		}
	case reflect.Slice:
		if v.Len() == 0 {
			e.WriteString(" []\n")
			return
		}
		e.WriteByte('\n')
		for i := range v.Len() {
			e.indent(indent + 2)
			e.WriteByte('-')
			item := reflect.Indirect(v.Index(i))
			if item.Kind() == reflect.Struct {
				e.WriteByte(' ')
				e.structure(item, indent+4, true)
				continue
			}
			e.value(item, indent+2)
		}
	default:
		panic(fmt.Sprintf("pack: a %s cannot be written as YAML", v.Type()))
	}
}

var (
	// plainForm is what no reader of YAML takes for anything but a text.
	plainForm = regexp.MustCompile(`^[\pL/(][\pL\pN\pM \-–—’‘“”/().,;…+@&_=%:!?'"]*$`)
	// otherForm is what some readers take for a truth value, nothing, or a number.
	otherForm = regexp.MustCompile(`^(?i:true|false|yes|no|on|off|y|n|null|nan|inf)$`)
)

// text writes a text: as it is where that is safe, in lines of its own where it
// has several, else in double quotes.
func (e *emitter) text(s string, indent int) {
	switch {
	case plainForm.MatchString(s) && !otherForm.MatchString(s) && !strings.Contains(s, ": ") &&
		!strings.HasSuffix(s, " ") && !strings.HasSuffix(s, ":"):
		e.WriteString(s)
	case dateForm.MatchString(s):
		e.WriteString(s)
	case indent > 0 && literal(s):
		e.WriteString("|-")
		for line := range strings.SplitSeq(s, "\n") {
			e.WriteByte('\n')
			if line != "" {
				e.indent(indent)
				e.WriteString(line)
			}
		}
	default:
		e.quoted(s)
	}
}

// dateForm is a date or moment, which decoder takes as the text it is.
var dateForm = regexp.MustCompile(`^\d{4}-\d\d-\d\d(T\d\d:\d\d:\d\d(\.\d+)?Z)?$`)

// literal says that s can stand in lines of its own.
func literal(s string) bool {
	if !strings.Contains(s, "\n") || strings.HasPrefix(s, " ") || strings.HasPrefix(s, "\n") || strings.HasSuffix(s, "\n") {
		return false
	}
	for line := range strings.SplitSeq(s, "\n") {
		if strings.TrimRightFunc(line, unicode.IsSpace) != line || strings.ContainsFunc(line, func(r rune) bool { return !unicode.IsPrint(r) && r != '\u00a0' }) {
			return false
		}
	}
	return true
}

func (e *emitter) quoted(s string) {
	e.WriteByte('"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			e.WriteByte('\\')
			e.WriteRune(r)
		case r == '\n':
			e.WriteString(`\n`)
		case r == '\t':
			e.WriteString(`\t`)
		case unicode.IsPrint(r):
			e.WriteRune(r)
		case r > 0xFFFF:
			fmt.Fprintf(e, `\U%08X`, r)
		default:
			fmt.Fprintf(e, `\u%04X`, r)
		}
	}
	e.WriteByte('"')
}
