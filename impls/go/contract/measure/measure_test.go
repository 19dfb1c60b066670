package measure

import (
	"context"
	"errors"
	"net"
	"testing"
	"time"

	"perf.test/contract/exchange"
	"perf.test/contract/failure"
	"perf.test/contract/settings"
)

// loopback is a connection whose streams are TCP connections to an honest server, or, from stream
// breaksAt on (from 1), to one that resets them.
type loopback struct {
	t        *testing.T
	opened   int
	breaksAt int
	gone     error
}

func (l *loopback) Standing() error { return l.gone }

func (l *loopback) OpenStream(context.Context) (exchange.Stream, error) {
	l.opened++
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	defer listener.Close()
	dialed, err := net.Dial("tcp", listener.Addr().String())
	if err != nil {
		return nil, err
	}
	accepted, err := listener.Accept()
	if err != nil {
		return nil, err
	}
	server := stream{accepted.(*net.TCPConn)}
	if l.breaksAt != 0 && l.opened >= l.breaksAt {
		_ = server.Reset()
	} else {
		go exchange.NewServer(time.Minute).Serve(server)
	}
	return stream{dialed.(*net.TCPConn)}, nil
}

type stream struct{ *net.TCPConn }

func (s stream) Reset() error {
	_ = s.SetLinger(0)
	return s.Close()
}

func bytes(count uint64, iterations int) settings.Direction {
	return settings.Direction{Amount: settings.Amount{Bytes: count}, Iterations: iterations}
}

func TestAWholePlanGivesItsSectionsInOrder(t *testing.T) {
	connection := &loopback{t: t}
	run := New(time.Minute)
	plan := settings.Plan{Upload: bytes(1<<20, 3), Download: bytes(1<<20, 2), LatencyIterations: 5, Warmup: 2}
	if err := run.Plan(t.Context(), plan, connection); err != nil {
		t.Fatal(err)
	}
	results := run.Results()
	want := []struct {
		phase failure.Phase
		count int
		unit  string
	}{{failure.Upload, 3, "Gbps"}, {failure.Download, 2, "Gbps"}, {failure.Latency, 5, "ms"}}
	for i, want := range want {
		got := results.Whole[i]
		if got.Phase != want.phase || len(got.Samples) != want.count || got.Unit() != want.unit {
			t.Errorf("%+v, want %+v", got, want)
		}
		for _, sample := range got.Samples {
			if !(sample > 0) {
				t.Errorf("%s: a sample of %v", got.Phase, sample)
			}
		}
	}
	if results.Current != nil || len(results.StreamOpen) != 5 || len(results.Exchange) != 5 {
		t.Errorf("%+v", results)
	}
	if connection.opened != 3+2+5+3*2 {
		t.Errorf("%d streams", connection.opened)
	}
}

func TestTheFirstBrokenIterationEndsIt(t *testing.T) {
	connection := &loopback{t: t, breaksAt: 2 + 1 + 2 + 1}
	run := New(time.Minute)
	plan := settings.Plan{Upload: bytes(1000, 2), Download: bytes(1000, 5), LatencyIterations: 5, Warmup: 0}
	err := run.Plan(t.Context(), plan, connection)
	var broken *failure.Failure
	if !errors.As(err, &broken) || broken.Class != failure.Transfer || broken.Phase != failure.Download {
		t.Fatal(err)
	}
	results := run.Results()
	if _, ok := results.Section(failure.Upload); !ok {
		t.Error("the whole section is lost")
	}
	if _, ok := results.Section(failure.Download); ok {
		t.Error("a broken section appears as one")
	}
	current := results.Current
	if current == nil || current.Iteration != 4 || len(current.Samples) != 3 {
		t.Errorf("%+v", current)
	}
	if connection.opened != connection.breaksAt {
		t.Errorf("%d streams after the break", connection.opened-connection.breaksAt)
	}
}

func TestWarmUpIsCheckedToo(t *testing.T) {
	run := New(time.Minute)
	plan := settings.Plan{Upload: bytes(1000, 1), Warmup: 1}
	if err := run.Plan(t.Context(), plan, &loopback{t: t, breaksAt: 1}); err == nil {
		t.Fatal("a broken warm-up passed")
	}
	if current := run.Results().Current; current.Iteration != 0 {
		t.Errorf("%+v", current)
	}
}

func TestAnUploadOverALostConnectionIsNone(t *testing.T) {
	run := New(time.Minute)
	err := run.Plan(t.Context(), settings.Plan{Upload: bytes(1000, 1)}, &loopback{t: t, gone: errors.New("closed")})
	if err == nil || len(run.Results().Whole) != 0 {
		t.Fatalf("%v %+v", err, run.Results())
	}
}

func TestDurationIsFilledWithWholeRequests(t *testing.T) {
	const duration = 200 * time.Millisecond
	connection := &loopback{t: t}
	run := New(time.Minute)
	direction := settings.Direction{Amount: settings.Amount{Duration: duration}, Iterations: 1}
	start := time.Now()
	if err := run.Plan(t.Context(), settings.Plan{Download: direction}, connection); err != nil {
		t.Fatal(err)
	}
	if elapsed := time.Since(start); elapsed < duration {
		t.Errorf("over after %v", elapsed)
	}
	if connection.opened < 2 {
		t.Errorf("%d requests", connection.opened)
	}
}

func TestTheNextRequestFillsASecondAtMost(t *testing.T) {
	for _, c := range []struct {
		total              uint64
		elapsed, remaining time.Duration
		want               uint64
	}{
		{100 << 20, time.Second, 10 * time.Second, 100 << 20},
		{100 << 20, time.Second, time.Second / 2, 50 << 20},
		{1, time.Second, time.Second, smallestRequest},
		{1 << 40, time.Second, time.Second, largestRequest},
	} {
		if got := nextRequest(c.total, c.elapsed, c.remaining); got != c.want {
			t.Errorf("%+v: %d", c, got)
		}
	}
}
