// Package rendezvous is how listener and dialer meet: one key in Redis (docs/contract.md, "Meeting
// through Redis").
package rendezvous

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"time"

	"perf.test/contract/failure"
)

const (
	// Window is how long both sides try: Redis may not be up yet, the listener may not have published.
	Window = 15 * time.Second
	// keyLife is how long a published address lives.
	keyLife = time.Hour
	// Between two tries: doubled from the one to the other.
	fastestPoll = 5 * time.Millisecond
	slowestPoll = 500 * time.Millisecond
	// patience is for one exchange with Redis, connecting included.
	patience = 2 * time.Second
	// grace is for the answer to a try that was begun within the window.
	grace = 500 * time.Millisecond
)

// Key is the one under which a listener publishes its address.
func Key(testKey string) string {
	if testKey == "" {
		return "listener_multiaddr"
	}
	return testKey + "_listener_multiaddr"
}

// Store is where addresses are published: Redis, or in unit tests a stand-in.
type Store interface {
	// Get gives the address at key, empty where there is none. A *WrongType is an error that no
	// waiting will cure.
	Get(ctx context.Context, key string) (string, error)
	// Set replaces whatever stands at key, for keyLife, in one step.
	Set(ctx context.Context, key, value string) error
	// Addresses are those that the store's name has now.
	Addresses(ctx context.Context) ([]netip.AddrPort, error)
	// Place is the store's host:port, for messages.
	Place() string
}

// WrongType says that what stands at the key is neither a string nor a list.
type WrongType struct{ Kind string }

// Error names the type.
func (w *WrongType) Error() string { return "it is a " + w.Kind }

// Meeting is one side's attempt to meet the other, bounded by Window from its making.
type Meeting struct {
	store    Store
	key      string
	deadline time.Time
}

// New makes a meeting whose window begins now.
func New(store Store, testKey string) *Meeting {
	return &Meeting{store: store, key: Key(testKey), deadline: time.Now().Add(Window)}
}

// Publish publishes address, made for the address of this machine that a dialer can reach where the
// listener is bound to bound. It returns what was published.
func (m *Meeting) Publish(ctx context.Context, bound netip.Addr, address func(ip netip.Addr) string) (string, error) {
	polls := polls{deadline: m.deadline}
	for {
		published, err := m.tryPublish(ctx, bound, address)
		if err == nil {
			return published, nil
		}
		slog.Debug("publishing", "at", m.store.Place(), "error", err)
		if !polls.pause(ctx) {
			return "", m.unreachable(ctx, err)
		}
	}
}

func (m *Meeting) tryPublish(ctx context.Context, bound netip.Addr, address func(ip netip.Addr) string) (string, error) {
	ctx, cancel := m.tryContext(ctx)
	defer cancel()
	var redis []netip.AddrPort
	if bound.IsUnspecified() {
		var err error
		if redis, err = m.store.Addresses(ctx); err != nil {
			return "", err
		}
	}
	ip, ok := publishedIP(bound, redis)
	if !ok {
		return "", fmt.Errorf("no local address of %v's family reaches %s", bound, m.store.Place())
	}
	published := address(ip)
	return published, m.store.Set(ctx, m.key, published)
}

// First waits for an address; that there is none when the window ends is a failure.
func (m *Meeting) First(ctx context.Context) (string, error) {
	address, last, err := m.poll(ctx, "")
	switch {
	case err != nil:
		return "", err
	case address != "":
		return address, nil
	case last != nil:
		return "", m.unreachable(ctx, last)
	}
	return "", environment("no listener published an address at key %s of %s within %v s",
		m.key, m.store.Place(), Window.Seconds())
}

// Changed waits for an address other than stale; empty where the window ends first.
func (m *Meeting) Changed(ctx context.Context, stale string) (string, error) {
	address, _, err := m.poll(ctx, stale)
	return address, err
}

// poll asks until there is an address other than stale, or the window ends; then last is the
// store's error at the last try, nil where it only had nothing.
func (m *Meeting) poll(ctx context.Context, stale string) (address string, last, err error) {
	polls := polls{deadline: m.deadline}
	for {
		address, last = m.tryGet(ctx)
		if address != "" && address != stale {
			return address, nil, nil
		}
		var wrong *WrongType
		if errors.As(last, &wrong) {
			return "", nil, environment("key %s at %s is a %s, not a string: something else uses this Redis; delete the key or set another TEST_KEY",
				m.key, m.store.Place(), wrong.Kind)
		}
		if last != nil {
			slog.Debug("asking", "at", m.store.Place(), "error", last)
		}
		if !polls.pause(ctx) {
			return "", last, context.Cause(ctx)
		}
	}
}

func (m *Meeting) tryGet(ctx context.Context) (string, error) {
	ctx, cancel := m.tryContext(ctx)
	defer cancel()
	return m.store.Get(ctx, m.key)
}

// tryContext bounds one try: the store may be silent.
func (m *Meeting) tryContext(ctx context.Context) (context.Context, context.CancelFunc) {
	latest := m.deadline.Add(grace)
	if soon := time.Now().Add(patience); soon.Before(latest) {
		latest = soon
	}
	return context.WithDeadline(ctx, latest)
}

func (m *Meeting) unreachable(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	return environment("Redis at %s unreachable for %v s: %s; is it running, and is REDIS_ADDR right?",
		m.store.Place(), Window.Seconds(), err)
}

func environment(format string, arguments ...any) error {
	return failure.New(failure.Environment, failure.Coordination, format, arguments...)
}

// polls are pauses that double from fastestPoll to slowestPoll, until a deadline.
type polls struct {
	deadline time.Time
	last     time.Duration
}

// pause waits before the next try; false where deadline or ctx leave no more.
func (p *polls) pause(ctx context.Context) bool {
	p.last = min(max(2*p.last, fastestPoll), slowestPoll)
	left := time.Until(p.deadline)
	if left <= 0 {
		return false
	}
	select {
	case <-time.After(min(p.last, left)):
		return true
	case <-ctx.Done():
		return false
	}
}
