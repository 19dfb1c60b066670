package node

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"syscall"
	"time"

	"perf.test/contract/document"
	"perf.test/contract/failure"
	"perf.test/contract/measure"
	"perf.test/contract/rendezvous"
	"perf.test/contract/settings"
)

const (
	// dialLimit is for one attempt to connect, negotiation included.
	dialLimit = 10 * time.Second
	// dialerFarewell is for telling the peer that this was all.
	dialerFarewell = 200 * time.Millisecond
	// undisturbedDial: while a first address is being dialed this long, nothing asks Redis, for a poll
	// would stand in the measured handshake.
	undisturbedDial = time.Second
)

// dialer is a dialer's run; what it has so far can be told at any time.
type dialer struct {
	node   Node
	config settings.Config
	run    *measure.Run

	mutex   sync.Mutex
	phase   failure.Phase
	details Details
}

// dial meets the listener, measures and makes the document.
func (p *process) dial(ctx context.Context, config settings.Config) document.Document {
	d := &dialer{node: p.node, config: config, run: measure.New(config.Stall), phase: failure.Configuration}
	if err := p.speaks(config.Stack); err != nil {
		return d.document(err)
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var deadline <-chan time.Time
	if config.Timeout > 0 {
		deadline = time.After(config.Timeout)
	}
	ended := make(chan error, 1)
	go func() { ended <- contain(failure.Dial, func() error { return d.measure(ctx) }) }()
	var stopped error
	select {
	case err := <-ended:
		return d.document(err)
	case stop := <-p.stops:
		stopped = d.stoppedBy(stop)
	case <-deadline:
		stopped = failure.New(failure.Transfer, d.phaseNow(), "not done within PERF_TIMEOUT_SECS, %v s", config.Timeout.Seconds())
	}
	document := d.document(stopped)
	cancel(stopped)
	within(dialerFarewell, func() { <-ended })
	return document
}

func (d *dialer) stoppedBy(stop os.Signal) error {
	if stop == syscall.SIGINT {
		return failure.New(failure.Interrupted, d.phaseNow(), "interrupted by SIGINT")
	}
	return failure.New(failure.Transfer, d.phaseNow(), "ended by SIGTERM before all was measured")
}

// phaseNow is the section under way, or what is done before the first.
func (d *dialer) phaseNow() failure.Phase {
	if current := d.run.Results().Current; current != nil {
		return current.Phase
	}
	d.mutex.Lock()
	defer d.mutex.Unlock()
	return d.phase
}

func (d *dialer) enter(phase failure.Phase) {
	d.mutex.Lock()
	defer d.mutex.Unlock()
	d.phase = phase
}

// document is what there is to say at this moment.
func (d *dialer) document(err error) document.Document {
	results := d.run.Results()
	d.mutex.Lock()
	defer d.mutex.Unlock()
	doc := document.Document{
		Node: document.Node{
			Stack:       &d.config.Stack,
			Negotiation: d.details.Negotiation,
			Phases:      d.details.Phases,
			Extra:       d.details.Extra,
		},
		Results: results,
	}
	if err != nil {
		doc.Failure = failure.From(d.phase, err)
	}
	return doc
}

func (d *dialer) measure(ctx context.Context) error {
	d.enter(failure.Coordination)
	store, err := rendezvous.NewRedis(d.config.RedisURL)
	if err != nil {
		return err
	}
	defer store.Close()
	meeting := rendezvous.New(store, d.config.TestKey)
	first, err := meeting.First(ctx)
	if err != nil {
		return err
	}
	d.enter(failure.Dial)
	connection, err := d.meet(ctx, meeting, first)
	if err != nil {
		return err
	}
	defer within(dialerFarewell, func() { _ = connection.Close() })
	d.mutex.Lock()
	d.details = connection.Details()
	d.mutex.Unlock()
	return d.run.Plan(ctx, d.config.Plan, connection)
}

// meet dials what is published. While an attempt lasts or has failed, a changed address within the
// window replaces it: the first may have been a dead listener's.
func (d *dialer) meet(ctx context.Context, meeting *rendezvous.Meeting, address string) (Connection, error) {
	for {
		slog.Debug("dialing", "address", address)
		connection, changed, err := d.attempt(ctx, meeting, address)
		switch {
		case connection != nil:
			return connection, nil
		case changed != "":
			address = changed
			continue
		case ctx.Err() != nil:
			return nil, context.Cause(ctx)
		}
		failed := failure.From(failure.Dial, err)
		if failed.Class != failure.Connect {
			return nil, failed
		}
		slog.Debug("waiting for another address", "dialed", address, "error", failed)
		changed, err = meeting.Changed(ctx, address)
		if err != nil {
			return nil, err
		}
		if changed == "" {
			return nil, failed
		}
		address = changed
	}
}

// attempt dials address, until it is connected, has failed, or another address is published.
func (d *dialer) attempt(ctx context.Context, meeting *rendezvous.Meeting, address string) (connection Connection, changed string, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	type outcome struct {
		connection Connection
		err        error
	}
	dialed := make(chan outcome, 1)
	go func() {
		connection, err := d.connect(ctx, address)
		dialed <- outcome{connection, err}
	}()
	other := make(chan string, 1)
	go func() {
		select {
		case <-time.After(undisturbedDial):
		case <-ctx.Done():
			return
		}
		if changed, err := meeting.Changed(ctx, address); err == nil && changed != "" {
			other <- changed
		}
	}()
	select {
	case outcome := <-dialed:
		return outcome.connection, "", outcome.err
	case changed := <-other:
		go func() {
			if late := <-dialed; late.connection != nil {
				_ = late.connection.Close()
			}
		}()
		return nil, changed, nil
	}
}

func (d *dialer) connect(ctx context.Context, address string) (connection Connection, err error) {
	late := errors.New("dialLimit")
	ctx, cancel := context.WithTimeoutCause(ctx, dialLimit, late)
	defer cancel()
	err = contain(failure.Dial, func() error {
		connection, err = d.node.Dial(ctx, d.config, address)
		return err
	})
	if err != nil && context.Cause(ctx) == late {
		err = fmt.Errorf("%s: no connection with %s within %v s", address, d.config.Stack, dialLimit.Seconds())
	}
	if err != nil {
		return nil, err
	}
	return connection, nil
}
