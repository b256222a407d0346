package slug

import (
	"errors"
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"

	"github.com/collegium/collegium/internal/errs"
)

func TestSlug(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ label, want string }{
		{"About us", "about-us"},
		{"BAOT/RCOT Annual General Meeting (AGM)", "baot-rcot-annual-general-meeting-agm"},
		{"RCOT/BAOT Council", "rcot-baot-council"},
		{"Inspire future occupational therapists: #ChooseOT", "inspire-future-occupational-therapists-chooseot"},
		{"#ChooseOT", "chooseot"},
		{"CPD @ RCOT", "cpd-rcot"},
		{"Self–Management", "self-management"},
		{"Research Contribution – Tony Chew", "research-contribution-tony-chew"},
		{"The Placement Café", "the-placement-cafe"},
		{"The Placement Cafe\u0301", "the-placement-cafe"},
		{"Information for HEIs and accreditation\u00a0", "information-for-heis-and-accreditation"},
		{"Information\u00a0for\u2009HEIs", "information-for-heis"},
		{"RCOT Region’s committee elections", "rcot-regions-committee-elections"},
		{"Explore this year's Annual Conference", "explore-this-years-annual-conference"},
		{"‘Occupational therapy support’ leaflets", "occupational-therapy-support-leaflets"},
		{
			"Research and innovation are everybody’s business’ – your opportunity to create a culture of continuous improvement",
			"research-and-innovation-are-everybodys-business-your-opportunity-to-create-a-culture-of-continuous-improvement",
		},
		{
			"RCOTSS Work National Executive Committee response: can and should OTs in occupational health settings deliver vaccinations?",
			"rcotss-work-national-executive-committee-response-can-and-should-ots-in-occupational-health-settings-deliver-vaccinations",
		},
		{"Coronavirus (COVID-19)", "coronavirus-covid-19"},
		{"Your membership 2024/25", "your-membership-2024-25"},
		{"Wales (Cymru) Region", "wales-cymru-region"},
		{"Equity, diversity, and belonging", "equity-diversity-and-belonging"},
		{"A-Z", "a-z"},
		{"OTnews", "otnews"},
		{"  -- A   /  Z -- ", "a-z"},
		{"R&D \"quoted\" “word”", "r-d-quoted-word"},
		{"Straße Ærø Łódź Øre", "strasse-aero-lodz-ore"},
		{"ﬁve ½ İzmir", "five-1-2-izmir"},
		{"soft\u00adhyphen zero\u200bwidth", "softhyphen-zerowidth"},
		{"RCOT™ mark", "rcot-mark"},
		{"", ""},
		{"–", ""},
		{"职业治疗", ""},
		{"\xff\xfe broken", "broken"},
		{strings.Repeat("ab ", 100), strings.TrimSuffix(strings.Repeat("ab-", 67), "-")[:200]},
		{strings.Repeat("x", 300), strings.Repeat("x", 200)},
		{strings.Repeat("x", 150) + " " + strings.Repeat("y", 150), strings.Repeat("x", 150)},
	} {
		if got := Slug(c.label); got != c.want {
			t.Errorf("Slug(%q)\n got %q\nwant %q", c.label, got, c.want)
		}
	}
}

func TestSlugIsValidAndStable(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		label := rapid.String().Draw(t, "label")
		s := Slug(label)
		if s != "" && !Valid(s) {
			t.Fatalf("Slug(%q) = %q, which is not a slug", label, s)
		}
		if len(s) > maxSlug {
			t.Fatalf("Slug(%q) has %d bytes", label, len(s))
		}
		if again := Slug(s); again != s {
			t.Fatalf("Slug(%q) = %q, and the slug of that is %q", label, s, again)
		}
	})
}

func TestPath(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ raw, want string }{
		{"/", "/"},
		{"//", "/"},
		{"/?q=1", "/"},
		{"/#top", "/"},
		{"/about-us", "/about-us"},
		{"/About-Us/", "/about-us"},
		{"//about-us///join-us//", "/about-us/join-us"},
		{"/about-us?from=/menu#top", "/about-us"},
		{"/about-us#top?x", "/about-us"},
		{"/about%2Dus", "/about-us"},
		{"/about-us/%4Aoin-us", "/about-us/join-us"},
		{"/about%20us", "/about us"},
		{"/about-us/./join-us/../work-for-us", "/about-us/work-for-us"},
		{"/../../etc", "/etc"},
		{"/%2e%2e/x", "/x"},
		{"/CAF%C3%89", "/café"},
		{"/cafe%CC%81", "/café"},
		{"/a%3Fb", "/a?b"},
		{"/a+b", "/a+b"},
		{"/" + strings.Repeat("x", MaxPath-1), "/" + strings.Repeat("x", MaxPath-1)},
	} {
		got, err := Path(c.raw)
		if err != nil || got != c.want {
			t.Errorf("Path(%q) = %q, %v; want %q", c.raw, got, err, c.want)
		}
	}
}

func TestPathRefuses(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ raw, want string }{
		{"", `path: "" does not begin with a slash; pass the path alone, as "/about-us"`},
		{"about-us", `path: "about-us" does not begin with a slash; pass the path alone, as "/about-us"`},
		{"https://example.org/about-us", `path: "https://example.org/about-us" does not begin with a slash; pass the path alone, as "/about-us"`},
		{"/100%", `path: "/100%" is not well encoded; a percent sign begins two hexadecimal digits, as "%20"`},
		{"/%zz", `path: "/%zz" is not well encoded; a percent sign begins two hexadecimal digits, as "%20"`},
		{"/a%00b", `path: "/a%00b" holds bytes that no path has; use printable characters in UTF-8`},
		{"/a%FFb", `path: "/a%FFb" holds bytes that no path has; use printable characters in UTF-8`},
		{"/" + strings.Repeat("x", MaxPath), "path: is 1025 bytes long; a path has at most 1024"},
		// 1,023 bytes as typed; the small letter of Ⱥ has a byte more.
		{"/" + strings.Repeat("Ⱥ", 511), "path: is 1534 bytes long; a path has at most 1024"},
	} {
		got, err := Path(c.raw)
		var invalid *errs.Invalid
		if !errors.As(err, &invalid) || err.Error() != c.want {
			t.Errorf("Path(%.40q) = %q, %v; want the error %s", c.raw, got, err, c.want)
		}
	}
}

func TestPathIsStable(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		raw := "/" + rapid.StringOf(rapid.OneOf(rapid.Rune(), rapid.SampledFrom([]rune("/.%?#aZ2e-")))).Draw(t, "raw")
		p, err := Path(raw)
		if err != nil {
			return
		}
		if !utf8.ValidString(p) || len(p) > MaxPath || p[0] != '/' {
			t.Fatalf("Path(%q) = %q", raw, p)
		}
		if strings.ContainsAny(p, "%?#") {
			return // these mean something else when they are typed again
		}
		again, err := Path(p)
		if err != nil || again != p {
			t.Fatalf("Path(%q) = %q, and the path of that is %q, %v", raw, p, again, err)
		}
	})
}

func TestValidPath(t *testing.T) {
	t.Parallel()
	for p, want := range map[string]bool{
		"/": true, "/a": true, "/a-b/c1": true,
		"": false, "a": false, "/a/": false, "//": false, "/A": false, "/-a": false, "/a--b": false, "/é": false, "/a b": false, "/a\n": false,
		"/" + strings.Repeat("x", MaxPath-1): true, "/" + strings.Repeat("x", MaxPath): false,
	} {
		if got := ValidPath(p); got != want {
			t.Errorf("ValidPath(%.40q) = %t", p, got)
		}
	}
}
