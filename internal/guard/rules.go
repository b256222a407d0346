package guard

import (
	"strings"

	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/validator/core"
	"github.com/vektah/gqlparser/v2/validator/rules"
)

// MaxErrors is how many errors [Rules] report of one document.
const MaxErrors = 20

// Rules returns the rules to validate one document with; they count errors, so every document needs its own. They
// are the rules of the GraphQL specification as gqlparser has them, with two differences that keep
// validation of a wrong document as cheap as that of a right one:
//
//   - They make no suggestions. "Did you mean" compares a wrong name with all others, at most of
//     the time that validation takes, and tells the schema to those who guess.
//   - After [MaxErrors] errors they are silent. A document of 10 kB can hold thousands.
//
// The limits of this package hold for validation with these rules. In gqlgen, SetDisableSuggestion(true) must go
// with them, else it puts some suggestions back.
func Rules() *rules.Rules {
	reported := 0
	all := rules.NewRules()
	// gqlparser's own rule writes its message before it is asked for, which a document of nothing but
	// unknown fields makes the dearest part of validation.
	all.AddRule(rules.FieldsOnCorrectTypeRuleWithoutSuggestions.Name, func(events *core.Events, report core.AddErrFunc) {
		events.OnField(func(_ *core.Walker, f *ast.Field) {
			if f.ObjectDefinition == nil || f.Definition != nil {
				return
			}
			if reported++; reported <= MaxErrors {
				report(core.Message(`Cannot query field "%s" on type "%s".`, f.Name, f.ObjectDefinition.Name), core.At(f.Position))
			}
		})
	})
	for _, rule := range specified {
		all.AddRule(rule.Name, func(events *core.Events, report core.AddErrFunc) {
			rule.RuleFunc(events, func(options ...core.ErrorOption) {
				if reported++; reported <= MaxErrors {
					report(options...)
				}
			})
		})
	}
	return all
}

// specified are the rules of the specification but for FieldsOnCorrectType, those that can suggest replaced by
// their quiet twins.
var specified = func() []core.Rule {
	twins := map[string]core.Rule{}
	for _, rule := range []core.Rule{
		rules.KnownArgumentNamesRuleWithoutSuggestions,
		rules.KnownTypeNamesRuleWithoutSuggestions,
		rules.ScalarLeafsRuleWithoutSuggestions,
		rules.ValuesOfCorrectTypeRuleWithoutSuggestions,
	} {
		twins[strings.TrimSuffix(rule.Name, "WithoutSuggestions")] = rule
	}
	var all []core.Rule
	for name, f := range rules.NewDefaultRules().GetInner() {
		twin, ok := twins[name]
		switch {
		case ok:
			all = append(all, twin)
		case name != rules.FieldsOnCorrectTypeRule.Name:
			all = append(all, core.Rule{Name: name, RuleFunc: f})
		}
	}
	return all
}()
