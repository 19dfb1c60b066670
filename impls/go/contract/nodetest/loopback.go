// Package nodetest is the behaviour that every node's every stack must show, with both roles in one
// process on loopback.
package nodetest

import (
	"context"
	"errors"
	"net/netip"
	"sync"
	"testing"
	"time"

	"perf.test/contract/exchange"
	"perf.test/contract/failure"
	"perf.test/contract/measure"
	"perf.test/contract/node"
	"perf.test/contract/settings"
)

// patience bounds a test and a stream on which nothing moves.
const patience = 30 * time.Second

// Config is one of stack on loopback, any free port.
func Config(stack settings.Stack) settings.Config {
	stack.Profile = settings.Stock
	return settings.Config{Stack: stack, IP: netip.MustParseAddr("127.0.0.1"), Stall: patience}
}

// Listen starts a listener that ends with the test, and gives the address to dial.
func Listen(t *testing.T, under node.Node, config settings.Config) string {
	t.Helper()
	if err := under.Speaks(config.Stack); err != nil {
		t.Fatal(err)
	}
	listener, err := under.Listen(config, exchange.NewServer(config.Stall).Serve)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	return listener.Address(config.IP)
}

// Dial connects for as long as the test lasts.
func Dial(t *testing.T, under node.Node, config settings.Config, address string) node.Connection {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	connection, err := under.Dial(ctx, config, address)
	if err != nil {
		t.Fatalf("%s: %v", address, err)
	}
	t.Cleanup(func() { _ = connection.Close() })
	return connection
}

// Measures runs a plan over a stack and checks what it tells; phases are the connection's, in order.
func Measures(t *testing.T, under node.Node, stack settings.Stack, negotiation string, phases ...string) {
	t.Helper()
	config := Config(stack)
	connection := Dial(t, under, config, Listen(t, under, config))
	direction := settings.Direction{Amount: settings.Amount{Bytes: 3<<20 + 1}, Iterations: 2}
	plan := settings.Plan{Upload: direction, Download: direction, LatencyIterations: 20, Warmup: 1}
	run := measure.New(patience)
	if err := run.Plan(t.Context(), plan, connection); err != nil {
		t.Fatal(err)
	}
	results := run.Results()
	for phase, count := range map[failure.Phase]int{failure.Upload: 2, failure.Download: 2, failure.Latency: 20} {
		if section, ok := results.Section(phase); !ok || len(section.Samples) != count {
			t.Errorf("%s: %v", phase, section.Samples)
		}
	}
	if len(results.StreamOpen) != 20 {
		t.Errorf("%d openings", len(results.StreamOpen))
	}
	details := connection.Details()
	if details.Negotiation != negotiation {
		t.Errorf("negotiation %q, want %q", details.Negotiation, negotiation)
	}
	if len(details.Phases) != len(phases) {
		t.Fatalf("phases %v, want %v", details.Phases, phases)
	}
	for i, phase := range details.Phases {
		if phase.Name != phases[i] || phase.Milliseconds <= 0 || phase.Milliseconds > patience.Seconds()*1e3 {
			t.Errorf("phase %+v, want %s", phase, phases[i])
		}
	}
	concurrently(t, connection)
	giveUp(t, connection)
}

// concurrently makes ten exchanges at once, of sizes that end at no border of a frame.
func concurrently(t *testing.T, connection node.Connection) {
	t.Helper()
	var waiting sync.WaitGroup
	for i := range uint64(10) {
		waiting.Add(1)
		go func() {
			defer waiting.Done()
			up, down := 100_003*i, 50_021*(10-i)
			meter := exchange.StartMeter()
			err := exchange.Request(t.Context(), connection.OpenStream, up, down, meter, patience)
			if err != nil || meter.Sent() != up || meter.Received() != down {
				t.Errorf("%d up, %d down: %v, sent %d, received %d", up, down, err, meter.Sent(), meter.Received())
			}
		}()
	}
	waiting.Wait()
}

// giveUp asks for more than anyone would wait for and gives up; the connection stands it.
func giveUp(t *testing.T, connection node.Connection) {
	t.Helper()
	enough := errors.New("enough")
	ctx, cancel := context.WithCancelCause(t.Context())
	meter := exchange.StartMeter()
	go func() {
		for meter.Received() < 1<<20 && meter.Elapsed() < patience {
			time.Sleep(time.Millisecond)
		}
		cancel(enough)
	}()
	if err := exchange.Request(ctx, connection.OpenStream, 0, 1<<50, meter, patience); !errors.Is(err, enough) {
		t.Errorf("%v after %d bytes", err, meter.Received())
	}
	if err := exchange.Request(t.Context(), connection.OpenStream, 1, 1, exchange.StartMeter(), patience); err != nil {
		t.Errorf("after a stream that was given up: %v", err)
	}
	if err := connection.Standing(); err != nil {
		t.Errorf("the connection is gone: %v", err)
	}
}
