package pack

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
)

// The parser needs quadratic time for what nests in flow style or in one line;
// so much of it is not text that people write.
const (
	maxOpenBrackets   = 1_000
	maxMarksInOneLine = 5_000
)

// positions says where the things of a pack were read, by pointers to them and
// to their fields.
type positions map[any]pos

// of returns where a thing was read: the first of those given that is known.
func (ps positions) of(things ...any) pos {
	for _, t := range things {
		if p, ok := ps[t]; ok {
			return p
		}
	}
	return pos{}
}

// decoder reads YAML into structs. It reports everything that it does not
// understand and goes on.
//
// A field is known by its tag, `yaml:"name,option"`. The option required says
// that it must be given, default=x what it is if it is not. A string field is a
// scalar; a slice, a map with string keys, a struct, an int, a bool and pointers
// to those are read too. Fields of an embedded struct belong to the outer one.
type decoder struct {
	problems *problems
	at       positions
	file     string
	// skipped is how many lines of the file are before the YAML.
	skipped int
}

func (d *decoder) pos(n ast.Node) pos {
	line := 1
	if tk := n.GetToken(); tk != nil && tk.Position != nil {
		line = tk.Position.Line
	}
	return pos{file: d.file, line: d.skipped + line}
}

// decode reads src, a mapping, into a struct. It returns false if src is not
// YAML, after reporting it.
func (d *decoder) decode(src []byte, into any) bool {
	start := pos{file: d.file, line: d.skipped + 1}
	if line, bad := tooDeep(src); bad {
		d.problems.add(pos{file: d.file, line: d.skipped + line}, "nests too deeply for YAML that people write")
		return false
	}
	file, err := parser.ParseBytes(src, 0, parser.AllowDuplicateMapKey())
	if err != nil {
		message := err.Error()
		var syntax *yaml.SyntaxError
		if errors.As(err, &syntax) {
			message = syntax.Message
			if syntax.Token != nil && syntax.Token.Position != nil {
				start.line = d.skipped + syntax.Token.Position.Line
			}
		}
		d.problems.add(start, "this is not YAML: %s", message)
		return false
	}
	var body ast.Node
	for _, doc := range file.Docs {
		if doc.Body == nil || doc.Body.Type() == ast.CommentType {
			continue
		}
		if body != nil {
			d.problems.add(d.pos(doc.Body), "a second YAML document begins here; a file holds one")
			return false
		}
		body = doc.Body
	}
	v := reflect.ValueOf(into).Elem()
	d.at[into] = start
	if body == nil {
		d.finish(v, start, nil)
		return true
	}
	d.structure(body, v, "")
	return true
}

// tooDeep looks for YAML that would keep the parser busy for minutes, and
// returns its line.
func tooDeep(src []byte) (line int, bad bool) {
	open, line := 0, 0
	for text := range bytes.Lines(src) {
		line++
		marks := 0
		for i, c := range text {
			switch c {
			case '[', '{':
				open++
			case ']', '}':
				open = max(0, open-1)
			case '-', ':', '?':
				if i+1 < len(text) && (text[i+1] == ' ' || text[i+1] == '\t') {
					marks++
				}
			case '&', '*', '!':
				marks++
			}
			if open > maxOpenBrackets || marks > maxMarksInOneLine {
				return line, true
			}
		}
	}
	return 0, false
}

// yamlField is a field of a struct that YAML can give.
type yamlField struct {
	name      string
	required  bool
	byDefault string
	value     reflect.Value
}

// fieldsOf returns the fields of a struct that have a tag, in order.
func fieldsOf(v reflect.Value) []yamlField {
	var fields []yamlField
	for i := range v.NumField() {
		f := v.Type().Field(i)
		if f.Anonymous {
			fields = append(fields, fieldsOf(v.Field(i))...)
			continue
		}
		name, options, _ := strings.Cut(f.Tag.Get("yaml"), ",")
		if name == "" || name == "-" {
			continue
		}
		byDefault, _ := strings.CutPrefix(options, "default=")
		required := options == "required"
		if required {
			byDefault = ""
		}
		fields = append(fields, yamlField{name: name, required: required, byDefault: byDefault, value: v.Field(i)})
	}
	return fields
}

