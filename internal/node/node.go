// Package node knows the identity of things: the UUID in the database and the
// opaque ID in the graph.
package node

import (
	"encoding/base64"
	"strings"

	"github.com/google/uuid"

	"github.com/collegium/collegium/internal/errs"
)

// Node is anything that has an ID in the graph.
type Node interface {
	// NodeID returns the opaque ID: base64url of "Type:uuid".
	NodeID() string
}

// namespace makes the IDs of keyed things; it is a constant of the product.
var namespace = uuid.MustParse("6f0ed8fb-5a0e-5b5c-8a6f-0d9f0f6a3c11")

// Keyed returns the UUID of a thing that has a stable key in a content pack:
// the same in every database, so an ID survives a new import (UUIDv5, RFC 9562
// section 5.5).
func Keyed(kind, key string) uuid.UUID {
	return uuid.NewSHA1(namespace, []byte(kind+":"+key))
}

// ID returns the opaque ID in the graph of a thing of a type.
func ID(typeName string, id uuid.UUID) string {
	var room [96]byte
	quoted := AppendID(room[:0], typeName, id)
	return string(quoted[1 : len(quoted)-1])
}

// AppendID appends what ID returns as a JSON string.
func AppendID(dst []byte, typeName string, id uuid.UUID) []byte {
	var room [64]byte
	raw := append(append(room[:0], typeName...), ':')
	n := len(raw)
	raw = append(raw, "00000000-0000-0000-0000-000000000000"...)
	encodeHex(raw[n:], id)
	dst = base64.RawURLEncoding.AppendEncode(append(dst, '"'), raw)
	return append(dst, '"')
}

func encodeHex(dst []byte, id uuid.UUID) {
	const digits = "0123456789abcdef"
	j := 0
	for i, b := range id {
		if i == 4 || i == 6 || i == 8 || i == 10 {
			dst[j] = '-'
			j++
		}
		dst[j], dst[j+1] = digits[b>>4], digits[b&15]
		j += 2
	}
}

// Parse reads an opaque ID. The error is bad input at the given path of the
// request, with a text that can be shown.
func Parse(path, opaque string) (typeName string, id uuid.UUID, err error) {
	bad := func() (string, uuid.UUID, error) {
		return "", uuid.Nil, errs.Invalidf(path, "%.80q is not an ID; pass an ID that the graph returned", opaque)
	}
	if len(opaque) > 128 {
		return bad()
	}
	raw, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(opaque, "="))
	if err != nil {
		return bad()
	}
	typeName, text, ok := strings.Cut(string(raw), ":")
	if !ok || typeName == "" || len(text) != 36 {
		return bad()
	}
	id, err = uuid.Parse(text)
	if err != nil {
		return bad()
	}
	return typeName, id, nil
}

// ParseOf reads an opaque ID that must be of one type.
func ParseOf(path, typeName, opaque string) (uuid.UUID, error) {
	got, id, err := Parse(path, opaque)
	if err != nil {
		return uuid.Nil, err
	}
	if got != typeName {
		return uuid.Nil, errs.Invalidf(path, "%.80q is the ID of a %s; pass the ID of a %s", opaque, got, typeName)
	}
	return id, nil
}
