//go:build unix

package main

import (
	"os/signal"
	"syscall"
	"time"
)

// endingSignals ask a program to end. Left to the Go runtime, SIGQUIT (Ctrl-\) would
// print every goroutine and leave behind what was begun.
var endingSignals = []syscall.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGQUIT}

const pipeSignal = syscall.SIGPIPE

// dieOfInterrupt ends the program as SIGINT does when nobody catches it. A shell
// ends a loop on Ctrl-C only if the command in it died that way; one that exits
// with 130 would have it start on the next file.
func dieOfInterrupt() {
	signal.Reset(syscall.SIGINT)
	if syscall.Kill(syscall.Getpid(), syscall.SIGINT) == nil {
		time.Sleep(time.Second)
	}
}
