package tablegen

import (
	"fmt"
	"go/types"
	"slices"

	"github.com/99designs/gqlgen/codegen/config"
	"github.com/99designs/gqlgen/codegen/templates"
	"github.com/vektah/gqlparser/v2/ast"
)

// shape returns the variable that holds the shape of ref, and declares it if it is new. It follows
// gqlgen's template for marshalling (codegen/type.gotpl) case by case.
func (t *table) shape(ref *config.TypeReference) (string, error) {
	key := ref.GQL.String() + " " + types.TypeString(ref.GO, nil)
	if name, ok := t.shapeOf[key]; ok {
		return name, nil
	}
	expr, err := t.shapeExpr(ref)
	if err != nil {
		return "", err
	}
	name := fmt.Sprintf("s%d", len(t.Shapes))
	t.shapeOf[key] = name
	t.Shapes = append(t.Shapes, shape{name, expr})
	return name, nil
}

func (t *table) shapeExpr(ref *config.TypeReference) (string, error) {
	nonNull := ref.GQL.NonNull
	switch {
	case ref.IsPtrToSlice() || ref.IsPtrToIntf() || ref.IsPtrToPtr() && ref.Marshaler == nil && !ref.IsMarshaler:
		elem, err := t.shape(ref.Elem())
		return fmt.Sprintf("exec.Indirect(%s)", elem), err

	case ref.IsSlice():
		elem := ref.Elem()
		if t.isValue(elem) {
			s, err := t.shape(pointerTo(elem))
			return fmt.Sprintf("exec.Values(%s, %t)", s, nonNull), err
		}
		s, err := t.shape(elem)
		return fmt.Sprintf("exec.List(%s, %t, %t)", s, nonNull, ref.IsScalar()), err

	case ref.Definition.IsLeafType():
		code, custom, err := t.leaf(ref)
		if err != nil {
			return "", err
		}
		if code == "" {
			return t.contextLeaf(ref), nil
		}
		return fmt.Sprintf("exec.Scalar(%t, %t, func(dst []byte, v %s) []byte {\n%s\n})",
			nonNull, custom, goType(ref.GO), code), nil

	case t.isValue(ref):
		s, err := t.shape(pointerTo(ref))
		return fmt.Sprintf("exec.Value(%s)", s), err

	case ref.Definition.Kind == ast.Object:
		p, ok := ref.GO.(*types.Pointer)
		if !ok {
			return "", fmt.Errorf("the Go type %s isn't a struct or a pointer to one", ref.GO)
		}
		return fmt.Sprintf("exec.Pointer[%s](%s, %t)", goType(p.Elem()), typeVar(ref.Definition.Name), nonNull), nil
	}
	return t.interfaceExpr(ref)
}

// interfaceExpr is the shape of an interface or a union: a type switch, as in
// codegen/interface.gotpl.
func (t *table) interfaceExpr(ref *config.TypeReference) (string, error) {
	def, ok := t.data.Interfaces[ref.Definition.Name]
	if !ok {
		return "", fmt.Errorf("%s isn't an interface or a union", ref.Definition.Name)
	}
	code := fmt.Sprintf("exec.Interface(%q, %t, func(v %s) (*exec.Type, any) {\nswitch v := v.(type) {\n",
		def.Name, ref.GQL.NonNull, goType(ref.GO))
	for _, impl := range def.Implementors {
		if impl.Kind != ast.Object {
			continue // the object types of an interface are listed beside it
		}
		code += fmt.Sprintf("case %s:\n", goType(impl.Type))
		if impl.CanBeNil() {
			code += "if v == nil {\nreturn nil, nil\n}\n"
		}
		obj := "v"
		if impl.TakeRef {
			obj = "&v"
		}
		code += fmt.Sprintf("return %s, %s\n", typeVar(impl.Name), obj)
	}
	return code + "}\nreturn nil, v\n})", nil
}

// builtin are the marshal functions of package graphql that package exec has a twin of.
var builtin = map[string]string{
	"MarshalString": "AppendString", "MarshalID": "AppendString", "MarshalBoolean": "AppendBool",
	"MarshalInt": "AppendInt", "MarshalInt8": "AppendInt", "MarshalInt16": "AppendInt", "MarshalInt32": "AppendInt",
	"MarshalInt64": "AppendInt", "MarshalUint": "AppendUint", "MarshalUint8": "AppendUint", "MarshalUint16": "AppendUint",
	"MarshalUint32": "AppendUint", "MarshalUint64": "AppendUint", "MarshalIntID": "AppendIntID",
	"MarshalFloat": "AppendFloat", "MarshalTime": "AppendTime", "MarshalDate": "AppendDate", "MarshalUUID": "AppendUUID",
}

