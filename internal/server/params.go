package server

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/url"
	"unicode/utf8"
)

// The members of a request (GraphQL over HTTP, "Request Parameters" and "Persisted Document Request Parameters"). Others
// are ignored, as the specification asks.
const (
	paramDocumentID    = "documentId"
	paramQuery         = "query"
	paramOperationName = "operationName"
	paramVariables     = "variables"
	paramExtensions    = "extensions"
)

// parseBody reads the JSON object that a POST carries.
func parseBody(body []byte) (Params, *refusal) {
	if r := plainBody(body); r.ok {
		return r.params, nil
	}
	return parseAnyBody(body)
}

// parseAnyBody reads what parsePlainBody leaves. Its errors say where the object is wrong and never what stood there.
func parseAnyBody(body []byte) (Params, *refusal) {
	var p Params
	if !utf8.Valid(body) {
		return p, badRequest("The body isn't valid UTF-8.")
	}
	switch trimmed := bytes.TrimLeft(body, " \t\r\n"); {
	case len(trimmed) == 0:
		return p, badRequest(`The body is empty. Send a JSON object with the document in its member "query".`)
	case trimmed[0] == '[':
		return p, badRequest("The body is a JSON array, but batches aren't supported. Send one JSON object a request.")
	}

	dec := json.NewDecoder(bytes.NewReader(body))
	if token, err := dec.Token(); err != nil {
		return p, notJSON(body)
	} else if token != json.Delim('{') {
		return p, badRequest(`The body isn't a JSON object. Send an object with the document in its member "query".`)
	}
	seen := make(map[string]json.RawMessage, 4)
	for dec.More() {
		token, err := dec.Token()
		if err != nil {
			return p, notJSON(body)
		}
		var raw json.RawMessage
		if err := dec.Decode(&raw); err != nil {
			return p, notJSON(body)
		}
		switch name, _ := token.(string); name {
		case paramQuery, paramDocumentID, paramOperationName, paramVariables, paramExtensions:
			if _, twice := seen[name]; twice {
				return p, badRequest("The member %q of the body stands there twice.", name)
			}
			seen[name] = raw
		}
	}
	if _, err := dec.Token(); err != nil {
		return p, notJSON(body)
	}
	end := dec.InputOffset()
	if rest := bytes.TrimLeft(body[end:], " \t\r\n"); len(rest) > 0 {
		return p, badRequest("Something follows the JSON object of the body, at byte %d. Send one JSON object and nothing after it.", len(body)-len(rest))
	}

	var f *refusal
	if p.Query, f = stringMember(seen, paramQuery); f != nil {
		return p, f
	}
	if p.DocumentID, f = stringMember(seen, paramDocumentID); f != nil {
		return p, f
	}
	if p.OperationName, f = stringMember(seen, paramOperationName); f != nil {
		return p, f
	}
	if p.Variables, f = objectMember(seen, paramVariables); f != nil {
		return p, f
	}
	if p.Variables != nil {
		p.VariablesText = string(seen[paramVariables])
	}
	if p.Extensions, f = objectMember(seen, paramExtensions); f != nil {
		return p, f
	}
	if isAbsent(seen[paramQuery]) && !namesDocument(p) {
		return p, badRequest(`The body has no member "query". Put the document there, as a string, or name it in "documentId".`)
	}
	return p, nil
}

// parseURL reads the parameters of a GET from its query string.
func parseURL(rawQuery string) (Params, *refusal) {
	if r := plainURL(rawQuery); r.ok {
		return r.params, nil
	}
	return parseAnyURL(rawQuery)
}

