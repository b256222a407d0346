package main

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
)

// The pages of the directory that are measured: the first, and one so far in
// that an OFFSET would tell. Nine members a page leave enough pages of 50,000
// members, since not everyone shows themselves.
const (
	pageSize = 9
	deepPage = 5000

	firstPage = "P1"
	laterPage = "P5000"

	pageQuery = `query Page($first: Int, $after: String) { members(first: $first, after: $after) {
		nodes { displayName headline grade } pageInfo { endCursor } } }`
)

// pages returns the questions for the first page of the directory and for a later
// one, as far as there are that many, and lets collegium learn them. Where a page
// begins only the server knows, so it is asked page by page.
func (o *options) pages(ctx context.Context, p *process) (list []question, err error) {
	if !o.wants(firstPage) && !o.wants(laterPage) {
		return nil, nil
	}
	var count struct {
		Members struct{ TotalCount int }
	}
	if err := p.ask(ctx, `query Count { members(first: 1) { totalCount } }`, nil, &count); err != nil {
		return nil, err
	}
	number := max(1, min(deepPage, count.Members.TotalCount/pageSize))
	var after *string
	for left := (number - 1) * pageSize; left > 0; {
		n := min(left, 100)
		var page struct {
			Members struct{ PageInfo struct{ EndCursor *string } }
		}
		if err := p.ask(ctx, pageQuery, map[string]any{"first": n, "after": after}, &page); err != nil {
			return nil, err
		}
		after = page.Members.PageInfo.EndCursor
		left -= n
	}
	list = []question{
		{
			Name: firstPage, About: fmt.Sprintf("page 1 of the directory, %d members", pageSize), only: []string{ours},
			variants: []variant{{query: pageQuery, variables: map[string]any{"first": pageSize}}},
		},
		{
			Name: laterPage, About: fmt.Sprintf("page %s of the directory", thousands(int64(number))), only: []string{ours},
			variants: []variant{{query: pageQuery, variables: map[string]any{"first": pageSize, "after": after}}},
		},
	}
	for _, q := range list {
		if _, err := p.learn(ctx, q); err != nil {
			return nil, err
		}
	}
	return list, nil
}

// ask asks the graph once and reads the data of the answer.
func (p *process) ask(ctx context.Context, query string, variables map[string]any, data any) error {
	body, err := json.Marshal(map[string]any{"query": query, "variables": variables})
	if err != nil {
		return err
	}
	text, _, err := once(ctx, p.at.Graph, post(string(body)))
	if err != nil {
		return err
	}
	answer := struct {
		Data   any
		Errors json.RawMessage
	}{Data: data}
	if err := json.Unmarshal(text, &answer); err != nil {
		return err
	}
	if answer.Errors != nil {
		return fmt.Errorf("%s: %.500s", strings.Fields(query)[1], answer.Errors)
	}
	return nil
}
