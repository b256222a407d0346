package privacy

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/collegium/collegium/internal/errs"
	"github.com/collegium/collegium/internal/pg"
	"github.com/collegium/collegium/internal/viewer"
)

// Export is everything that is held about a person.
type Export struct {
	// JSON is an object with a list of rows for each of Tables.
	JSON string
	// Schema is the JSON Schema (draft 2020-12) of JSON.
	Schema string
}

// OwnData returns everything that is held about the viewer, of one moment.
func (s *Store) OwnData(ctx context.Context, v viewer.Viewer) (_ *Export, err error) {
	defer errs.Wrap(&err, "privacy.OwnData")
	p := Person{}
	if v.Account != uuid.Nil {
		p.AccountID = &v.Account
	}
	if v.MemberID != uuid.Nil {
		p.MemberID = &v.MemberID
	}
	return s.export(ctx, p)
}

// exportSQL asks for all of it at once: what is in it stood there at one time.
var exportSQL = func() string {
	var b strings.Builder
	b.WriteString(`SELECT jsonb_build_object('takenAt', now()`)
	parts := []string{}
	for _, t := range Tables {
		row := `to_jsonb(t) - ARRAY[` + quoted(t.Hidden) + `]::text[]`
		if len(t.Only) > 0 {
			row = `(SELECT jsonb_object_agg(f.key, f.value) FROM jsonb_each(to_jsonb(t)) f WHERE f.key IN (` + quoted(t.Only) + `))`
		}
		for _, name := range slices.Sorted(maps.Keys(t.With)) {
			row += ` || jsonb_build_object('` + name + `', ` + t.With[name] + `)`
		}
		parts = append(parts, fmt.Sprintf(`jsonb_build_object('%s', (SELECT COALESCE(jsonb_agg(%s), '[]') FROM %s t WHERE %s))`,
			t.exported(), row, t.Name, t.Whose))
	}
	// A function takes a hundred arguments at most, so the objects are put together.
	b.WriteString(`) || ` + strings.Join(parts, ` || `))
	return b.String()
}()

// exported is the name of the table in the export.
func (t *Table) exported() string {
	_, name, found := strings.Cut(t.Name, ".")
	if !found {
		return t.Name
	}
	return name
}

func quoted(names []string) string {
	if len(names) == 0 {
		return ``
	}
	return `'` + strings.Join(names, `', '`) + `'`
}

func (s *Store) export(ctx context.Context, p Person) (*Export, error) {
	text, err := pg.Scalar[string](ctx, s.Own, exportSQL, p.args(exportSQL, nil))
	if err != nil {
		return nil, err
	}
	schema, err := s.schema(ctx)
	if err != nil {
		return nil, err
	}
	return &Export{JSON: text, Schema: schema}, nil
}

// args returns the arguments that a statement takes.
func (p Person) args(sql string, more pgx.StrictNamedArgs) pgx.StrictNamedArgs {
	args := pgx.StrictNamedArgs{}
	all := pgx.StrictNamedArgs{"member": p.MemberID, "account": p.AccountID}
	for name, value := range more {
		all[name] = value
	}
	for name, value := range all {
		if strings.Contains(sql, "@"+name) {
			args[name] = value
		}
	}
	return args
}

// schema returns the JSON Schema of an export, made of the columns there are.
func (s *Store) schema(ctx context.Context) (string, error) {
	type column struct {
		Table    string
		Column   string
		Type     string
		Optional bool
	}
	names := make([]string, len(Tables))
	for i, t := range Tables {
		names[i] = t.Name
	}
	columns, err := pg.All[column](ctx, s.Own, `
		SELECT
			n.name AS "table",
			a.attname::text AS "column",
			format_type(a.atttypid, NULL) AS type,
			NOT a.attnotnull AS optional
		FROM unnest(@tables::text[]) AS n (name)
		JOIN pg_attribute a ON a.attrelid = n.name::regclass AND a.attnum > 0 AND NOT a.attisdropped
		ORDER BY n.name, a.attnum`,
		pgx.StrictNamedArgs{"tables": names})
	if err != nil {
		return "", err
	}
	of := pg.GroupBy(columns, func(c *column) string { return c.Table })
	properties := map[string]any{
		"takenAt": map[string]any{"type": "string", "format": "date-time", "description": "when this was put together"},
	}
	required := []string{"takenAt"}
	for _, t := range Tables {
		fields, all := map[string]any{}, []string{}
		for _, c := range of[t.Name] {
			if slices.Contains(t.Hidden, c.Column) || len(t.Only) > 0 && !slices.Contains(t.Only, c.Column) {
				continue
			}
			fields[c.Column] = jsonType(c.Type, c.Optional)
			all = append(all, c.Column)
		}
		for name := range t.With {
			fields[name] = map[string]any{"type": types("string", true)}
			all = append(all, name)
		}
		slices.Sort(all)
		properties[t.exported()] = map[string]any{
			"type": "array", "description": t.About,
			"items": map[string]any{"type": "object", "properties": fields, "required": all, "additionalProperties": false},
		}
		required = append(required, t.exported())
	}
	text, err := json.Marshal(map[string]any{
		"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "Everything that is held about you",
		"type": "object", "properties": properties, "required": required, "additionalProperties": false,
	})
	return string(text), err
}

// jsonType returns the JSON Schema of a column, as to_jsonb writes it.
func jsonType(name string, optional bool) map[string]any {
	if element, isArray := strings.CutSuffix(name, "[]"); isArray {
		return map[string]any{"type": types("array", optional), "items": jsonType(element, true)}
	}
	switch name {
	case "json", "jsonb":
		return map[string]any{}
	case "boolean":
		return map[string]any{"type": types("boolean", optional)}
	case "smallint", "integer", "bigint":
		return map[string]any{"type": types("integer", optional)}
	case "real", "double precision", "numeric":
		return map[string]any{"type": types("number", optional)}
	case "uuid":
		return map[string]any{"type": types("string", optional), "format": "uuid"}
	case "date":
		return map[string]any{"type": types("string", optional), "format": "date"}
	case "timestamp with time zone":
		return map[string]any{"type": types("string", optional), "format": "date-time"}
	}
	return map[string]any{"type": types("string", optional)}
}

func types(name string, optional bool) any {
	if optional {
		return []string{name, "null"}
	}
	return name
}
