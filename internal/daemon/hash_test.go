package daemon_test

import (
	"crypto/sha256"
	"encoding/hex"
)

// hashOf is the SHA-256 of a document as the portal's books and the queue write it.
func hashOf(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}
