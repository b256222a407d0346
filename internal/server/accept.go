package server

import (
	"mime"
	"strconv"
	"strings"
)

// The media types of an answer (GraphQL over HTTP, "Media Types").
const (
	mediaGraphQL = "application/graphql-response+json"
	mediaJSON    = "application/json"
)

// accepted is what negotiate says.
type accepted struct {
	media string
	ok    bool
}

// accepts is negotiate of one Accept header.
var accepts = newOfHeader(func(header string) (a accepted) {
	a.media, a.ok = negotiateAll([]string{header})
	return a
})

// negotiate picks the media type of an answer from the Accept headers of the request (RFC 9110, section 12.5.1); false
// means that the client takes neither. Without the header, and under a wildcard, it is application/json. Of two that
// the client likes equally, the one it names first wins.
func negotiate(accept []string) (media string, ok bool) {
	switch len(accept) {
	case 0:
		return mediaJSON, true
	case 1:
		a := accepts.get(accept[0])
		return a.media, a.ok
	default:
		return negotiateAll(accept)
	}
}

func negotiateAll(accept []string) (media string, ok bool) {
	graphQL, json := preference{at: -1}, preference{at: -1}
	at := 0
	for _, header := range accept {
		for item := range strings.SplitSeq(header, ",") {
			item = strings.TrimSpace(item)
			if item == "" {
				continue
			}
			at++
			mediaRange, params, err := mime.ParseMediaType(item)
			if err != nil {
				continue
			}
			if charset, named := params["charset"]; named && !isUTF8(charset) {
				continue
			}
			q := 1.0
			if v, named := params["q"]; named {
				if q, err = strconv.ParseFloat(v, 64); err != nil || !(q >= 0 && q <= 1) {
					continue
				}
			}
			switch mediaRange {
			case mediaGraphQL:
				graphQL.take(q, 3, at)
			case mediaJSON:
				json.take(q, 3, at)
			case "application/*":
				graphQL.take(q, 2, at)
				json.take(q, 2, at)
			case "*/*":
				graphQL.take(q, 1, at)
				json.take(q, 1, at)
			}
		}
	}
	if at == 0 { // an empty header says nothing
		return mediaJSON, true
	}
	switch {
	case graphQL.q <= 0 && json.q <= 0:
		return mediaJSON, false
	case graphQL.q > json.q, graphQL.q == json.q && graphQL.specific == 3 && graphQL.at < json.at,
		graphQL.q == json.q && graphQL.specific > json.specific:
		return mediaGraphQL, true
	default:
		return mediaJSON, true
	}
}

// preference is how much a client likes one media type, said by the most specific range that covers it.
type preference struct {
	q        float64
	specific int
	at       int
}

func (p *preference) take(q float64, specific, at int) {
	if specific > p.specific {
		*p = preference{q: q, specific: specific, at: at}
	}
}

func isUTF8(charset string) bool {
	return strings.EqualFold(charset, "utf-8") || strings.EqualFold(charset, "utf8")
}

// checkContentType says what is wrong with the media type of a request body, or returns nil.
func checkContentType(contentType []string) *refusal {
	const want = "Send the request as application/json in UTF-8."
	switch {
	case len(contentType) == 0 || contentType[0] == "":
		return unsupportedMedia("The request has no Content-Type. " + want)
	case len(contentType) > 1:
		return unsupportedMedia("The request has several Content-Type headers. " + want)
	}
	switch contentTypeKinds.get(contentType[0]) {
	case unreadable:
		return unsupportedMedia("The Content-Type of the request can't be read. " + want)
	case otherMedia:
		return unsupportedMedia("The Content-Type of the request isn't supported here. " + want)
	case otherCharset:
		return unsupportedMedia("The charset of the request isn't supported here. " + want)
	default:
		return nil
	}
}

// contentTypeKind is what a Content-Type is to this server.
type contentTypeKind int

const (
	jsonUTF8 contentTypeKind = iota
	unreadable
	otherMedia
	otherCharset
)

var contentTypeKinds = newOfHeader(func(header string) contentTypeKind {
	media, params, err := mime.ParseMediaType(header)
	switch {
	case err != nil:
		return unreadable
	case media != mediaJSON:
		return otherMedia
	}
	if charset, named := params["charset"]; named && !isUTF8(charset) {
		return otherCharset
	}
	return jsonUTF8
})
