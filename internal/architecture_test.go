package internal_test

import (
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/collegium/collegium/"

// features are the packages that know a part of the domain.
var features = []string{"audit", "career", "content", "identity", "member", "membership", "nav", "privacy", "search", "statistics", "therapist", "trusted", "unit"}

// shared are the packages that features stand on.
var shared = []string{"errs", "fresh", "mail", "node", "once", "page", "person", "pg", "reads", "slug", "viewer"}

// TestDependencyRule asserts the one rule of the house: cmd → server, graph →
// features → shared packages. A feature never imports another feature, the graph,
// gqlgen or net/http; only the graph joins features.
func TestDependencyRule(t *testing.T) {
	t.Parallel()
	allowed := []string{}
	for _, name := range shared {
		allowed = append(allowed, module+"internal/"+name)
	}
	allowed = append(allowed, module+"migrations")
	for _, name := range features {
		self := module + "internal/" + name
		for _, dep := range list(t, "-deps", "-f", "{{.ImportPath}}", self) {
			switch {
			case dep == self || slices.Contains(allowed, dep):
			case strings.HasPrefix(dep, module):
				t.Errorf("%s depends on %s; a feature may depend only on %s", self, dep, strings.Join(shared, ", "))
			case strings.Contains(dep, "99designs/gqlgen"), strings.Contains(dep, "vektah/gqlparser"):
				t.Errorf("%s depends on %s; only the graph knows GraphQL", self, dep)
			}
		}
		for _, imported := range list(t, "-f", `{{join .Imports "\n"}}`, self) {
			if imported == "net/http" {
				t.Errorf("%s imports net/http; only the server knows HTTP", self)
			}
		}
	}
}

// TestSharedPackages asserts that the packages features stand on know no feature
// and no GraphQL.
func TestSharedPackages(t *testing.T) {
	t.Parallel()
	for _, name := range shared {
		self := module + "internal/" + name
		for _, dep := range list(t, "-deps", "-f", "{{.ImportPath}}", self) {
			for _, feature := range features {
				if dep == module+"internal/"+feature {
					t.Errorf("%s depends on the feature %s", self, feature)
				}
			}
			if strings.Contains(dep, "99designs/gqlgen") || strings.HasPrefix(dep, module+"graph") {
				t.Errorf("%s depends on %s; only the graph knows GraphQL", self, dep)
			}
		}
	}
}

// TestEveryPackageIsPlaced asserts that a new folder below internal is named
// here, so that the rule is asked of it.
func TestEveryPackageIsPlaced(t *testing.T) {
	t.Parallel()
	edge := []string{"guard", "membercsv", "pack", "server"}
	for _, path := range list(t, "-f", "{{.ImportPath}}", module+"internal/...") {
		name, _, _ := strings.Cut(strings.TrimPrefix(path, module+"internal"), "/internal/")
		name, _, _ = strings.Cut(strings.TrimPrefix(name, "/"), "/")
		if name != "" && !slices.Contains(features, name) && !slices.Contains(shared, name) && !slices.Contains(edge, name) {
			t.Errorf("internal/%s is not placed: add it to features, shared or edge in this test", name)
		}
	}
}

// TestNoFlowAgainstTheRule asserts that the server does not know the graph, and
// that the guard and what reads and writes files know neither.
func TestNoFlowAgainstTheRule(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"server", "guard", "membercsv", "pack"} {
		for _, dep := range list(t, "-deps", "-f", "{{.ImportPath}}", module+"internal/"+name) {
			if strings.HasPrefix(dep, module+"graph") || strings.Contains(dep, "99designs/gqlgen") {
				t.Errorf("internal/%s depends on %s", name, dep)
			}
		}
	}
}

func list(t *testing.T, args ...string) []string {
	t.Helper()
	out, err := exec.Command("go", append([]string{"list"}, args...)...).Output()
	if err != nil {
		t.Fatalf("go list %s: %v", strings.Join(args, " "), err)
	}
	return strings.Fields(string(out))
}
