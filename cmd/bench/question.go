package main

import (
	"encoding/json"
	"strings"

	"github.com/google/uuid"

	"github.com/collegium/collegium/internal/node"
)

// question is something that a client asks, as GraphQL and as the statement that
// a person would write for it by hand.
type question struct {
	Name, About string
	query       string
	sql         string
	// peer is the query for PostGraphile; empty if it isn't asked.
	peer string
	// variants are the arguments with which it is asked, in turn.
	variants []variant
	// connections is how many ask at once; 0 leaves it to the flag.
	connections int
	// greeted says that hello is measured beside it.
	greeted bool
}

// variant is one set of arguments: variables of the document and the same as
// arguments of the statement.
type variant struct {
	variables map[string]any
	args      []string
}

// plain returns the variables with each ID as it stands in the database.
func (v variant) plain() map[string]any {
	variables := map[string]any{}
	for name := range v.variables { // there is one at most
		variables[name] = v.args[0]
	}
	return variables
}

// request is a request as it goes over the wire.
type request struct {
	// key is what tells it from others: the body, or the query string of a GET.
	key  string
	wire []byte
}

// asks says whether a contestant is asked the question.
func (q question) asks(contestant string) bool {
	switch contestant {
	case hello:
		return q.greeted
	case postgraphile:
		return q.peer != ""
	default:
		return true
	}
}

// requests returns what a contestant is asked, a request for each variant.
func (q question) requests(contestant string) []request {
	if contestant == hello {
		return []request{{wire: post(`{"query":"{ hello }"}`)}}
	}
	requests := make([]request, len(q.variants))
	for i, v := range q.variants {
		query, variables := q.query, v.variables
		if contestant == postgraphile {
			query, variables = q.peer, v.plain()
		}
		body, err := json.Marshal(map[string]any{"query": query, "variables": variables})
		if err != nil { // strings always marshal
			panic(err)
		}
		requests[i] = request{string(body), post(string(body))}
	}
	return requests
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

// questions returns what is asked. They are those of the measurements that the
// goals stand on.
func questions(s subjects) []question {
	plain := []variant{{}}
	bySlug := make([]variant, len(s.sections))
	for i, slug := range s.sections {
		bySlug[i] = variant{map[string]any{"slug": slug}, []string{slug}}
	}
	byID := make([]variant, len(s.members))
	for i, id := range s.members {
		byID[i] = variant{map[string]any{"id": node.ID("Member", id)}, []string{id.String()}}
	}
	list := []question{
		{Name: "Q1", About: "the whole main menu, nested", query: menuQuery("main", s.mainDepth), sql: menuSQL("main", s.mainDepth), variants: plain},
		{Name: "Q1L", About: "the whole large menu, nested, 1 connection", query: menuQuery(largeMenu, s.largeDepth), sql: menuSQL(largeMenu, s.largeDepth), variants: plain, connections: 1},
		{Name: "Q2", About: "a section by slug, 20 members, grade, region", query: sectionQuery, sql: sectionSQL, variants: bySlug},
		{Name: "Q3", About: "the regions, 10 members of each, their sections", query: regionsQuery, sql: regionsSQL, variants: plain},
		{Name: "Q4", About: "a member by ID", query: memberQuery, sql: memberSQL, variants: byID},
		{Name: "Q5", About: "8 case studies, member, region", query: caseStudiesQuery, sql: caseStudiesSQL, variants: plain},
		{Name: "Q6", About: "regions, 5 members, their sections, 5 members, region", query: deepRegionsQuery, sql: deepRegionsSQL, variants: plain},
		{Name: "Q7", About: "8 case studies, member, sections, 5 members", query: deepCaseStudiesQuery, sql: deepCaseStudiesSQL, variants: plain},
	}
	peers := postgraphileQueries(s)
	for i := range list {
		list[i].peer = peers[list[i].Name]
	}
	return list
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
