package pack

import "github.com/collegium/collegium/internal/slug"

// Pack is the content of a body, read from files or from the database, with all
// defaults filled in. Read makes one that is free of contradictions.
type Pack struct {
	name         string
	organisation organisation
	menus        []*menu      // by position, then handle
	pages        []*page      // by path
	units        []*unit      // sections, then regions, each in their order
	people       []*person    // by key
	committees   []*committee // by slug
	levels       []*level     // from the first step up
	caseStudies  []*caseStudy // by slug
	documents    []*document  // by key
	redirects    []*redirect  // by path
	gone         []*gone      // by path

	// warnings are what may be wrong and is no mistake for certain.
	warnings []Problem
	at       positions
}

// number gives everything whose order is its position that position.
func (p *Pack) number() {
	next := map[entryKind]int{}
	for _, u := range p.units {
		u.position = next[u.kind]
		next[u.kind]++
	}
	for _, c := range p.committees {
		for i, post := range c.Posts {
			post.position = i
		}
	}
	for i, l := range p.levels {
		l.position = i + 1
	}
	var items func(items []*menuItem)
	items = func(list []*menuItem) {
		for i, item := range list {
			item.position = i
			items(item.Children)
		}
	}
	for _, m := range p.menus {
		items(m.Items)
	}
}

// Name returns the name of the pack, for reports.
func (p *Pack) Name() string { return p.name }

// Warnings returns what may be wrong with the pack, by file and line.
func (p *Pack) Warnings() []Problem { return p.warnings }

// manifest is pack.yaml.
type manifest struct {
	Format int  `yaml:"format,required"`
	Name   Line `yaml:"name,required"`
}

// organisation is organisation.yaml.
type organisation struct {
	Name                           Line            `yaml:"name,required"`
	ShortName                      Line            `yaml:"shortName,required"`
	CharityNumber                  Line            `yaml:"charityNumber"`
	ScottishCharityNumber          ScottishCharity `yaml:"scottishCharityNumber"`
	ScottishCharityNumberAsPrinted Line            `yaml:"scottishCharityNumberAsPrinted"`
	CompanyNumber                  Line            `yaml:"companyNumber"`
	VATNumber                      Line            `yaml:"vatNumber"`
	AddressLines                   []Line          `yaml:"addressLines"`
	Postcode                       Line            `yaml:"postcode"`
	Telephone                      Line            `yaml:"telephone"`
	Email                          Line            `yaml:"email"`
	JoinCallToAction               Text            `yaml:"joinCallToAction"`
	CopyrightYear                  int             `yaml:"copyrightYear"`
}

// menu is menus/<handle>.yaml.
type menu struct {
	Title    Line        `yaml:"title,required"`
	Position int         `yaml:"position"`
	Items    []*menuItem `yaml:"items"`

	handle string
}

// menuItem is a placement in a menu.
type menuItem struct {
	Label     Line        `yaml:"label,required"`
	Page      Path        `yaml:"page"`
	URL       URL         `yaml:"url"`
	External  bool        `yaml:"external"`
	Action    actionName  `yaml:"action"`
	Heading   bool        `yaml:"heading"`
	Access    access      `yaml:"access,default=PUBLIC"`
	Canonical *bool       `yaml:"canonical"` // nil once isCanonical is known
	Key       Key         `yaml:"key"`
	Children  []*menuItem `yaml:"children"`

	isCanonical bool
	entry       Key // of Page
	depth       int // 1 is the top
	position    int
}

// kind returns what the item does, as the database says it.
func (i *menuItem) kind() string {
	switch {
	case i.Page != "":
		return "PAGE"
	case i.Action != "":
		return "ACTION"
	case i.Heading:
		return "HEADING"
	default:
		return "EXTERNAL"
	}
}

// entry is what all things that are published have in common.
type entry struct {
	Title        Line   `yaml:"title"`
	Key          Key    `yaml:"key"`
	Path         Path   `yaml:"path"` // empty for a document without an address
	Position     int    `yaml:"position"`
	Summary      Text   `yaml:"summary"`
	Status       status `yaml:"status,default=PUBLISHED"`
	Access       access `yaml:"access,default=PUBLIC"`
	PublishedAt  Moment `yaml:"publishedAt"`
	ReviewDueOn  Date   `yaml:"reviewDueOn"`
	RedirectFrom []Path `yaml:"redirectFrom"` // nil once the redirects are known

	slug   string
	parent Key // of the page above in the path
}

// page is a file of pages/: an entry of the kinds that have a body.
type page struct {
	entry
	Kind    entryKind `yaml:"kind,default=PAGE"`
	SubKind subKind   `yaml:"subKind,default=OTHER"`

	blocks []*block
	file   string
	// skipped is how many lines of the file stand before the text.
	skipped int
}

// unitsFile is units.yaml.
type unitsFile struct {
	Sections []*unit `yaml:"sections"`
	Regions  []*unit `yaml:"regions"`
}

// unit is a specialist section or a region.
type unit struct {
	Slug          Slug            `yaml:"slug,required"`
	Page          Path            `yaml:"page,required"`
	Name          Line            `yaml:"name,required"`
	ShortName     Line            `yaml:"shortName,required"`
	Aliases       []Slug          `yaml:"aliases"`
	Nation        nation          `yaml:"nation"`
	LocalNames    map[string]Line `yaml:"localNames"`
	EstablishedOn Date            `yaml:"establishedOn"`
	DissolvedOn   Date            `yaml:"dissolvedOn"`
	Successor     Slug            `yaml:"successor"`

	kind     entryKind
	position int
	entry    Key // of Page
}

