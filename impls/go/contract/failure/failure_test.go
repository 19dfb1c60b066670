package failure

import (
	"errors"
	"fmt"
	"testing"
)

func TestStatusesAreThoseOfTheContract(t *testing.T) {
	want := map[Class]int{
		Internal: 1, Usage: 2, Environment: 3, Connect: 4, Transfer: 5, Unsupported: 127, Interrupted: 130,
	}
	for class, status := range want {
		if got := class.ExitStatus(); got != status {
			t.Errorf("%s: %d, want %d", class, got, status)
		}
	}
}

func TestAPlainErrorTakesTheClassOfItsPhase(t *testing.T) {
	want := map[Phase]Class{
		Configuration: Usage, Coordination: Environment, Listen: Environment, Report: Environment,
		Dial: Connect, Upload: Transfer, Download: Transfer, Latency: Transfer,
	}
	for phase, class := range want {
		if got := From(phase, errors.New("gone")); got.Class != class || got.Phase != phase {
			t.Errorf("%s: %+v", phase, got)
		}
	}
}

func TestAFailureKeepsItsClass(t *testing.T) {
	inner := New(Unsupported, Configuration, "no")
	if got := From(Upload, fmt.Errorf("outer: %w", inner)); got != inner {
		t.Errorf("%+v", got)
	}
}

func TestTheLastLineIsOneLineOfYAML(t *testing.T) {
	got := New(Connect, Dial, "all dials failed\n  * \"refused\"").LastLine()
	want := `failure: {class: connect, message: "all dials failed * \"refused\""}`
	if got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}
