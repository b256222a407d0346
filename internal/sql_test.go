package internal_test

import (
	"fmt"
	"go/ast"
	"go/token"
	"go/types"
	"slices"
	"strings"
	"testing"

	"golang.org/x/tools/go/packages"
)

// sqlArguments are the functions and methods that send SQL, with the place of its text among
// their arguments.
var sqlArguments = map[string]int{
	"All": 2, "One": 2, "Scalar": 2, "Scalars": 2, // of internal/pg
	"Exec": 1, "Query": 1, "QueryRow": 1, "Prepare": 2, "CopyFrom": -1,
	"Queue": 0, // of pgx.Batch
}

// sqlByHand are functions that make or send SQL of what is no constant, with the reason why that
// is none of a request.
var sqlByHand = map[string]string{
	"pg.Query":       passesOn,
	"pg.QueryRow":    passesOn,
	"pg.Exec":        passesOn,
	"pg.query":       passesOn,
	"privacy.export": "the names of tables are those of privacy.Tables, and the columns those of the catalog",
}

const passesOn = "it sends the text that it is given; who gives it is looked at"

// TestSQLIsStatic follows the text of each statement to where it comes from, through variables,
// fields, parameters and functions, and wants constants there: no value of a request can be
// part of a text.
func TestSQLIsStatic(t *testing.T) {
	t.Parallel()
	loaded, err := packages.Load(&packages.Config{
		Mode: packages.NeedName | packages.NeedSyntax | packages.NeedTypes | packages.NeedTypesInfo | packages.NeedImports | packages.NeedDeps,
		Dir:  "..",
	}, "./internal/...", "./graph/...", "./cmd/collegium/...")
	if err != nil {
		t.Fatal(err)
	}
	p := newProgram(loaded)
	statements := 0
	for _, pkg := range loaded {
		if pkg.Name == "pgtest" {
			continue // it is for tests
		}
		for _, file := range pkg.Syntax {
			ast.Inspect(file, func(n ast.Node) bool {
				call, ok := n.(*ast.CallExpr)
				if !ok {
					return true
				}
				at, ok := p.sendsSQL(call)
				if !ok || at >= len(call.Args) {
					return true
				}
				in := p.functionAt(call.Pos())
				if _, byHand := sqlByHand[in]; byHand {
					return true
				}
				statements++
				if why := p.static(call.Args[at]); why != "" {
					t.Errorf("%s: the text of a statement is no constant: %s (in %s)", p.fset.Position(call.Pos()), why, in)
				}
				return true
			})
		}
	}
	if statements < 200 {
		t.Errorf("only %d statements were found", statements)
	}
	for name := range sqlByHand {
		if !p.names[name] {
			t.Errorf("there is no function %s", name)
		}
	}
	t.Logf("%d statements", statements)
}

// program is what is known of all packages.
type program struct {
	fset *token.FileSet
	// values are what is assigned to a variable or a field, anywhere; calls are the calls of
	// a function.
	values map[types.Object][]ast.Expr
	calls  map[types.Object][]*ast.CallExpr
	// indirect are calls of functions that are kept or given.
	indirect  []*ast.CallExpr
	functions map[types.Object]*ast.FuncDecl
	// zero are variables that begin as nothing.
	zero      map[types.Object]bool
	types     []*types.Info
	names     map[string]bool
	packageOf map[string]*types.Package // by file
	// known is what static has found of an object or a body.
	known map[any]string
	// uses is how often something is named.
	uses   map[types.Object]int
	decls  []*ast.FuncDecl
	pkgOf  map[*ast.FuncDecl]string
	params map[types.Object]param
}

type param struct {
	function  types.Object // nil of a literal
	signature *types.Signature
	index     int
}

