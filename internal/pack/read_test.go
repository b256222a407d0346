package pack

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"
)

// filesOf returns the files of an archive, over those of a pack without mistakes.
func filesOf(archive *txtar.Archive) fstest.MapFS {
	files := fstest.MapFS{
		"pack.yaml":         {Data: []byte("format: 1\nname: Test\n")},
		"organisation.yaml": {Data: []byte("name: A body\nshortName: AB\n")},
		"pages/index.md":    {Data: []byte("---\ntitle: Home\n---\n")},
	}
	for _, f := range archive.Files {
		files[f.Name] = &fstest.MapFile{Data: f.Data}
	}
	return files
}

// pack reads a pack from txtar text.
func packFrom(t *testing.T, text string) *Pack {
	t.Helper()
	p, err := Read(filesOf(txtar.Parse([]byte(text))))
	if err != nil {
		t.Fatalf("the pack is wrong:\n%v", err)
	}
	return p
}

// TestReadTellsEveryMistake reads the packs in testdata/mistakes. Each archive
// ends in a file "want": the error, with file and line. UPDATE=1 writes it.
func TestReadTellsEveryMistake(t *testing.T) {
	t.Parallel()
	names, err := filepath.Glob("testdata/mistakes/*.txtar")
	if err != nil || len(names) == 0 {
		t.Fatalf("no test data: %v", err)
	}
	for _, name := range names {
		t.Run(strings.TrimSuffix(filepath.Base(name), ".txtar"), func(t *testing.T) {
			t.Parallel()
			archive, err := txtar.ParseFile(name)
			if err != nil {
				t.Fatal(err)
			}
			last := &archive.Files[len(archive.Files)-1]
			want := ""
			if last.Name == "want" {
				want = string(last.Data)
				archive.Files = archive.Files[:len(archive.Files)-1]
			}
			_, err = Read(filesOf(archive))
			var invalid *InvalidError
			if !errors.As(err, &invalid) {
				t.Fatalf("Read returned %v, and not what is wrong", err)
			}
			got := err.Error() + "\n"
			if os.Getenv("UPDATE") != "" {
				archive.Files = append(archive.Files, txtar.File{Name: "want", Data: []byte(got)})
				if err := os.WriteFile(name, txtar.Format(archive), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if d := cmp.Diff(want, got); d != "" {
				t.Errorf("mistakes (-want +got):\n%s", d)
			}
		})
	}
}

func TestReadTellsAtMostFiftyMistakes(t *testing.T) {
	t.Parallel()
	var menu strings.Builder
	menu.WriteString("title: Main\nitems:\n")
	for i := range 120 {
		fmt.Fprintf(&menu, "  - label: Item %d\n", i)
	}
	_, err := Read(filesOf(&txtar.Archive{Files: []txtar.File{{Name: "menus/main.yaml", Data: []byte(menu.String())}}}))
	var invalid *InvalidError
	if !errors.As(err, &invalid) || len(invalid.Problems) != 50 || invalid.More != 70 {
		t.Fatalf("Read returned %v", err)
	}
	lines := strings.Split(err.Error(), "\n")
	if first, last := lines[0], lines[len(lines)-1]; !strings.HasPrefix(first, "menus/main.yaml:3: ") || last != "and 70 problems more" || len(lines) != 51 {
		t.Errorf("%d lines, from %q to %q", len(lines), first, last)
	}
}

func TestReadRefusesFilesThatAreTooLarge(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ text, want string }{
		"large":        {strings.Repeat("x", maxFileBytes+1), "units.yaml: is larger than 4 MiB; split it"},
		"nested":       {"sections: " + strings.Repeat("[", 2_000), "units.yaml:1: nests too deeply for YAML that people write"},
		"deep in line": {"sections:\n" + strings.Repeat("- ", 10_000), "units.yaml:2: nests too deeply for YAML that people write"},
	} {
		_, err := Read(filesOf(&txtar.Archive{Files: []txtar.File{{Name: "units.yaml", Data: []byte(c.text)}}}))
		if err == nil || err.Error() != c.want {
			t.Errorf("%s: %v, want %s", name, err, c.want)
		}
	}
}

func TestReadNeedsAPack(t *testing.T) {
	t.Parallel()
	_, err := Read(fstest.MapFS{"notes.txt": {Data: []byte("x")}})
	want := "pack.yaml: is missing, so this is not a content pack; write one with the keys format and name"
	if err == nil || err.Error() != want {
		t.Errorf("got %v\nwant %s", err, want)
	}
	_, err = Read(fstest.MapFS{"pack.yaml": {Data: []byte("format: 1\nname: x\n")}})
	want = "organisation.yaml: is missing; write the facts of the body, at least name and shortName"
	if err == nil || err.Error() != want {
		t.Errorf("got %v\nwant %s", err, want)
	}
}

func TestReadSkipsWhatIsNoPartOfAPack(t *testing.T) {
	t.Parallel()
	files := filesOf(&txtar.Archive{})
	files["README.md"] = &fstest.MapFile{Data: []byte("no front matter")}
	files[".git/config"] = &fstest.MapFile{Data: []byte("x")}
	files["pages/.DS_Store"] = &fstest.MapFile{Data: []byte("x")}
	if _, err := Read(files); err != nil {
		t.Error(err)
	}
	delete(files, "README.md")
	files["pages/link.md"] = &fstest.MapFile{Mode: os.ModeSymlink}
	_, err := Read(files)
	if want := "pages/link.md: is not a regular file; put the file itself here"; err == nil || err.Error() != want {
		t.Errorf("got %v\nwant %s", err, want)
	}
}

// TestReadFillsIn reads what a pack leaves out.
func TestReadFillsIn(t *testing.T) {
	t.Parallel()
	p := packFrom(t, `
-- pages/about-us.md --
---
title: About us
redirectFrom: [/about]
---
-- pages/about-us/deep/join-us/index.md --
---
title: Join us
---
-- pages/news/index.md --
---
title: News
key: page:/old-news
---
-- case-studies/anna.md --
---
person: Anna
headline: Anna at work
level: EXPERIENCED
levelLabel: Experienced level
---

What Anna does.

More of it.
-- career.yaml --
levels: [{level: EXPERIENCED, title: Experienced}]
-- documents.yaml --
documents:
  - {key: "document:a", title: A file, mediaType: application/pdf, path: /news/a-file}
-- menus/main.yaml --
title: Main
position: 1
items:
  - label: More
    heading: true
    children:
      - {label: About us, page: /about-us}
      - {label: "Info\u00a0for HEIs", external: true}
  - {label: Join us, page: /about-us/deep/join-us}
  - {label: About/Über, page: /about-us}
-- menus/utility.yaml --
title: Utility
items:
  - {label: Join us, page: /about-us/deep/join-us, canonical: true}
  - {label: Log in, action: LOG_IN}
-- menus/z.yaml --
title: Last
items:
  - {label: News, page: /news, canonical: false}
`)
	type line struct{ What, Key, Where, Note string }
	var got []line
	p.eachEntry(func(e *entry, _ any) {
		got = append(got, line{string(e.Title), string(e.Key), string(e.Path), string(e.parent) + " " + e.slug})
	})
	for _, m := range p.menus {
		walkItems(m, func(i, _ *menuItem) {
			got = append(got, line{string(i.Label), string(i.Key), string(i.entry), fmt.Sprintf("%s %t", i.kind(), i.isCanonical)})
		})
	}
	for _, r := range p.redirects {
		got = append(got, line{"redirect", string(r.From), string(r.To), string(r.entry)})
	}
	want := []line{
		{"Home", "page:/", "/", " "},
		{"About us", "page:/about-us", "/about-us", "page:/ about-us"},
		{"Join us", "page:/about-us/deep/join-us", "/about-us/deep/join-us", "page:/about-us join-us"},
		{"News", "page:/old-news", "/news", "page:/ news"},
		{"Anna at work", "case-study:anna", "/case-studies/anna", "page:/ anna"},
		{"A file", "document:a", "/news/a-file", "page:/old-news a-file"},
		{"Join us", "utility/join-us", "page:/about-us/deep/join-us", "PAGE true"},
		{"Log in", "utility/log-in", "", "ACTION false"},
		{"News", "z/news", "page:/old-news", "PAGE false"},
		{"More", "main/more", "", "HEADING false"},
		{"About us", "main/more/about-us", "page:/about-us", "PAGE false"},
		{"Info\u00a0for HEIs", "main/more/info-for-heis", "", "EXTERNAL false"},
		{"Join us", "main/join-us", "page:/about-us/deep/join-us", "PAGE false"},
		{"About/Über", "main/about-uber", "page:/about-us", "PAGE true"},
		{"redirect", "/about", "/about-us", "page:/about-us"},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("the pack (-want +got):\n%s", d)
	}
	if got, want := p.caseStudies[0].Summary, Text("What Anna does.\n\nMore of it."); got != want {
		t.Errorf("summary %q, want %q", got, want)
	}
}

func TestReadWarnsOfLinksInTexts(t *testing.T) {
	t.Parallel()
	p := packFrom(t, `
-- pages/a.md --
---
title: A
redirectFrom: [/old]
---
[fine](/A/?x=1#y), [fine](/old), [fine](https://example.org/) and
[not](/b).

`+"```callout\ntext: '[not](/c)'\n```\n")
	var got []string
	for _, w := range p.Warnings() {
		got = append(got, w.String())
	}
	want := []string{"pages/a.md:6: a link leads to /b, where nothing stands", "pages/a.md:9: a link leads to /c, where nothing stands"}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("warnings (-want +got):\n%s", d)
	}
}
