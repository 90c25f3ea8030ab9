//go:build race

package document

// raceDetector makes the large tests smaller: under it they take ten times as long.
const raceDetector = true
