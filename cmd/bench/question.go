package main

import (
	"encoding/json"
	"net/url"
	"slices"
	"strings"

	"github.com/google/uuid"

	"github.com/collegium/collegium/internal/node"
)

// question is something that a client asks.
type question struct {
	Name, About string
	// variants are what is asked in turn.
	variants []variant
	form     form
	// connections is how many ask at once; 0 leaves it to the flag.
	connections int
	// only lists who is measured; nil stands for all.
	only []string
	// greeted says that hello is measured beside it.
	greeted bool
}

// form is how a question is put.
type form int

const (
	// byPost is a POST of a JSON object.
	byPost form = iota
	// byGet is a GET with the document in the address.
	byGet
	// unchanged is a GET that names the answer that the client has.
	unchanged
)

// variant is one question as GraphQL, as the statement that a person would write
// for it by hand, and as PostGraphile has it; empty if it isn't asked.
type variant struct {
	query     string
	variables map[string]any
	sql       string
	args      []string
	peer      string
}

// request is a request as it goes over the wire. key is what tells it from
// others: the body, or the query string of a GET.
type request struct {
	key  string
	wire []byte
}

// asks says whether a contestant is measured on the question.
func (q question) asks(contestant string) bool {
	switch contestant {
	case hello:
		return q.greeted
	case postgraphile:
		return q.only == nil && q.variants[0].peer != ""
	default:
		return q.only == nil || slices.Contains(q.only, contestant)
	}
}

// requests returns what a contestant is asked, a request for each variant.
func (q question) requests(contestant string) []request {
	requests := make([]request, len(q.variants))
	for i, v := range q.variants {
		switch {
		case contestant == hello && q.form == byPost:
			return []request{{wire: post(`{"query":"{ hello }"}`)}}
		case q.form == byPost:
			body := string(v.json(contestant))
			requests[i] = request{body, post(body)}
		default:
			values := url.Values{"query": {v.query}}
			if v.variables != nil {
				values.Set("variables", string(marshal(v.variables)))
			}
			requests[i] = request{values.Encode(), get(values.Encode())}
		}
	}
	return requests
}

// json returns the body of a POST to a contestant. PostGraphile knows things by
// their IDs in the database, which are what the statement is given.
func (v variant) json(contestant string) []byte {
	query, variables := v.query, v.variables
	if contestant == postgraphile {
		query, variables = v.peer, map[string]any{}
		for name := range v.variables { // there is one at most
			variables[name] = v.args[0]
		}
	}
	return marshal(map[string]any{"query": query, "variables": variables})
}

// marshal returns strings and what consists of them as JSON.
func marshal(v any) []byte {
	text, err := json.Marshal(v)
	if err != nil {
		panic(err) // strings always marshal
	}
	return text
}

// subjects are what the data hold for the questions to ask of.
type subjects struct {
	sections []string    // slugs
	members  []uuid.UUID // whom everyone may see
	// mainDepth and largeDepth are how many levels the menus have.
	mainDepth, largeDepth int
}

// largeMenu is the handle of the menu that the generator makes.
const largeMenu = "large"

// getSuffix ends the name of a question that is asked by GET; notModified is the
// name of the one whose answer the client has.
const (
	getSuffix   = "-GET"
	notModified = "304"
)

// questions returns what is asked. Q1 to Q7 are those of the measurements that
// the goals stand on; the others are Q1 to Q5 as clients ask whose answers are
// kept.
func questions(s subjects) []question {
	one := func(query, sql, peer string) []variant { return []variant{{query: query, sql: sql, peer: peer}} }
	var bySlug, byID []variant
	for _, slug := range s.sections {
		bySlug = append(bySlug, variant{sectionQuery, map[string]any{"slug": slug}, sectionSQL, []string{slug}, sectionPeerQuery})
	}
	for _, id := range s.members {
		byID = append(byID, variant{memberQuery, map[string]any{"id": node.ID("Member", id)}, memberSQL, []string{id.String()}, memberPeerQuery})
	}
	menu := func(handle string, depth int) []variant {
		return one(menuQuery(handle, depth), menuSQL(handle, depth), menuPeerQuery(handle, depth))
	}
	list := []question{
		{Name: "Q1", About: "the whole main menu, nested", variants: menu("main", s.mainDepth)},
		{Name: "Q1L", About: "the whole large menu, nested, 1 connection", variants: menu(largeMenu, s.largeDepth), connections: 1},
		{Name: "Q2", About: "a section by slug, 20 members, grade, region", variants: bySlug},
		{Name: "Q3", About: "the regions, 10 members of each, their sections", variants: one(regionsQuery, regionsSQL, regionsPeerQuery)},
		{Name: "Q4", About: "a member by ID", variants: byID},
		{Name: "Q5", About: "8 case studies, member, region", variants: one(caseStudiesQuery, caseStudiesSQL, caseStudiesPeerQuery)},
		{Name: "Q6", About: "regions, 5 members, their sections, 5 members, region", variants: one(deepRegionsQuery, deepRegionsSQL, "")},
		{Name: "Q7", About: "8 case studies, member, sections, 5 members", variants: one(deepCaseStudiesQuery, deepCaseStudiesSQL, "")},
	}
	last := question{
		Name: notModified, About: "Q1 to Q5 in turn by GET, unchanged since the client last asked",
		form: unchanged, only: []string{cached}, greeted: true,
	}
	for _, q := range slices.Clone(list) {
		if slices.Contains(soakQuestions, q.Name) {
			last.variants = append(last.variants, q.variants[:min(1, len(q.variants))]...)
			q.About += ", by GET"
			q.Name, q.form, q.only = q.Name+getSuffix, byGet, []string{cached, bare}
			list = append(list, q)
		}
	}
	return append(list, last)
}

// menuQuery asks for a menu of so many levels.
func menuQuery(handle string, depth int) string {
	const fields = `label kind href depth isCanonical access`
	return `query Menu { menu(handle: "` + handle + `") { title roots { ` + fields +
		strings.Repeat(` children { `+fields, depth-1) + strings.Repeat(` }`, depth-1) + ` } } }`
}

const (
	sectionQuery = `query Section($slug: String!) { specialistSection(slug: $slug) { name members(first: 20) { nodes { displayName headline grade region { name } } } } }`

	regionsQuery = `query Regions { regions { name members(first: 10) { nodes { displayName sections { name } } } } }`

	memberQuery = `query Member($id: ID!) { member(id: $id) { displayName pronouns headline bio grade joinedOn } }`

	caseStudiesQuery = `query CaseStudies { caseStudies(first: 8) { nodes { person headline level member { displayName grade } region { name nation } } } }`

	deepRegionsQuery = `query DeepRegions { regions { name members(first: 5) { nodes { displayName sections { name members(first: 5) { nodes { displayName region { name } } } } } } } }`

	deepCaseStudiesQuery = `query DeepCaseStudies { caseStudies(first: 8) { nodes { person member { displayName sections { name members(first: 5) { nodes { displayName grade } } } } } } }`
)
