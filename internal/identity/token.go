package identity

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
)

// newToken returns 256 random bits as 43 characters that can stand in a header, a
// cookie and an address.
func newToken() string {
	var b [32]byte
	_, _ = rand.Read(b[:]) // it never fails
	return base64.RawURLEncoding.EncodeToString(b[:])
}

// hashOf returns what is stored of a token. A token is random, so one round is
// enough. What is no token has the hash of none.
func hashOf(token string) []byte {
	if len(token) != 43 {
		token = ""
	}
	sum := sha256.Sum256([]byte(token))
	return sum[:]
}
