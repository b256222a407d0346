package membercsv

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"
	"pgregory.net/rapid"

	"github.com/collegium/collegium/internal/errs"
	"github.com/collegium/collegium/internal/pack"
	"github.com/collegium/collegium/internal/pg"
	"github.com/collegium/collegium/internal/pg/pgtest"
)

// organised has the units of the demo body and no members but its people.
func organised(ctx context.Context, db *pgxpool.Pool) error {
	p, err := pack.Read(os.DirFS("../pack/demo"))
	if err != nil {
		return err
	}
	_, err = pack.Import(ctx, db, p, pack.ImportOptions{})
	return err
}

// stored are all members as they are stored, with their memberships.
func stored(t testing.TB, db *pgxpool.Pool) []string {
	t.Helper()
	rows, err := pg.Scalars[string](t.Context(), db, `
		SELECT (to_jsonb(m) - '{updated_at}'::text[] || jsonb_build_object('in', (
			SELECT jsonb_agg(jsonb_build_array(sm.section_id, sm.starts_on, sm.ends_on) ORDER BY sm.section_id, sm.starts_on)
			FROM section_memberships sm
			WHERE sm.member_id = m.id), 'details', (
			SELECT jsonb_agg(to_jsonb(d) - 'updated_at' ORDER BY d.field) FROM member_details d WHERE d.member_id = m.id), 'periods', (
			SELECT jsonb_agg(to_jsonb(p) ORDER BY p.starts_on) FROM membership_periods p WHERE p.member_id = m.id), 'registered', (
			SELECT to_jsonb(g) - 'stated_at' FROM registrations g WHERE g.member_id = m.id)))::text
		FROM members m
		ORDER BY m.key`)
	if err != nil {
		t.Fatal(err)
	}
	return rows
}