const graphqlPath = "github.com/99designs/gqlgen/graphql"

// leaf returns the body of a function that appends v, a scalar or enum of the type ref, to dst, and
// whether it calls code that isn't package exec's. It returns nothing for a scalar that is marshalled with a context.
//
// A marshal function MarshalX of a scalar has a fast twin if its package has a function AppendX(dst
// []byte, v T) []byte as well, and a type with MarshalGQL if it has a method AppendGQL(dst []byte)
// []byte. Where it would write null, the twin appends nothing.
func (t *table) leaf(ref *config.TypeReference) (code string, custom bool, err error) {
	if ref.IsContext {
		return "", true, nil
	}
	if ref.IsNilable() {
		code = "if v == nil {\nreturn dst\n}\n"
	}
	if ref.IsMarshaler {
		if has(ref.GO, "AppendGQL") {
			return code + "return v.AppendGQL(dst)", true, nil
		}
		return code + "return exec.AppendMarshaler(dst, v)", true, nil
	}
	if ref.Marshaler == nil {
		return "", false, fmt.Errorf("the Go type %s of %s has no marshal function", ref.GO, ref.Definition.Name)
	}
	v := t.leafValue(ref)
	pkg, name := ref.Marshaler.Pkg(), ref.Marshaler.Name()
	if twin, ok := builtin[name]; ok && pkg.Path() == graphqlPath {
		return code + fmt.Sprintf("return exec.%s(dst, %s)", twin, v), false, nil
	}
	lookup := templates.CurrentImports.Lookup(pkg.Path())
	if lookup != "" {
		lookup += "."
	}
	if twin := "Append" + name[len("Marshal"):]; pkg.Scope().Lookup(twin) != nil {
		return code + fmt.Sprintf("return %s%s(dst, %s)", lookup, twin, v), !slices.Contains(t.plugin.Plain, pkg.Path()), nil
	}
	return code + fmt.Sprintf("return exec.AppendMarshaler(dst, %s%s(%s))", lookup, name, v), true, nil
}

// leafValue is the argument of the marshal function, as in codegen/type.gotpl.
func (t *table) leafValue(ref *config.TypeReference) string {
	v := "v"
	switch {
	case ref.IsTargetNilable() && !ref.IsNilable():
		v = "&v"
	case !ref.IsTargetNilable() && ref.IsNilable():
		v = "*v"
	}
	switch {
	case ref.HasEnumValues():
		v = fmt.Sprintf("%s[%s]", ref.EnumMarshalVar(t.data.Config.UseFunctionSyntaxForExecutionContext), v)
	case ref.CastType != nil:
		v = fmt.Sprintf("%s(%s)", goType(ref.CastType), v)
	}
	return v
}

// contextLeaf is the shape of a scalar that is marshalled with a context.
func (t *table) contextLeaf(ref *config.TypeReference) string {
	nonNull := ref.GQL.NonNull
	if ref.Marshaler != nil && ref.Marshaler.FullName() == graphqlPath+".MarshalFloatContext" && ref.CastType == nil {
		switch types.TypeString(ref.GO, nil) {
		case "float64":
			return fmt.Sprintf("exec.Float(%t)", nonNull)
		case "*float64":
			return fmt.Sprintf("exec.FloatPointer(%t)", nonNull)
		}
	}
	code := ""
	if ref.IsNilable() {
		code = "if v == nil {\nreturn nil\n}\n"
	}
	value := "v"
	if !ref.IsMarshaler {
		lookup := templates.CurrentImports.Lookup(ref.Marshaler.Pkg().Path())
		if lookup != "" {
			lookup += "."
		}
		value = fmt.Sprintf("%s%s(%s)", lookup, ref.Marshaler.Name(), t.leafValue(ref))
	}
	return fmt.Sprintf("exec.ContextScalar(%t, func(v %s) graphql.ContextMarshaler {\n%sreturn %s\n})",
		nonNull, goType(ref.GO), code, value)
}

func has(t types.Type, method string) bool {
	obj, _, _ := types.LookupFieldOrMethod(t, true, nil, method)
	_, ok := obj.(*types.Func)
	return ok
}
