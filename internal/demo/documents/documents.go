// Package documents holds the source documents that `brodaemon demo` saves in
// its folder: one or two of each kind that field offices deliver, and three
// that do not make it. All are of the project's own making. Objects, numbers,
// names and measurements are invented; the elements and their order follow the
// BRO's schemas as far as a demonstration needs, but no document was validated
// against them.
//
// The additions and corrections are about GMW000000100001 and GLD000000100001,
// which the sandbox portal knows from the start. Three files are not delivered,
// each for a reason of its own:
//
//   - put-07.xml is not valid: it states a wellStability although its ground
//     level is stable. The sandbox, which has no schemas, recognises it by the
//     word BRODAEMON-ONGELDIG in objectIdAccountableParty;
//   - "meetnet noord.xml" is cut off, as by a copy that was broken off;
//   - GLD000000100002.xml is an answer downloaded from the BRO.
package documents

import (
	"embed"
	"io/fs"
)

// FS holds the documents, all at its top, under names such as people give.
//
//go:embed *.xml
var FS embed.FS

// Names returns the names of the documents in FS in alphabetical order.
func Names() ([]string, error) { return fs.Glob(FS, "*.xml") }
