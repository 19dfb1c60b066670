package node

import (
	"context"
	"log/slog"
	"time"

	"perf.test/contract/exchange"
	"perf.test/contract/failure"
	"perf.test/contract/rendezvous"
	"perf.test/contract/settings"
)

// listenerFarewell is for a listener to end once it was asked to.
const listenerFarewell = 800 * time.Millisecond

// listen binds, publishes and serves until a signal; nil: it was told to end.
func (p *process) listen(ctx context.Context, config settings.Config) error {
	if err := p.speaks(config.Stack); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	failed := make(chan error, 1)
	fail := func(err error) {
		select {
		case failed <- err:
		default: // one reason is enough
		}
	}
	server := exchange.NewServer(config.Stall)
	serve := func(stream exchange.Stream) {
		if err := contain(failure.Listen, func() error { server.Serve(stream); return nil }); err != nil {
			fail(err)
		}
	}
	listener, err := p.node.Listen(config, serve)
	if err != nil {
		return err
	}
	defer within(listenerFarewell, func() { _ = listener.Close() })
	go func() {
		if err := contain(failure.Coordination, func() error { return publish(ctx, config, listener) }); err != nil {
			fail(err)
		}
	}()
	select {
	case stop := <-p.stops:
		slog.Debug("asked to end", "by", stop)
		return nil
	case err := <-failed:
		return err
	case err := <-listener.Failed():
		return err
	}
}

func publish(ctx context.Context, config settings.Config, listener Listener) error {
	store, err := rendezvous.NewRedis(config.RedisURL)
	if err != nil {
		return err
	}
	defer store.Close()
	published, err := rendezvous.New(store, config.TestKey).Publish(ctx, config.IP, listener.Address)
	if err == nil {
		slog.Info("listening", "on", published)
	}
	return err
}

// within gives task that long; what it has not done by then is left.
func within(limit time.Duration, task func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		task()
	}()
	select {
	case <-done:
	case <-time.After(limit):
	}
}