func newProgram(loaded []*packages.Package) *program {
	p := &program{
		values: map[types.Object][]ast.Expr{}, calls: map[types.Object][]*ast.CallExpr{}, functions: map[types.Object]*ast.FuncDecl{},
		names: map[string]bool{}, pkgOf: map[*ast.FuncDecl]string{}, params: map[types.Object]param{}, zero: map[types.Object]bool{},
		packageOf: map[string]*types.Package{}, known: map[any]string{}, uses: map[types.Object]int{},
	}
	for _, pkg := range loaded {
		p.fset = pkg.Fset
		p.types = append(p.types, pkg.TypesInfo)
	}
	for _, pkg := range loaded {
		info := pkg.TypesInfo
		for _, file := range pkg.Syntax {
			p.packageOf[pkg.Fset.Position(file.Pos()).Filename] = pkg.Types
			ast.Inspect(file, func(n ast.Node) bool {
				switch n := n.(type) {
				case *ast.FuncDecl:
					obj := info.Defs[n.Name]
					p.functions[obj] = n
					p.decls = append(p.decls, n)
					p.pkgOf[n] = pkg.Name
					p.names[pkg.Name+"."+n.Name.Name] = true
					p.signature(info, n.Type, obj.Type().(*types.Signature), obj)
				case *ast.FuncLit:
					p.signature(info, n.Type, info.TypeOf(n).(*types.Signature), nil)
				case *ast.CallExpr:
					if obj := p.callee(n); obj != nil {
						p.calls[obj] = append(p.calls[obj], n)
						if _, ok := obj.(*types.Var); ok {
							p.indirect = append(p.indirect, n)
						}
					}
				case *ast.AssignStmt:
					for i, left := range n.Lhs {
						right := n.Rhs[0]
						if len(n.Rhs) == len(n.Lhs) {
							right = n.Rhs[i]
						}
						if obj := p.object(left); obj != nil {
							p.values[obj] = append(p.values[obj], right)
						}
					}
				case *ast.ValueSpec:
					for i, name := range n.Names {
						p.zero[info.Defs[name]] = true
						if i < len(n.Values) {
							p.values[info.Defs[name]] = append(p.values[info.Defs[name]], n.Values[i])
						}
					}
				case *ast.RangeStmt:
					if n.Value != nil {
						if obj := p.object(n.Value); obj != nil {
							p.values[obj] = append(p.values[obj], n.X)
						}
					}
				case *ast.CompositeLit:
					s, ok := types.Unalias(info.TypeOf(n)).Underlying().(*types.Struct)
					if !ok {
						return true
					}
					for i, e := range n.Elts {
						if kv, ok := e.(*ast.KeyValueExpr); ok {
							if id, ok := kv.Key.(*ast.Ident); ok {
								p.values[info.Uses[id]] = append(p.values[info.Uses[id]], kv.Value)
							}
						} else {
							p.values[s.Field(i)] = append(p.values[s.Field(i)], e)
						}
					}
				}
				return true
			})
		}
	}
	for _, info := range p.types {
		for _, obj := range info.Uses {
			p.uses[p.origin(obj)]++
		}
	}
	// A literal that is given to a function is called as its parameter.
	given := map[types.Object]map[int]types.Object{}
	for obj, of := range p.params {
		if of.function != nil {
			if given[of.function] == nil {
				given[of.function] = map[int]types.Object{}
			}
			given[of.function][of.index] = obj
		}
	}
	for function, calls := range p.calls {
		for _, c := range calls {
			for i, a := range c.Args {
				lit, ok := a.(*ast.FuncLit)
				if !ok || given[function][i] == nil {
					continue
				}
				for _, f := range lit.Type.Params.List {
					for _, name := range f.Names {
						obj := p.object(name)
						of := p.params[obj]
						of.function = given[function][i]
						p.params[obj] = of
					}
				}
			}
		}
	}
	return p
}

// signature notes whose parameters are whose.
func (p *program) signature(info *types.Info, f *ast.FuncType, signature *types.Signature, of types.Object) {
	i := 0
	for _, f := range f.Params.List {
		for _, name := range f.Names {
			p.params[info.Defs[name]] = param{of, signature, i}
			i++
		}
	}
	if f.Results != nil {
		for _, f := range f.Results.List {
			for _, name := range f.Names {
				p.zero[info.Defs[name]] = true
			}
		}
	}
}

