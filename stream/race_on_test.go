//go:build race

package stream_test

// raceDetector is slow, and allocates.
const raceDetector = true