// peopleFile is people.yaml.
type peopleFile struct {
	People []*person `yaml:"people"`
}

// person is a member whom the content names.
type person struct {
	Key         Slug            `yaml:"key,required"`
	DisplayName Line            `yaml:"displayName,required"`
	SortName    Line            `yaml:"sortName,required"`
	Pronouns    Line            `yaml:"pronouns"`
	Headline    Line            `yaml:"headline"`
	Bio         Text            `yaml:"bio"`
	Grade       grade           `yaml:"grade,required"`
	Region      Slug            `yaml:"region"`
	JoinedOn    Date            `yaml:"joinedOn,required"`
	Audiences   personAudiences `yaml:"audiences"`
	Sections    []*membership   `yaml:"sections"` // by section, then first day
}

// personAudiences says who sees which part of a person.
type personAudiences struct {
	Listing  audience `yaml:"listing,default=NOBODY"`
	Pronouns audience `yaml:"pronouns,default=NOBODY"`
	Headline audience `yaml:"headline,default=NOBODY"`
	Bio      audience `yaml:"bio,default=NOBODY"`
	Grade    audience `yaml:"grade,default=NOBODY"`
	Region   audience `yaml:"region,default=NOBODY"`
	JoinedOn audience `yaml:"joinedOn,default=NOBODY"`
	Sections audience `yaml:"sections,default=NOBODY"`
}

// membership is a person's time in a section.
type membership struct {
	Section Slug `yaml:"section,required"`
	From    Date `yaml:"from,required"`
	To      Date `yaml:"to"`
}

// committeesFile is committees.yaml.
type committeesFile struct {
	Committees []*committee `yaml:"committees"`
}

// committee is a committee of a section, of a region or of the body.
type committee struct {
	Slug    Slug    `yaml:"slug,required"`
	Name    Line    `yaml:"name,required"`
	Key     Key     `yaml:"key"`
	Section Slug    `yaml:"section"`
	Region  Slug    `yaml:"region"`
	Posts   []*post `yaml:"posts"`
}

// post is an office on a committee.
type post struct {
	Title Line    `yaml:"title,required"`
	Seats int     `yaml:"seats,default=1"`
	Key   Key     `yaml:"key"`
	Terms []*term `yaml:"terms"` // by first day, then person, then key

	position int
}

// term is a person's time in a post.
type term struct {
	Member Slug `yaml:"member,required"`
	From   Date `yaml:"from,required"`
	To     Date `yaml:"to"`
	Key    Key  `yaml:"key"`
}

// careerFile is career.yaml.
type careerFile struct {
	Levels []*level `yaml:"levels"`
}

// level is a step of the career ladder.
type level struct {
	Level step `yaml:"level,required"`
	Title Line `yaml:"title,required"`

	position int // from 1
}

// caseStudy is a file of case-studies/. Its text is the summary.
type caseStudy struct {
	entry
	Person     Line `yaml:"person,required"`
	Headline   Line `yaml:"headline,required"`
	Level      step `yaml:"level,required"`
	LevelLabel Line `yaml:"levelLabel,required"`
	Setting    Line `yaml:"setting"`
	Document   Key  `yaml:"document"`
	Member     Slug `yaml:"member"`
	Section    Slug `yaml:"section"`
	Region     Slug `yaml:"region"`
	ConsentOn  Date `yaml:"consentOn"`
}

// documentsFile is documents.yaml.
type documentsFile struct {
	Documents []*document `yaml:"documents"`
}

// document is a file that can be downloaded.
type document struct {
	entry
	FileName  Line      `yaml:"fileName"`
	MediaType MediaType `yaml:"mediaType,required"`
	ByteSize  int       `yaml:"byteSize"`
	SizeLabel Line      `yaml:"sizeLabel"`
	SHA256    SHA256    `yaml:"sha256"`
	URL       URL       `yaml:"url"`
	// AccessibleAlternatives are other documents, the best one first.
	AccessibleAlternatives []Key `yaml:"accessibleAlternatives"`
}

// redirectsFile is redirects.yaml.
type redirectsFile struct {
	Redirects []*redirect `yaml:"redirects"`
	Gone      []*gone     `yaml:"gone"`
}

// redirect sends visitors of a former address on.
type redirect struct {
	From Path   `yaml:"from,required"`
	To   Target `yaml:"to,required"`

	entry Key // of To, if that is a path
}

// gone is the address of something that was taken away.
type gone struct {
	Path   Path `yaml:"path,required"`
	Reason Line `yaml:"reason"`
}

// The default keys. pageKey is that of a page.

func caseStudyKey(s string) Key { return Key("case-study:" + s) }

func committeeKey(slug Slug) Key { return Key("committee:" + slug) }

func termKey(post Key, t *term) Key { return post + Key("/"+string(t.Member)+"/"+string(t.From)) }

// personKey is the key of a pack's person in the database. It is how an import
// tells people of a pack from members who joined.
func personKey(key Slug) string { return personPrefix + string(key) }

const personPrefix = "person:"

// postKey is the default key of a post.
func postKey(c *committee, p *post) Key {
	return c.Key + Key("/"+slug.Slug(string(p.Title)))
}
