// Package failure classifies what ends a run by whose fault it is (docs/contract.md, "Exit status").
package failure

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// Class says who is to blame.
type Class string

// The classes of the contract.
const (
	Internal    Class = "internal"
	Usage       Class = "usage"
	Environment Class = "environment"
	Connect     Class = "connect"
	Transfer    Class = "transfer"
	Unsupported Class = "unsupported"
	Interrupted Class = "interrupted"
)

// ExitStatus is the process's status for the class. Nothing else decides statuses.
func (c Class) ExitStatus() int {
	switch c {
	case Usage:
		return 2
	case Environment:
		return 3
	case Connect:
		return 4
	case Transfer:
		return 5
	case Unsupported:
		return 127
	case Interrupted:
		return 130
	default:
		return 1
	}
}

// Phase says what the node was doing.
type Phase string

// The phases of the contract.
const (
	Configuration Phase = "configuration"
	Coordination  Phase = "coordination"
	Listen        Phase = "listen"
	Dial          Phase = "dial"
	Upload        Phase = "upload"
	Download      Phase = "download"
	Latency       Phase = "latency"
	Report        Phase = "report"
)

// defaultClass is the class of an unclassified error that came out of the phase.
func (p Phase) defaultClass() Class {
	switch p {
	case Configuration:
		return Usage
	case Dial:
		return Connect
	case Upload, Download, Latency:
		return Transfer
	default:
		return Environment
	}
}

// Failure ends a run with a status other than 0. Its message is one line.
type Failure struct {
	Class   Class
	Phase   Phase
	Message string
}

// Error gives the message alone.
func (f *Failure) Error() string { return f.Message }

// New makes a failure; the message is brought onto one line.
func New(class Class, phase Phase, format string, arguments ...any) *Failure {
	return &Failure{Class: class, Phase: phase, Message: oneLine(fmt.Sprintf(format, arguments...))}
}

// From classifies err: kept where it is a *Failure already, else of the phase's default class.
func From(phase Phase, err error) *Failure {
	var failure *Failure
	if errors.As(err, &failure) {
		return failure
	}
	return New(phase.defaultClass(), phase, "%s", err)
}

// LastLine is the last line on stderr of a process that failed: a YAML flow mapping.
func (f *Failure) LastLine() string {
	return fmt.Sprintf("failure: {class: %s, message: %s}", f.Class, strconv.Quote(f.Message))
}

// oneLine flattens text: go-libp2p lists the reasons of a failed dial one below the other.
func oneLine(text string) string {
	return strings.Join(strings.Fields(text), " ")
}