func (d *decoder) structure(n ast.Node, v reflect.Value, name string) {
	entries, ok := d.mapping(n, name)
	if !ok {
		return
	}
	fields := fieldsOf(v)
	given := map[string]bool{}
	for _, e := range entries {
		name, at := e.Key.GetToken().Value, d.pos(e.Key)
		i := 0
		for i < len(fields) && fields[i].name != name {
			i++
		}
		switch {
		case i == len(fields):
			known := make([]string, len(fields))
			for i, f := range fields {
				known[i] = f.name
			}
			d.problems.add(at, "%.80q is not a key that is known here; known are %s", name, strings.Join(known, ", "))
			continue
		case given[name]:
			d.problems.add(at, "%s: stands here a second time; write it once", name)
			continue
		}
		given[name] = true
		d.at[fields[i].value.Addr().Interface()] = at
		d.value(e.Value, at, fields[i].value, name)
	}
	d.finish(v, d.pos(n), given)
}

// finish sets defaults, and reports what is missing.
func (d *decoder) finish(v reflect.Value, at pos, given map[string]bool) {
	for _, f := range fieldsOf(v) {
		switch {
		case given[f.name]:
		case f.required:
			d.problems.add(at, "%s: is missing", f.name)
		default:
			setDefaults(f)
		}
	}
}

// setDefaults gives a field that was not given its default, and those of a
// struct theirs.
func setDefaults(f yamlField) {
	switch {
	case f.byDefault != "" && f.value.Kind() == reflect.String:
		f.value.SetString(f.byDefault)
	case f.byDefault != "":
		n, err := strconv.ParseInt(f.byDefault, 10, 64)
		if err != nil {
			panic("pack: default of " + f.name + ": " + err.Error())
		}
		f.value.SetInt(n)
	case f.value.Kind() == reflect.Struct:
		for _, inner := range fieldsOf(f.value) {
			setDefaults(inner)
		}
	}
}

// mapping returns the pairs of a mapping, or reports that it is none.
func (d *decoder) mapping(n ast.Node, name string) ([]*ast.MappingValueNode, bool) {
	var entries []*ast.MappingValueNode
	switch n := n.(type) {
	case *ast.MappingNode:
		entries = n.Values
	case *ast.MappingValueNode:
		entries = []*ast.MappingValueNode{n}
	default:
		d.wrong(n, d.pos(n), name, "keys with values")
		return nil, false
	}
	// Without the keys that are none, so that the others are judged.
	entries = slices.DeleteFunc(slices.Clone(entries), func(e *ast.MappingValueNode) bool {
		switch e.Key.(type) {
		case *ast.StringNode, *ast.IntegerNode, *ast.BoolNode, *ast.NullNode, *ast.FloatNode:
			return false
		}
		d.problems.add(d.pos(e.Key), "a key is a word without an anchor, a tag or a merge sign")
		return true
	})
	return entries, true
}

// wrong reports that a node is not what was expected.
func (d *decoder) wrong(n ast.Node, at pos, name, expected string) {
	is := ""
	switch n.(type) {
	case *ast.AnchorNode, *ast.AliasNode, *ast.TagNode:
		is = "is an anchor, an alias or a tag, which are not read"
	case *ast.NullNode:
		is = "has no value"
	case *ast.SequenceNode:
		is = "is a list"
	case *ast.MappingNode, *ast.MappingValueNode:
		is = "has keys below it"
	default:
		is = "is a text"
	}
	if name != "" {
		is = name + ": " + is
	}
	d.problems.add(at, "%s; write %s", is, expected)
}

