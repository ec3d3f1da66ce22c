//go:build !unix

package main

import "syscall"

var endingSignals = []syscall.Signal{syscall.SIGINT, syscall.SIGTERM}

const pipeSignal = syscall.SIGPIPE

func dieOfInterrupt() {}
