package graph

import (
	"encoding/json"

	"github.com/collegium/collegium/internal/server"
	"github.com/collegium/collegium/internal/trusted"
)

// documentID returns by which id a request names its document: the documentId of
// the GraphQL-over-HTTP draft (appendix A), or the hash of an automatic persisted
// query, which is Apollo's older convention. It is empty if the request does
// neither.
func documentID(p server.Params) (string, *refused) {
	persisted := p.Extensions["persistedQuery"]
	switch {
	case p.DocumentID != "" && p.Query != "":
		return "", refuse(server.Invalid, BadUserInput, "a request has either documentId or query, not both")
	case p.DocumentID != "" && persisted != nil:
		return "", refuse(server.Invalid, BadUserInput, "a request has either documentId or extensions.persistedQuery, not both")
	case p.DocumentID != "":
		return p.DocumentID, nil
	case persisted == nil:
		return "", nil
	}
	object, ok := persisted.(map[string]any)
	if !ok {
		return "", refuse(server.Invalid, BadUserInput, `extensions.persistedQuery must be an object, as {"version": 1, "sha256Hash": "…"}`)
	}
	if object["version"] != json.Number("1") {
		return "", refuse(server.Invalid, BadUserInput, "extensions.persistedQuery.version must be 1, the only version there is")
	}
	id, _ := object["sha256Hash"].(string)
	if id == "" {
		return "", refuse(server.Invalid, BadUserInput,
			"extensions.persistedQuery has no sha256Hash; send 64 hexadecimal digits, the hash of the document in UTF-8")
	}
	return id, nil
}

// hashOf returns the SHA-256 that an id is.
func hashOf(id string) (hash, bool) { return trusted.SHA256(id) }

// notFound refuses a request whose document isn't known. The message of the first
// is that which clients of automatic persisted queries wait for: they send the
// text then.
func (*documents) notFound(p server.Params) *refused {
	if p.DocumentID == "" {
		return refuse(server.Invalid, PersistedQueryNotFound, "PersistedQueryNotFound")
	}
	return refuse(server.Invalid, PersistedQueryNotFound,
		"no document with this documentId is known; send its text as query, or have it added to the trusted documents")
}

// notTrusted refuses whatever isn't trusted, by whatever it was named. It doesn't
// say "not found" to a hash: that would make the client send the text in vain.
func notTrusted() *refused {
	return refuse(server.Forbidden, Forbidden,
		"this server answers trusted documents only, and this is none; add it with the manifest of its client")
}

// notTrustedByKey is notTrusted where only the key asks for it.
func notTrustedByKey() *refused {
	return refuse(server.Forbidden, Forbidden,
		"this key is for trusted documents only, and this is none; add it with the manifest of its client, or ask with another key")
}

func otherText() *refused {
	return refuse(server.Invalid, BadUserInput,
		"the hash isn't that of the query sent with it; send the SHA-256 of exactly this text, in UTF-8")
}