func export(t testing.TB, db *pgxpool.Pool) string {
	t.Helper()
	var b strings.Builder
	if _, err := Export(t.Context(), db, &b, ExportOptions{}); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func load(t testing.TB, db *pgxpool.Pool, text string, o Options) *Report {
	t.Helper()
	o.File = "members.csv"
	r, err := Import(t.Context(), db, strings.NewReader(text), o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// TestExportIsTheInverse takes an export into the same database, where it writes
// nothing, and into an empty one, where it makes the same members.
func TestExportIsTheInverse(t *testing.T) {
	t.Parallel()
	db, other := pgtest.NewWith(t, "organised", organised), pgtest.NewWith(t, "organised", organised)
	if _, err := pack.GenerateMembers(t.Context(), db, 500, 3, nil); err != nil {
		t.Fatal(err)
	}
	if err := pack.GenerateRegister(t.Context(), db); err != nil {
		t.Fatal(err)
	}
	// What a spreadsheet or a CSV reader would change.
	odd := []string{
		"=1+1", "'=1+1", "''@x", "+44", "-", "@handle", "'", "''", "'quoted'", `say "so"`, "a,b;c", "two\nlines", "two\r\nlines", "\ttab", " around ", "NULL",
		"", "é\u00a0ŵ", "line\n\nline", "\"", "'\t=1",
	}
	for i, text := range odd {
		if _, err := db.Exec(t.Context(), `UPDATE members SET bio = $1, pronouns = nullif($2, '') WHERE key = $3`,
			text, strings.Map(func(r rune) rune {
				if r < ' ' {
					return -1
				}
				return r
			}, text), fmt.Sprintf("gen-3-%d", i)); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := db.Exec(t.Context(), `UPDATE members SET display_name = '=Sum ' || display_name WHERE key = 'gen-3-40'`); err != nil {
		t.Fatal(err)
	}
	before, text := stored(t, db), export(t, db)
	r := load(t, db, text, Options{})
	if r.written() != 0 || r.Unchanged != len(before) {
		t.Errorf("an import of an export changes something: %s", r)
	}
	if diff := cmp.Diff(before, stored(t, db)); diff != "" {
		t.Errorf("an import of an export (-before +after):\n%s", diff)
	}
	for range 2 {
		load(t, other, text, Options{})
		if diff := cmp.Diff(text, strings.ReplaceAll(export(t, other), "\r\n", "\n")); diff != "" && !onlyWhite(text, export(t, other)) {
			t.Errorf("what an export makes elsewhere (-export +there):\n%s", diff)
		}
	}
	if r := load(t, other, text, Options{}); r.written() != 0 {
		t.Errorf("the second import elsewhere changes something: %s", r)
	}
}

// written is how much an import wrote.
func (r *Report) written() int {
	return r.Created + r.Changed + r.Joined + r.Left + r.Details + r.Periods + r.Registrations
}

// onlyWhite says whether two texts differ in nothing but white space and what an
// export writes before a formula.
func onlyWhite(a, b string) bool {
	fold := func(s string) string {
		return strings.NewReplacer(" ", "", "\r", "", "\n", "", "\t", "", `"`, "", "'", "").Replace(s)
	}
	return fold(a) == fold(b)
}

// TestEscape asserts that no cell begins like a formula, and that every cell comes
// back.
func TestEscape(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		cell := rapid.StringOfN(rapid.SampledFrom([]rune("'=+-@\t\r a1")), 0, 6, -1).Draw(rt, "cell")
		out := escape(cell)
		if out != "" && strings.ContainsRune(formulaStarts, rune(out[0])) {
			rt.Fatalf("%q is written as the formula %q", cell, out)
		}
		if back := unescape(out); back != cell {
			rt.Fatalf("%q is written as %q and read as %q", cell, out, back)
		}
	})
}

// TestForms reads the same two members in every form that a file may have.
func TestForms(t *testing.T) {
	t.Parallel()
	db := pgtest.NewWith(t, "organised", organised)
	const text = "number,name,grade,joined,bio\nB1,Zoë Ågren,STUDENT,2024-05-31,\"a \"\"b\"\"\nc\"\nB2,Jan,retired,1999-01-01,\n"
	utf16 := []byte{0xff, 0xfe}
	for _, r := range text {
		utf16 = append(utf16, byte(r), byte(r>>8))
	}
	latin := []byte{}
	for _, r := range text {
		latin = append(latin, byte(r))
	}
	load(t, db, text, Options{})
	want := stored(t, db)
	for name, tt := range map[string]struct {
		text string
		Options
	}{
		"with a byte order mark": {text: "\ufeff" + text},
		"with CRLF":              {text: strings.ReplaceAll(text, "\n", "\r\n")},
		"without a last line end": {
			text: strings.TrimSuffix(text, "\n"),
		},
		"with semicolons": {text: strings.ReplaceAll(text, ",", ";")},
		"with tabs":       {text: strings.ReplaceAll(text, ",", "\t")},
		"with a delimiter that is named": {
			text: strings.ReplaceAll(text, ",", "|"), Options: Options{Delimiter: '|'},
		},
		"in UTF-16":        {text: string(utf16)},
		"in Windows-1252":  {text: string(latin), Options: Options{Encoding: Windows1252}},
		"in UTF-8, marked": {text: "\ufeff" + text, Options: Options{Encoding: Windows1252}},
		"with empty rows":  {text: strings.ReplaceAll(text, "\nB", "\n,,,,\n\nB")},
		"with empty cells": {text: strings.ReplaceAll(text, "1999-01-01,", "1999-01-01,,,")},
		"with empty columns": {
			text: "number,name,grade,joined,,bio,\nB1,Zoë Ågren,STUDENT,2024-05-31,,\"a \"\"b\"\"\nc\",\nB2,Jan,retired,1999-01-01,,,\n",
		},
	} {
		r := load(t, db, tt.text, tt.Options)
		if r.Rows != 2 || r.Unchanged != 2 {
			t.Errorf("%s: %s", name, r)
		}
	}
	if diff := cmp.Diff(want, stored(t, db)); diff != "" {
		t.Errorf("the forms differ (-want +got):\n%s", diff)
	}
	_, err := Import(t.Context(), db, bytes.NewReader(latin), Options{File: "m.csv"})
	if bad, ok := errors.AsType[*BadRowsError](err); !ok || bad.Rows != 1 || bad.Told[0].Line != 2 || bad.Told[0].Column != "name" ||
		!strings.Contains(bad.Told[0].Reason, "--encoding windows-1252") {
		t.Errorf("Windows-1252 without saying so: %v", err)
	}
}

// TestNoFile asserts of files that are no table that they are told so.
func TestNoFile(t *testing.T) {
	t.Parallel()
	db := pgtest.NewWith(t, "organised", organised)
	before := stored(t, db)
	for text, want := range map[string]string{
		"":                                    "the file is empty",
		"name,grade\n":                        "no column holds the membership number",
		"number,name,Full name\n":             `the columns "name" and "Full name" both hold display_name`,
		"number,first name\n":                 "given_name and family_name go together",
		"number,name,surname,forename\n":      "leave the one or the others out",
		"number,name,Shoe size\n":             `it is not known what stands in "Shoe size"`,
		"number\nB1\nB2,\"" + huge:            "after line 2 a row is longer than 1 MiB",
		"number\xff\n":                        "is not UTF-8",
		"number,grade,grade audience,Grade\n": `both hold grade`,
	} {
		_, err := Import(t.Context(), db, strings.NewReader(text), Options{})
		var invalid *errs.Invalid
		if !errors.As(err, &invalid) || !strings.Contains(err.Error(), want) {
			t.Errorf("%.40q: got %v, want bad input: %s", text, err, want)
		}
	}
	if diff := cmp.Diff(before, stored(t, db)); diff != "" {
		t.Errorf("something was written (-before +after):\n%s", diff)
	}
}

var huge = strings.Repeat("x\n", 1<<20)

// TestBadCells asserts the reason for each kind of cell that is wrong.
func TestBadCells(t *testing.T) {
	t.Parallel()
	db := pgtest.NewWith(t, "organised", organised)
	load(t, db, "number,name,grade,joined\nOLD,Ann Lee,STUDENT,2020-01-01\n", Options{})
	before := stored(t, db)
	for _, tt := range []struct{ field, cell, want string }{
		{"number", "", "is empty"},
		{"number", "a b", "is no membership number"},
		{"number", "'=1", "is no membership number"},
		{"name", "", "is empty"},
		{"name", strings.Repeat("x", 201), "has 201 characters; at most 200"},
		{"headline", "two\nlines", "write it in one line"},
		{"joined", "2025-02-29", "is not a day"},
		{"joined", "31/12/2024", "write 2024-12-31"},
		{"joined", "12/31/2024", "write 2024-12-31"},
		{"joined", "3.4.2025", "2025-04-03 or 2025-03-04"},
		{"joined", "04/04/2025", "write 2025-04-04"},
		{"joined", "2025-04-03 00:00:00", "write the day alone, 2025-04-03"},
		{"joined", "45000", "is not a day"},
		{"joined", "0000-01-01", "is not a day"},
		{"joined", "1850-01-01", "is before 1900"},
		{"joined", "1899-12-31", "is before 1900"},
		{"joined", "2999-01-01", "is more than a year ahead"},
		{"grade", "Fellow", "is not known; write PROFESSIONAL"},
		{"region", "North Wales", "no region is named"},
		{"region", "housing", "no region is named"},
		{"sections", "wales 2020-01-01", "no section is named"},
		{"sections", "housing 2020-01-01; housing 2021-01-01", "two memberships at the same time"},
		{"sections", "housing 2020-01-01 to 2020-02-01; housing 2020-01-01", "two memberships at the same time"},
		{"sections", "work 2020-01-01 to 2020-02-01; housing 2020-01-01; work 2020-02-01", "work has two memberships at the same time"},
		{"sections", "housing 2020-01-02 to 2020-01-01", "ends before it has begun"},
		{"sections", "housing 2020-01-01 to 1/2/2020", "can be read as two days"},
		{"bio audience", "friends", "is not known; write PUBLIC"},
	} {
		names := []string{"number", "name", "grade", "joined", "headline", "region", "sections", "bio audience"}
		cells := []string{"NEW", "Cai Rees", "STUDENT", "2020-01-01", "", "", "", ""}
		cells[slices.Index(names, tt.field)] = `"` + tt.cell + `"`
		text := strings.Join(names, ",") + "\n" + strings.Join(cells, ",") + "\n"
		_, err := Import(t.Context(), db, strings.NewReader(text), Options{File: "m.csv"})
		bad, ok := errors.AsType[*BadRowsError](err)
		if !ok || bad.Rows != 1 || len(bad.Told) != 1 || bad.Told[0].Column != tt.field || bad.Told[0].Line != 2 || !strings.Contains(bad.Told[0].Reason, tt.want) {
			t.Errorf("%s %q: got %v, want: %s", tt.field, tt.cell, err, tt.want)
		}
	}
	for text, want := range map[string]string{
		"number\nNEW\n":                                 "3 problems in 1",
		"number,given name,family name\nOLD,,\n":        "is empty, and so is given name",
		"number,sort name\nOLD,Leigh\n":                 "has a word that the display name does not have",
		"number,bio\nOLD,a\nOLD,a\n\nOLD,b\n":           "stands in line 2 already",
		"number\nOLD\nOLD\nOLD\n":                       "2 problems in 2",
		"number,bio\nOLD,a\nOLD,a,b\nOLD\nOLD,\"a\"b\n": "3 problems in 3",
	} {
		_, err := Import(t.Context(), db, strings.NewReader(text), Options{File: "m.csv"})
		bad, ok := errors.AsType[*BadRowsError](err)
		if !ok || !strings.Contains(fmt.Sprintf("%v\n%d problems in %d", bad, bad.All, bad.Rows), want) {
			t.Errorf("%q: got %v, want %s", text, err, want)
		}
	}
	if diff := cmp.Diff(before, stored(t, db)); diff != "" {
		t.Errorf("something was written (-before +after):\n%s", diff)
	}
}

// TestSkipBad writes exactly the rows that are right, and says what a dry run said.
func TestSkipBad(t *testing.T) {
	t.Parallel()
	db := pgtest.NewWith(t, "organised", organised)
	var text strings.Builder
	text.WriteString("number,name,grade,joined,sections\n")
	for i := range 1_000 {
		day, section := "2020-01-01", "work 2021-01-01"
		switch {
		case i%10 == 3:
			day = "01/02/2020"
		case i%10 == 7:
			section = "work"
		}
		fmt.Fprintf(&text, "N%d,Cai Rees,STUDENT,%s,%s\n", i/2*2, day, section) // each number twice
	}
	before := stored(t, db)
	dry := load(t, db, text.String(), Options{SkipBad: true, DryRun: true})
	if diff := cmp.Diff(before, stored(t, db)); diff != "" {
		t.Fatalf("a dry run wrote (-before +after):\n%s", diff)
	}
	got := load(t, db, text.String(), Options{SkipBad: true})
	dry.DryRun = false
	if diff := cmp.Diff(dry, got); diff != "" {
		t.Errorf("a dry run says something else (-dry +got):\n%s", diff)
	}
	if got.Rows != 1_000 || got.Created != 500 || got.Skipped != 500 || got.Joined != 500 || got.Problems.All != 700 || len(got.Problems.Told) != 100 {
		t.Errorf("%+v", got)
	}
	if !slices.IsSortedFunc(got.Problems.Told, func(a, b Problem) int { return a.Line - b.Line }) {
		t.Error("problems are not by line")
	}
	if n := len(stored(t, db)) - len(before); n != 500 {
		t.Errorf("%d members were written, want 500", n)
	}
}

// TestOnlyWhatDiffers asserts that an import writes to no more rows than it says.
func TestOnlyWhatDiffers(t *testing.T) {
	t.Parallel()
	db := pgtest.NewWith(t, "organised", organised)
	if _, err := pack.GenerateMembers(t.Context(), db, 50, 1, nil); err != nil {
		t.Fatal(err)
	}
	rows := func() map[string]string {
		type row struct{ ID, Xmin string }
		all, err := pg.All[row](t.Context(), db, `
			SELECT id::text AS id, xmin::text AS xmin FROM members
			UNION ALL
			SELECT concat(member_id, section_id, starts_on), xmin::text FROM section_memberships`)
		if err != nil {
			t.Fatal(err)
		}
		m := map[string]string{}
		for _, r := range all {
			m[r.ID] = r.Xmin
		}
		return m
	}
	before := rows()
	text := export(t, db)
	load(t, db, text, Options{})
	if diff := cmp.Diff(before, rows()); diff != "" {
		t.Errorf("rows were written although nothing differs:\n%s", diff)
	}
	load(t, db, "number,grade\ngen-1-7,OVERSEAS\ngen-1-8,\n", Options{SkipBad: true})
	changed := 0
	for id, xmin := range rows() {
		if before[id] != xmin {
			changed++
		}
	}
	if changed != 1 {
		t.Errorf("%d rows were written, want 1", changed)
	}
}

// TestStreams imports a file that nobody could hold twice, and asks how much memory
// that took.
func TestStreams(t *testing.T) {
	if testing.Short() {
		t.Skip("it reads 60 MB")
	}
	t.Parallel()
	db := pgtest.NewWith(t, "organised", organised)
	const rows = 30_000
	bio := strings.Repeat("bio ", 500)
	in, out := io.Pipe()
	go func() {
		_, err := io.WriteString(out, "number,bio\n")
		for i := 0; i < rows && err == nil; i++ {
			_, err = fmt.Fprintf(out, "X%d,%s\n", i, bio)
		}
		out.CloseWithError(err)
	}()
	var most, before uint64
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	before = m.HeapAlloc
	_, err := Import(t.Context(), db, in, Options{Progress: func(read int64) {
		if read%(1<<22) < 4096 {
			runtime.ReadMemStats(&m)
			most = max(most, m.HeapAlloc-min(m.HeapAlloc, before))
		}
	}})
	if bad, ok := errors.AsType[*BadRowsError](err); !ok || bad.Rows != rows {
		t.Errorf("members that nobody named: %v", err)
	}
	if most > 40<<20 {
		t.Errorf("60 MB took %d MB of memory", most>>20)
	}
}

func TestMapping(t *testing.T) {
	t.Parallel()
	got, err := ParseMapping([]string{"# a comment", "", " First name = given_name ", "a=b=bio", "Notes="})
	if diff := cmp.Diff(Mapping{"First name": "given_name", "a=b": "bio", "Notes": ""}, got); diff != "" || err != nil {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
	for _, lines := range [][]string{{"bio"}, {"=bio"}, {"Bio=biography"}, {"a=bio", "a=grade"}} {
		var invalid *errs.Invalid
		if _, err := ParseMapping(lines); !errors.As(err, &invalid) {
			t.Errorf("%q: got %v, want bad input", lines, err)
		}
	}
}

// TestUnitNames finds units by slug and by every name that only one of them has.
func TestUnitNames(t *testing.T) {
	t.Parallel()
	a, b := uuid.New(), uuid.New()
	u := &units{byName: map[string]uuid.UUID{unitKey("REGION", "wales"): a, unitKey("SPECIALIST_SECTION", "wales"): b}}
	if id, problem := u.find("REGION", "WALES"); problem != "" || *id != a {
		t.Errorf("got %v, %s", id, problem)
	}
	if _, problem := u.find("REGION", " Wáles"); !strings.Contains(problem, "write wales") {
		t.Errorf("got %s", problem)
	}
}

// TestRegisterFromAFile brings in what a membership database knows besides names: how to
// reach people, where they practise, until when they have paid, and how they are registered.
func TestRegisterFromAFile(t *testing.T) {
	t.Parallel()
	db := pgtest.NewWith(t, "organised", organised)
	const names = "number,name,grade,joined_on,"
	register := func(number string) string {
		t.Helper()
		text, err := pg.Scalar[string](t.Context(), db, `
			SELECT concat_ws(' | ',
				(SELECT string_agg(concat_ws(' ', d.field, d.audience, d.value, d.terms, d.postcode, d.latitude, d.longitude), ', ' ORDER BY d.field)
					FROM member_details d WHERE d.member_id = m.id),
				(SELECT string_agg(concat_ws(' ', p.starts_on, p.ends_on, p.ended_how), ', ' ORDER BY p.starts_on) FROM membership_periods p WHERE p.member_id = m.id),
				(SELECT string_agg(ev.kind, ' ' ORDER BY ev.id) FROM membership_events ev WHERE ev.member_id = m.id),
				(SELECT concat_ws(' ', g.number, g.verified_on, g.valid_until) FROM registrations g WHERE g.member_id = m.id))
			FROM members m
			WHERE m.key = $1`, number)
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	is := func(want string) {
		t.Helper()
		if got := register("1"); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
	load(t, db, names+"E-mail,email_audience,languages,practice_town,practice_postcode,practice_latitude,practice_longitude,Expiry date,HCPC No,registered_until\n"+
		"1,Ada Ash,student,2020-02-03,ada@example.org,members,CY; en; cy,Leeds,LS1,53.804,-1.55,2021-02-02,ot12345,2021-10-31\n", Options{})
	is("EMAIL MEMBERS ada@example.org, LANGUAGES NOBODY {cy,en}, PRACTICE NOBODY Leeds LS1 53.80 -1.55 | 2020-02-03 2021-02-02 | JOINED | OT12345 2021-10-31 2021-10-31")

	// A later day renews; what has no column stays, an empty cell takes away.
	r := load(t, db, "number,paid_until,email\n1,2022-02-02,\n", Options{})
	if r.Details != 1 || r.Periods != 1 || r.Registrations != 0 || r.Changed != 1 {
		t.Errorf("renewed: %+v", r)
	}
	is("EMAIL MEMBERS, LANGUAGES NOBODY {cy,en}, PRACTICE NOBODY Leeds LS1 53.80 -1.55 | 2020-02-03 2021-02-02, 2021-02-03 2022-02-02 | JOINED RENEWED | OT12345 2021-10-31 2021-10-31")
	if r := load(t, db, "number,paid_until,ended_how\n1,2021-12-31,Resigned\n", Options{}); r.Periods != 1 {
		t.Errorf("ended: %+v", r)
	}
	if r := load(t, db, "number,paid_until\n1,2021-12-31\n", Options{}); r.written() != 0 {
		t.Errorf("the same day again: %+v", r)
	}
	load(t, db, "number,registration_number\n1,OT54321\n", Options{})
	is("EMAIL MEMBERS, LANGUAGES NOBODY {cy,en}, PRACTICE NOBODY Leeds LS1 53.80 -1.55 | 2020-02-03 2021-02-02, 2021-02-03 2021-12-31 RESIGNED | JOINED RENEWED RESIGNED | OT54321")
	load(t, db, "number,registration_number\n1,\n", Options{})
	is("EMAIL MEMBERS, LANGUAGES NOBODY {cy,en}, PRACTICE NOBODY Leeds LS1 53.80 -1.55 | 2020-02-03 2021-02-02, 2021-02-03 2021-12-31 RESIGNED | JOINED RENEWED RESIGNED")

	load(t, db, names+"registration_number,registered_until\n2,Bea Birch,student,2020-01-01,OT77777,2030-10-31\n", Options{})
	before := stored(t, db)
	for _, tt := range []struct{ text, reason string }{
		{"number,email\n1,ada\n", "2: email: this is no address; write it as name@example.org"},
		{"number,phone\n1,call me\n", "2: phone: this is no telephone number; write digits, spaces and + ( ) / . -"},
		{"number,languages\n1,Welsh\n", "2: languages: pass codes of languages (BCP 47), as en, cy or bfi"},
		{"number,practice_town,practice_postcode,practice_latitude,practice_longitude\n1,Leeds,LS1,53,\n", "2: practice_latitude: pass both the latitude and the longitude, or neither"},
		{"number,practice_town,practice_postcode,practice_latitude,practice_longitude\n1,Leeds,LS1,far,1\n", `2: practice_latitude: "far" is no number of degrees; write it as 51.48`},
		{"number,paid_until\n2,2019-01-01\n", "2: paid_until: is before the day of joining"},
		{"number,paid_until\n1,2029-12-31\n", "2: paid_until: the register says that the membership ended on 2021-12-31 (RESIGNED), and an import does not change it"},
		{"number,paid_until,ended_how\n1,,RESIGNED\n", "2: ended_how: stands without a paid_until"},
		{"number,paid_until,ended_how\n1,2021-12-31,bored\n", `2: ended_how: "bored" is not known; write RESIGNED, RETIRED, DECEASED or REMOVED`},
		{"number,registration_number\n1,PH12345\n", "2: registration_number: is no number of the regulator; write OT and five or six digits"},
		{"number,registration_number,registered_until\n1,OT77777,2030-10-31\n", "2: registration_number: is the verified number of another member"},
		{"number,registration_number,registered_until\n1,OT1234567,\n", "2: registration_number: is no number of the regulator; write OT and five or six digits"},
		{
			names + "registration_number,registered_until\n8,A B,student,2020-01-01,OT88888,2030-01-01\n9,C D,student,2020-01-01,OT88888,2030-01-01\n",
			"3: registration_number: is the number of another row",
		},
	} {
		_, err := Import(t.Context(), db, strings.NewReader(tt.text), Options{File: "f"})
		var bad *BadRowsError
		if !errors.As(err, &bad) || len(bad.Told) != 1 || bad.Told[0].String() != tt.reason {
			t.Errorf("%q\ngot  %v\nwant %s", tt.text, err, tt.reason)
		}
	}
	for _, headings := range []string{"number,practice_town", "number,ended_how", "number,registered_until"} {
		if _, err := Import(t.Context(), db, strings.NewReader(headings+"\n1,x\n"), Options{File: "f"}); err == nil || !strings.Contains(err.Error(), "go") {
			t.Errorf("%s alone: %v", headings, err)
		}
	}
	if diff := cmp.Diff(before, stored(t, db)); diff != "" {
		t.Errorf("refused files changed something (-before +after)\n%s", diff)
	}
}

// TestStatedNumbers has two members state one number, of whom one is verified: an import
// of the export changes nothing, here and elsewhere.
func TestStatedNumbers(t *testing.T) {
	t.Parallel()
	db, other := pgtest.NewWith(t, "organised", organised), pgtest.NewWith(t, "organised", organised)
	load(t, db, "number,name,grade,joined_on,sections\n1,Ada Oak,student,2020-01-01,housing 2024-02-03 to 2024-02-03\n2,Bea Birch,student,2020-01-01,\n3,Cai Elm,student,2020-01-01,\n", Options{})
	if _, err := db.Exec(t.Context(), `
		INSERT INTO registrations (member_id, body, number, verified_on, valid_until)
		SELECT m.id, 'HCPC', 'OT12345', CASE WHEN m.key = '2' THEN date '2026-01-01' END, CASE WHEN m.key = '2' THEN date '2030-01-01' END
		FROM members m
		WHERE m.key IN ('1', '2', '3')`); err != nil {
		t.Fatal(err)
	}
	before, text := stored(t, db), export(t, db)
	if r := load(t, db, text, Options{}); r.written() != 0 || r.Unchanged != len(before) {
		t.Errorf("an import of an export changes something: %+v", r)
	}
	if diff := cmp.Diff(before, stored(t, db)); diff != "" {
		t.Errorf("an import of an export (-before +after)\n%s", diff)
	}
	for range 2 {
		load(t, other, text, Options{})
		if diff := cmp.Diff(text, export(t, other)); diff != "" {
			t.Errorf("elsewhere (-export +there)\n%s", diff)
		}
	}
	if got, err := pg.Scalar[string](t.Context(), db, `SELECT string_agg(m.key || ' ' || (g.verified_on IS NOT NULL)::text, ', ' ORDER BY m.key) FROM registrations g JOIN members m ON m.id = g.member_id`); err != nil || got != "1 false, 2 true, 3 false" {
		t.Errorf("verified are %s (%v)", got, err)
	}
}

// TestStretchesOfAFile imports files that make, renew, end and move members, and wants
// what statistics count them as to be what is made anew from their periods and sections,
// whichever rows were written.
func TestStretchesOfAFile(t *testing.T) {
	t.Parallel()
	db := pgtest.NewWith(t, "organised", organised)
	const stretches = `
		SELECT concat_ws(' ', m.key, s.since, s.until, st.*, ss.section_ids, s.stratum_before, s.section_set_before)
		FROM membership_stretches s
		JOIN members m ON m.id = s.member_id
		JOIN membership_strata st ON st.id = s.stratum
		JOIN section_sets ss ON ss.id = s.section_set
		ORDER BY m.key, s.since`
	asMade := func(after string, want int) {
		t.Helper()
		tx, err := db.Begin(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		defer tx.Rollback(context.Background()) //nolint:errcheck // it was to see
		kept, err := pg.Scalars[string](t.Context(), tx, stretches)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := tx.Exec(t.Context(), `DELETE FROM membership_stretches`); err != nil {
			t.Fatal(err)
		}
		if _, err := tx.Exec(t.Context(), `SELECT membership_stretches_keep(array_agg(id)) FROM members`); err != nil {
			t.Fatal(err)
		}
		made, err := pg.Scalars[string](t.Context(), tx, stretches)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(made, kept); diff != "" {
			t.Errorf("after %s (-made anew +kept)\n%s", after, diff)
		}
		of := slices.DeleteFunc(kept, func(s string) bool { return !strings.HasPrefix(s, "x") })
		if len(of) != want {
			t.Errorf("after %s there are %d stretches, want %d:\n%s", after, len(of), want, strings.Join(of, "\n"))
		}
		if left, err := pg.Scalar[int](t.Context(), tx, `SELECT count(*) FROM membership_stretches_pending`); err != nil || left > 0 {
			t.Errorf("after %s %d notes are left, %v", after, left, err)
		}
	}
	const first = "number,name,grade,joined_on,region,sections,paid_until,ended_how\n" +
		"x1,Ada Ash,student,2020-02-03,london,housing 2020-03-01 to 2020-09-30,2021-02-02,\n" +
		"x2,Bea Birch,professional,2019-01-01,,,2019-12-31,RESIGNED\n" +
		"x3,Cy Cole,professional,2019-01-01,wales,housing 2019-01-01,2022-12-31,\n"
	for _, o := range []Options{{DryRun: true}, {}} {
		load(t, db, first, o)
		// Current, in grace, lapsed, and for Ada in and out of a section; Bea resigned.
		asMade(fmt.Sprintf("%+v", o), map[bool]int{true: 0, false: 5 + 2 + 3}[o.DryRun])
	}
	const second = "number,paid_until,region\nx1,2022-02-02,wales\nx3,2024-12-31,wales\nx2,2030-12-31,\n"
	if _, err := Import(t.Context(), db, strings.NewReader(second), Options{}); err == nil {
		t.Fatal("who resigned was renewed")
	}
	asMade("a refused file", 10)
	r := load(t, db, second, Options{SkipBad: true})
	if r.Periods != 2 || r.Changed != 2 || r.Skipped != 1 {
		t.Errorf("%+v", r)
	}
	asMade("two renewals", 10)
	// Renewed and ended at once: out of the section on that day.
	load(t, db, "number,paid_until,ended_how\nx3,2025-06-30,RESIGNED\n", Options{})
	asMade("an end", 9)
	load(t, db, "number,grade,paid_until,sections\nx1,retired,2099-12-31,work 2021-02-01\n", Options{})
	asMade("another grade, renewed", 9)
}