func (d *decoder) value(n ast.Node, at pos, v reflect.Value, name string) {
	if s, ok := v.Addr().Interface().(scalar); ok {
		text, ok := d.text(n, at, name)
		if !ok {
			return
		}
		if problem := s.parse(text); problem != "" {
			d.problems.add(at, "%s: %s", name, problem)
		}
		return
	}
	switch v.Kind() {
	case reflect.Pointer:
		p := reflect.New(v.Type().Elem())
		v.Set(p)
		d.at[p.Interface()] = at
		d.value(n, at, p.Elem(), name)
	case reflect.Struct:
		d.structure(n, v, name)
	case reflect.Int:
		d.integer(n, at, v, name)
	case reflect.Bool:
		if b, ok := n.(*ast.BoolNode); ok {
			v.SetBool(b.Value)
			return
		}
		d.wrong(n, at, name, "true or false")
	case reflect.Slice:
		d.sequence(n, at, v, name)
	case reflect.Map:
		d.dictionary(n, v, name)
	default:
		panic(fmt.Sprintf("pack: field %s has a type that YAML is not read into: %s", name, v.Type()))
	}
}

// text returns the text of a scalar, whatever YAML takes it for.
func (d *decoder) text(n ast.Node, at pos, name string) (string, bool) {
	var s string
	switch n := n.(type) {
	case *ast.StringNode:
		s = n.Value
	case *ast.LiteralNode:
		s = n.Value.Value
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode, *ast.InfinityNode, *ast.NanNode:
		s = n.GetToken().Value
	case *ast.NullNode:
		d.problems.add(at, "%s: has no value; write one or leave the key out", name)
		return "", false
	default:
		d.wrong(n, at, name, "a text")
		return "", false
	}
	if problem := unprintable(s); problem != "" {
		d.problems.add(at, "%s: %s", name, problem)
		return "", false
	}
	return s, true
}

// unprintable says what is wrong with a text that is to be stored and shown.
func unprintable(s string) string {
	if !utf8.ValidString(s) {
		return "is not valid UTF-8"
	}
	for _, r := range s {
		if r != '\n' && r != '\t' && r != '\r' && unicode.IsControl(r) {
			return fmt.Sprintf("holds the control character %U; remove it", r)
		}
	}
	return ""
}

func (d *decoder) integer(n ast.Node, at pos, v reflect.Value, name string) {
	if i, ok := n.(*ast.IntegerNode); ok {
		// Only decimal digits: 0644 and 1_000 mean different things to different readers.
		number, err := strconv.ParseInt(i.GetToken().Value, 10, 64)
		if err == nil && number >= 0 && number <= math.MaxInt32 && strconv.FormatInt(number, 10) == i.GetToken().Value {
			v.SetInt(number)
			return
		}
	}
	const expected = "a whole number from 0 to 2147483647"
	if text := n.GetToken().Value; n.Type() == ast.IntegerType || n.Type() == ast.FloatType {
		d.problems.add(at, "%s: is %.40s; write %s", name, text, expected)
		return
	}
	d.wrong(n, at, name, expected)
}

func (d *decoder) sequence(n ast.Node, at pos, v reflect.Value, name string) {
	list, ok := n.(*ast.SequenceNode)
	if !ok {
		d.wrong(n, at, name, "a list")
		return
	}
	// Made at its full length, so that pointers into it stay good.
	v.Set(reflect.MakeSlice(v.Type(), len(list.Values), len(list.Values)))
	for i, item := range list.Values {
		at := d.pos(item)
		d.at[v.Index(i).Addr().Interface()] = at
		d.value(item, at, v.Index(i), name)
	}
	if len(list.Values) == 0 {
		v.SetZero()
	}
}

func (d *decoder) dictionary(n ast.Node, v reflect.Value, name string) {
	entries, ok := d.mapping(n, name)
	if !ok {
		return
	}
	v.Set(reflect.MakeMapWithSize(v.Type(), len(entries)))
	for _, e := range entries {
		key := reflect.ValueOf(e.Key.GetToken().Value)
		if v.MapIndex(key).IsValid() {
			d.problems.add(d.pos(e.Key), "%s: stands here a second time; write it once", key.String())
			continue
		}
		value := reflect.New(v.Type().Elem())
		d.value(e.Value, d.pos(e.Key), value.Elem(), key.String())
		v.SetMapIndex(key, value.Elem())
	}
	if v.Len() == 0 {
		v.SetZero()
	}
}
