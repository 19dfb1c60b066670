// Package measure runs a dialer's plan: uploads, then downloads, then latencies, over one
// connection. The first broken iteration ends it; none is skipped and none repeated.
package measure

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"slices"
	"sync"
	"time"

	"perf.test/contract/exchange"
	"perf.test/contract/failure"
	"perf.test/contract/settings"
	"perf.test/contract/stats"
)

// Connection is what a plan is run over.
type Connection interface {
	// OpenStream opens a fresh stream, its protocol agreed on or proposed.
	OpenStream(ctx context.Context) (exchange.Stream, error)
	// Standing says why the connection is gone; nil: it stands.
	Standing() error
}

// Section is a section's samples in time order.
type Section struct {
	Phase failure.Phase
	// Samples are in Unit.
	Samples []float64
}

// Unit is Gbps, or ms for latency.
func (s Section) Unit() string {
	if s.Phase == failure.Latency {
		return "ms"
	}
	return "Gbps"
}

// Current is the section under way.
type Current struct {
	Section
	// Iteration is the one under way, from 1; 0 during warm-up.
	Iteration int
	// Meter counts the request under way.
	Meter *exchange.Meter
}

// Results are what was measured so far.
type Results struct {
	// Whole are the sections of which every iteration was measured.
	Whole []Section
	// Current is nil where no section is under way.
	Current *Current
	// StreamOpen and Exchange are the parts of each latency sample, in ms.
	StreamOpen, Exchange []float64
}

// Section gives a section that was measured whole.
func (r Results) Section(phase failure.Phase) (Section, bool) {
	at := slices.IndexFunc(r.Whole, func(section Section) bool { return section.Phase == phase })
	if at < 0 {
		return Section{}, false
	}
	return r.Whole[at], true
}

// Run is a plan under way. Its results can be had at any time, so that an interrupted run reports
// what it finished.
type Run struct {
	stall time.Duration

	mutex   sync.Mutex
	results Results
}

// New makes a run in which a request that moves no byte for stall is broken.
func New(stall time.Duration) *Run { return &Run{stall: stall} }

// Results are those of this moment.
func (r *Run) Results() Results {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	results := r.results
	if results.Current != nil {
		current := *results.Current
		results.Current = &current
	}
	return results
}

func (r *Run) update(change func(results *Results)) {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	change(&r.results)
}

// Plan runs plan over connection. An error is a *failure.Failure.
func (r *Run) Plan(ctx context.Context, plan settings.Plan, connection Connection) error {
	oneByte := settings.Direction{Amount: settings.Amount{Bytes: 1}, Iterations: plan.LatencyIterations}
	for _, section := range []struct {
		phase     failure.Phase
		direction settings.Direction
	}{
		{failure.Upload, plan.Upload},
		{failure.Download, plan.Download},
		{failure.Latency, oneByte},
	} {
		if err := r.section(ctx, section.phase, section.direction, plan.Warmup, connection); err != nil {
			return err
		}
	}
	return nil
}

func (r *Run) section(ctx context.Context, phase failure.Phase, direction settings.Direction, warmup int, connection Connection) error {
	if direction.Iterations == 0 {
		return nil
	}
	section := Section{Phase: phase}
	r.update(func(results *Results) {
		results.Current = &Current{Section: section, Meter: exchange.StartMeter()}
	})
	for iteration := 1 - warmup; iteration <= direction.Iterations; iteration++ {
		r.update(func(results *Results) { results.Current.Iteration = max(iteration, 0) })
		sample, err := r.iteration(ctx, phase, direction.Amount, connection, iteration > 0)
		if err != nil {
			return failure.From(phase, err)
		}
		if iteration <= 0 {
			continue
		}
		if phase != failure.Latency {
			slog.Info(fmt.Sprintf("%s %d/%d: %.3f %s", phase, iteration, direction.Iterations, sample, section.Unit()))
		}
		section.Samples = append(section.Samples, sample)
		r.update(func(results *Results) { results.Current.Samples = section.Samples })
	}
	r.update(func(results *Results) {
		results.Current = nil
		results.Whole = append(results.Whole, section)
	})
	return nil
}

// iteration gives one iteration's sample, in the section's unit.
func (r *Run) iteration(ctx context.Context, phase failure.Phase, amount settings.Amount, connection Connection, reported bool) (float64, error) {
	if phase == failure.Latency {
		meter, took, err := r.request(ctx, phase, amount.Bytes, connection)
		if err == nil && reported {
			r.update(func(results *Results) { results.recordParts(took, meter.TimeToOpen()) })
		}
		return milliseconds(took), err
	}
	bytes, took, err := r.requests(ctx, phase, amount, connection)
	return stats.Gbps(bytes, took.Seconds()), err
}

func (r *Results) recordParts(whole, open time.Duration) {
	r.StreamOpen = append(r.StreamOpen, milliseconds(open))
	r.Exchange = append(r.Exchange, milliseconds(whole-open))
}

// requests moves amount: in one request, or in requests back to back until its time has passed.
func (r *Run) requests(ctx context.Context, phase failure.Phase, amount settings.Amount, connection Connection) (uint64, time.Duration, error) {
	if amount.Duration == 0 {
		_, took, err := r.request(ctx, phase, amount.Bytes, connection)
		return amount.Bytes, took, err
	}
	start := time.Now()
	var total uint64
	for size := uint64(smallestRequest); ; {
		if _, _, err := r.request(ctx, phase, size, connection); err != nil {
			return 0, 0, err
		}
		total += size
		elapsed := time.Since(start)
		if elapsed >= amount.Duration {
			return total, elapsed, nil
		}
		size = nextRequest(total, elapsed, amount.Duration-elapsed)
	}
}

// request makes one request, timed around all of it, the opening of its stream included.
func (r *Run) request(ctx context.Context, phase failure.Phase, bytes uint64, connection Connection) (*exchange.Meter, time.Duration, error) {
	up, down := bytes, bytes
	switch phase {
	case failure.Upload:
		down = 0
	case failure.Download:
		up = 0
	}
	meter := exchange.StartMeter()
	r.update(func(results *Results) { results.Current.Meter = meter })
	err := exchange.Request(ctx, connection.OpenStream, up, down, meter, r.stall)
	took := meter.Elapsed()
	if err == nil && phase == failure.Upload {
		// An upload's only receipt is the end of the stream, which the loss of a connection can look like.
		if gone := connection.Standing(); gone != nil {
			err = errors.Join(errors.New("the connection was lost with the end of the upload"), gone)
		}
	}
	return meter, took, err
}

const (
	smallestRequest = 1 << 20
	largestRequest  = 1 << 30
)

// nextRequest is how large the next of several back-to-back requests is: what the rate so far moves
// in a second, or in what remains, whichever is shorter.
func nextRequest(total uint64, elapsed, remaining time.Duration) uint64 {
	rate := float64(total) / math.Max(elapsed.Seconds(), 1e-9)
	bytes := rate * min(remaining, time.Second).Seconds()
	return uint64(math.Min(math.Max(bytes, smallestRequest), largestRequest))
}

func milliseconds(duration time.Duration) float64 { return duration.Seconds() * 1e3 }