func (p *program) lookup(f func(*types.Info) types.Object) types.Object {
	for _, info := range p.types {
		if obj := f(info); obj != nil {
			return obj
		}
	}
	return nil
}

// object returns the variable, field or function that an expression names, nil if it names none.
func (p *program) object(e ast.Expr) types.Object {
	switch e := ast.Unparen(e).(type) {
	case *ast.Ident:
		return p.lookup(func(i *types.Info) types.Object {
			if d := i.Defs[e]; d != nil {
				return d
			}
			return i.Uses[e]
		})
	case *ast.SelectorExpr:
		return p.object(e.Sel)
	case *ast.IndexExpr: // an instance of a generic function, or a place in a list
		return p.object(e.X)
	case *ast.IndexListExpr:
		return p.object(e.X)
	}
	return nil
}

func (p *program) callee(c *ast.CallExpr) types.Object {
	obj := p.object(c.Fun)
	switch obj := obj.(type) {
	case *types.Func:
		return obj.Origin()
	case *types.Var:
		return obj
	}
	return nil
}

// sendsSQL says whether a call sends SQL, and which argument is its text.
func (p *program) sendsSQL(c *ast.CallExpr) (int, bool) {
	obj := p.callee(c)
	if obj == nil || obj.Pkg() == nil {
		return 0, false
	}
	at, ok := sqlArguments[obj.Name()]
	path := obj.Pkg().Path()
	sends := path == module+"internal/pg" || strings.HasPrefix(path, "github.com/jackc/pgx/") || path == "database/sql"
	if !ok || at < 0 || !sends || at >= len(c.Args) {
		return 0, false
	}
	if obj.Name() == "Exec" && strings.HasSuffix(path, "pgconn") || obj.Name() != "Queue" && path != module+"internal/pg" {
		at = 1
	}
	return at, true
}

func (p *program) functionAt(pos token.Pos) string {
	for _, d := range p.decls {
		if d.Pos() <= pos && pos < d.End() {
			return p.pkgOf[d] + "." + d.Name.Name
		}
	}
	return "a declaration"
}

