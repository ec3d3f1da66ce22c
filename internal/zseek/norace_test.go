//go:build !race

package zseek

const raceEnabled = false