func parseAnyURL(rawQuery string) (Params, *refusal) {
	p := Params{ReadOnly: true}
	values, err := url.ParseQuery(rawQuery)
	if err != nil {
		return p, badRequest("The query string of the address is malformed. Encode its values, also %% and ;, as in %%25 and %%3B.")
	}
	for _, name := range []string{paramQuery, paramDocumentID, paramOperationName, paramVariables, paramExtensions} {
		switch v := values[name]; {
		case len(v) > 1:
			return p, badRequest("The parameter %q of the address stands there twice.", name)
		case len(v) == 1 && !utf8.ValidString(v[0]):
			return p, badRequest("The parameter %q of the address isn't valid UTF-8.", name)
		}
	}
	p.Query = values.Get(paramQuery)
	p.DocumentID = values.Get(paramDocumentID)
	p.OperationName = values.Get(paramOperationName)
	var f *refusal
	if p.Variables, f = objectParam(values, paramVariables); f != nil {
		return p, f
	}
	if p.Variables != nil {
		p.VariablesText = values.Get(paramVariables)
	}
	if p.Extensions, f = objectParam(values, paramExtensions); f != nil {
		return p, f
	}
	if !values.Has(paramQuery) && !namesDocument(p) {
		return p, badRequest(`The address has no parameter "query". Put the document there, or name it in "documentId", or send it by POST. An editor is at /graphiql.`)
	}
	return p, nil
}

// namesDocument says whether a request names its document instead of carrying it: by an id, or by the hash of an automatic
// persisted query. Whether there is such a document is for Execute to say.
func namesDocument(p Params) bool {
	return p.DocumentID != "" || p.Extensions["persistedQuery"] != nil
}

// notJSON says where a body that can't be read goes wrong. The decoder of a stream counts from the last token, so the
// body is read once more as a whole.
func notJSON(body []byte) *refusal {
	var raw json.RawMessage
	var syntax *json.SyntaxError
	if err := json.Unmarshal(body, &raw); errors.As(err, &syntax) && syntax.Error() != "unexpected end of JSON input" {
		return badRequest("The body isn't valid JSON: it goes wrong at byte %d.", syntax.Offset)
	}
	return badRequest("The JSON of the body ends too early.")
}

func isAbsent(raw json.RawMessage) bool {
	return len(raw) == 0 || string(raw) == "null"
}

func stringMember(members map[string]json.RawMessage, name string) (string, *refusal) {
	raw := members[name]
	if isAbsent(raw) {
		return "", nil
	}
	var s string
	if err := json.Unmarshal(raw, &s); err != nil {
		return "", badRequest("The member %q of the body must be a string, not %s.", name, kindOf(raw))
	}
	return s, nil
}

func objectMember(members map[string]json.RawMessage, name string) (map[string]any, *refusal) {
	raw := members[name]
	if isAbsent(raw) {
		return nil, nil
	}
	object, err := decodeObject(raw)
	if err != nil {
		return nil, badRequest("The member %q of the body must be an object, not %s.", name, kindOf(raw))
	}
	return object, nil
}

func objectParam(values url.Values, name string) (map[string]any, *refusal) {
	v := values.Get(name)
	if v == "" || v == "null" {
		return nil, nil
	}
	if !json.Valid([]byte(v)) {
		return nil, badRequest("The parameter %q of the address isn't valid JSON.", name)
	}
	object, err := decodeObject([]byte(v))
	if err != nil {
		return nil, badRequest("The parameter %q of the address must be a JSON object, not %s.", name, kindOf([]byte(v)))
	}
	return object, nil
}

// decodeObject reads valid JSON that should be an object, and keeps numbers as they are written.
func decodeObject(raw []byte) (map[string]any, error) {
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	var object map[string]any
	err := dec.Decode(&object)
	return object, err
}

// kindOf names the kind of a JSON value by how it begins.
func kindOf(raw []byte) string {
	raw = bytes.TrimLeft(raw, " \t\r\n")
	switch raw[0] {
	case '{':
		return "an object"
	case '[':
		return "an array"
	case '"':
		return "a string"
	case 't', 'f':
		return "a boolean"
	case 'n':
		return "null"
	default:
		return "a number"
	}
}