// static returns why an expression is not made of constants only, "" if it is.
func (p *program) static(e ast.Expr) (why string) {
	e = ast.Unparen(e)
	for _, info := range p.types {
		if tv, ok := info.Types[e]; ok && tv.Value != nil {
			return ""
		}
	}
	all := func(exprs []ast.Expr) string {
		for _, e := range exprs {
			if why := p.static(e); why != "" {
				return why
			}
		}
		return ""
	}
	where := func(what string) string { return fmt.Sprintf("%s at %s", what, p.fset.Position(e.Pos())) }
	if s, ok := e.(*ast.SelectorExpr); ok {
		if t, ok := p.typeAndValue(s.X); ok && strings.HasSuffix(t.Type.String(), "reflect.StructField") {
			return "" // what the program calls its own fields
		}
	}
	switch e := e.(type) {
	case *ast.BinaryExpr:
		return all([]ast.Expr{e.X, e.Y})
	case *ast.IndexExpr:
		return p.static(e.X)
	case *ast.SliceExpr:
		return p.static(e.X)
	case *ast.UnaryExpr:
		return p.static(e.X)
	case *ast.StarExpr:
		return p.static(e.X)
	case *ast.KeyValueExpr:
		return p.static(e.Value)
	case *ast.CompositeLit:
		return all(e.Elts)
	case *ast.FuncLit:
		return p.returns(e.Body)
	case *ast.Ident, *ast.SelectorExpr:
		if basic, ok := p.typeOf(e).(*types.Basic); ok && basic.Info()&types.IsNumeric != 0 {
			return ""
		}
		obj := p.object(e)
		if obj == nil {
			return where("something unknown")
		}
		if why, ok := p.known[obj]; ok {
			return why
		}
		p.known[obj] = "" // as far as it depends on itself
		defer func() {
			if why != "" && len(why) < 1500 {
				why = obj.Name() + " < " + why
			}
			p.known[obj] = why
		}()
		if obj.Name() == "nil" {
			return ""
		}
		if d := p.functions[p.origin(obj)]; d != nil {
			return p.returns(d.Body)
		}
		values := p.values[obj]
		if of, ok := p.params[obj]; ok {
			called := slices.Clone(p.calls[of.function])
			// A function that is kept or given: any call of one of its kind can be meant, of
			// the same package if there is one.
			var near, far []*ast.CallExpr
			for _, c := range p.indirect {
				if s, ok := p.typeOf(c.Fun).(*types.Signature); ok && types.Identical(s.Params(), of.signature.Params()) && types.Identical(s.Results(), of.signature.Results()) {
					if p.packageOf[p.fset.Position(c.Pos()).Filename] == obj.Pkg() {
						near = append(near, c)
					} else {
						far = append(far, c)
					}
				}
			}
			if len(called) == 0 || p.functions[of.function] != nil && p.uses[of.function] > len(called) {
				called = append(called, near...)
			}
			if len(called) == 0 {
				called = far
			}
			for _, c := range called {
				if of.index < len(c.Args) {
					values = append(values, c.Args[of.index])
				}
			}
			if len(called) == 0 {
				return where("a parameter of a function that nobody calls: " + obj.Name())
			}
		}
		if len(values) == 0 {
			if v, ok := obj.(*types.Var); ok && v.IsField() {
				return where("a field that is set nowhere here: " + obj.Name())
			}
			if p.zero[obj] {
				return "" // nothing is assigned
			}
			return where(obj.Name())
		}
		return all(values)
	case *ast.CallExpr:
		if basic, ok := p.typeOf(e).(*types.Basic); ok && basic.Info()&types.IsNumeric != 0 {
			return ""
		}
		if tv, ok := p.typeAndValue(e.Fun); ok && tv.IsType() { // a conversion
			return all(e.Args)
		}
		obj := p.object(e.Fun)
		if obj == nil {
			return where("a call of something unknown")
		}
		if d := p.functions[p.origin(obj)]; d != nil {
			return p.returns(d.Body)
		}
		if obj.Pkg() != nil && slices.Contains([]string{"strings", "strconv", "slices"}, obj.Pkg().Path()) || obj.Name() == "append" || obj.Pkg() != nil && obj.Pkg().Path() == "fmt" && obj.Name() == "Sprintf" {
			return all(e.Args)
		}
		if obj.Name() == "make" {
			return ""
		}
		if _, ok := obj.(*types.Var); ok { // a function that is kept or given
			return p.static(e.Fun)
		}
		return where("a call of " + obj.Name())
	}
	return where(fmt.Sprintf("%T", e))
}

func (p *program) origin(obj types.Object) types.Object {
	if f, ok := obj.(*types.Func); ok {
		return f.Origin()
	}
	return obj
}

func (p *program) typeAndValue(e ast.Expr) (types.TypeAndValue, bool) {
	for _, info := range p.types {
		if tv, ok := info.Types[e]; ok {
			return tv, true
		}
	}
	return types.TypeAndValue{}, false
}

func (p *program) typeOf(e ast.Expr) types.Type {
	tv, _ := p.typeAndValue(e)
	if tv.Type == nil {
		return nil
	}
	return tv.Type.Underlying()
}

// returns returns why something of what a body returns first, or of the texts that it returns,
// is no constant.
func (p *program) returns(body *ast.BlockStmt) (why string) {
	if body == nil {
		return "a function without a body"
	}
	if why, ok := p.known[body]; ok {
		return why
	}
	p.known[body] = ""
	defer func() { p.known[body] = why }()
	ast.Inspect(body, func(n ast.Node) bool {
		if _, ok := n.(*ast.FuncLit); ok {
			return false
		}
		if r, ok := n.(*ast.ReturnStmt); ok && why == "" && len(r.Results) > 0 {
			why = p.static(r.Results[0])
		}
		return why == ""
	})
	return why
}
