package trusted

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/collegium/collegium/internal/errs"
)

// apolloFormat marks the operation manifest of Apollo Client.
const apolloFormat = "apollo-persisted-query-manifest"

// ReadManifest reads a manifest in one of the forms that client tools write:
//
//   - an object from id to text, as GraphQL Code Generator (persistedDocuments)
//     and the Relay compiler (persistConfig) write it;
//   - Apollo's operation manifest, version 1.
//
// The entries are sorted by id. An id that is a SHA-256, bare or after "sha256:",
// must be that of its text; any other id is taken as it is. An error is
// errs.Invalid and lists what is wrong with each entry.
func ReadManifest(data []byte) ([]Entry, error) {
	if !utf8.Valid(data) {
		return nil, errs.Invalidf("", "the manifest isn't valid UTF-8")
	}
	members, err := readObject(data)
	if err != nil {
		return nil, err
	}
	var entries []Entry
	if isApollo(members) {
		entries, err = readApollo(members)
	} else {
		entries, err = readMap(members)
	}
	if err != nil {
		return nil, err
	}
	return checkEntries(entries)
}

// member is a member of a JSON object. They are kept in a list, since a map
// would lose the first of two that have one name.
type member struct {
	name  string
	value json.RawMessage
}

func readObject(data []byte) ([]member, error) {
	dec := json.NewDecoder(bytes.NewReader(data))
	if token, err := dec.Token(); err != nil {
		return nil, notJSON(data)
	} else if token != json.Delim('{') {
		return nil, errs.Invalidf("", `the manifest isn't a JSON object; it should be {"<id>": "<text>", …}, or an operation manifest of Apollo Client`)
	}
	var members []member
	for dec.More() {
		token, err := dec.Token()
		if err != nil {
			return nil, notJSON(data)
		}
		var raw json.RawMessage
		if err := dec.Decode(&raw); err != nil {
			return nil, notJSON(data)
		}
		members = append(members, member{token.(string), raw})
	}
	if _, err := dec.Token(); err != nil {
		return nil, notJSON(data)
	}
	if len(bytes.TrimSpace(data[dec.InputOffset():])) > 0 {
		return nil, errs.Invalidf("", "something follows the JSON object of the manifest, at byte %d", dec.InputOffset())
	}
	return members, nil
}

// notJSON says where the manifest goes wrong.
func notJSON(data []byte) error {
	var raw json.RawMessage
	err := json.Unmarshal(data, &raw)
	if syntax, ok := errors.AsType[*json.SyntaxError](err); ok {
		before := data[:min(int(syntax.Offset), len(data))]
		line := 1 + bytes.Count(before, []byte("\n"))
		return errs.Invalidf("", "the manifest isn't valid JSON: line %d: %s", line, syntax)
	}
	return errs.Invalidf("", "the manifest isn't valid JSON: %s", err)
}

func isApollo(members []member) bool {
	return slices.ContainsFunc(members, func(m member) bool { return m.name == "operations" })
}

func readApollo(members []member) ([]Entry, error) {
	var format string
	var version int
	var operations []struct{ ID, Body string }
	for _, m := range members {
		var into any
		var want string
		switch m.name {
		case "format":
			into, want = &format, "a string"
		case "version":
			into, want = &version, "a number"
		case "operations":
			into, want = &operations, "a list of objects with id and body"
		default:
			continue
		}
		if err := json.Unmarshal(m.value, into); err != nil {
			return nil, errs.Invalidf(m.name, "it must be %s", want)
		}
	}
	if format != apolloFormat {
		return nil, errs.Invalidf("format", "it is %q; of the manifests with operations only %q is read", format, apolloFormat)
	}
	if version != 1 {
		return nil, errs.Invalidf("version", "it is %d; version 1 is read", version)
	}
	entries := make([]Entry, len(operations))
	for i, o := range operations {
		entries[i] = Entry{ID: o.ID, Body: o.Body}
	}
	return entries, nil
}

func readMap(members []member) ([]Entry, error) {
	entries := make([]Entry, len(members))
	invalid := &errs.Invalid{}
	for i, m := range members {
		entries[i].ID = m.name
		if err := json.Unmarshal(m.value, &entries[i].Body); err != nil || string(m.value) == "null" {
			invalid.Fields = append(invalid.Fields, errs.Field{Path: shown(m.name), Message: "its value must be the text of a document, as a string"})
		}
	}
	if len(invalid.Fields) > 0 {
		return nil, invalid
	}
	return entries, nil
}

// checkEntries sorts the entries and returns them without those that stand there
// twice.
func checkEntries(entries []Entry) ([]Entry, error) {
	if len(entries) == 0 {
		return nil, errs.Invalidf("", "the manifest holds no documents")
	}
	invalid := &errs.Invalid{}
	wrong := func(e Entry, format string, args ...any) {
		invalid.Fields = append(invalid.Fields, errs.Field{Path: shown(e.ID), Message: fmt.Sprintf(format, args...)})
	}
	slices.SortStableFunc(entries, func(a, b Entry) int { return strings.Compare(a.ID, b.ID) })
	kept := entries[:0:0]
	for _, e := range entries {
		hash, isHash := SHA256(e.ID)
		switch {
		case !wellFormedID.MatchString(e.ID):
			wrong(e, "an id has 1 to 255 letters, digits and characters of -._~:+/=")
		case strings.TrimSpace(e.Body) == "":
			wrong(e, "its text is empty")
		case len(e.Body) > MaxBodyBytes:
			wrong(e, "its text has %d bytes; at most %d are stored", len(e.Body), MaxBodyBytes)
		case strings.ContainsRune(e.Body, 0):
			wrong(e, "its text holds a NUL character")
		case strings.HasPrefix(e.ID, sha256Prefix) && !isHash:
			wrong(e, "after sha256: there must be 64 hexadecimal digits")
		case isHash && hash != sha256.Sum256([]byte(e.Body)):
			sum := sha256.Sum256([]byte(e.Body))
			wrong(e, "it is no SHA-256 of its text, which has %s; was the manifest changed after it was written?", hex.EncodeToString(sum[:]))
		case len(kept) > 0 && kept[len(kept)-1].ID == e.ID:
			if kept[len(kept)-1].Body != e.Body {
				wrong(e, "it stands there twice, with different texts")
			}
		default:
			kept = append(kept, e)
		}
	}
	if len(invalid.Fields) > 0 {
		return nil, invalid
	}
	return kept, nil
}

// shown cuts an id to a length that fits a message.
func shown(id string) string {
	if len(id) > 80 {
		return fmt.Sprintf("%.80q…", id)
	}
	if !wellFormedID.MatchString(id) {
		return fmt.Sprintf("%q", id)
	}
	return id
}

const sha256Prefix = "sha256:"

// SHA256 returns the hash that an id of a document is: 64 hexadecimal digits, by
// themselves or after "sha256:" (the SHA256 hex document identifier of the
// GraphQL-over-HTTP draft, appendix A). False means that it is another id.
func SHA256(id string) (hash [sha256.Size]byte, ok bool) {
	digits := strings.TrimPrefix(id, sha256Prefix)
	if len(digits) != 2*sha256.Size {
		return hash, false
	}
	_, err := hex.Decode(hash[:], []byte(digits))
	return hash, err == nil
}
