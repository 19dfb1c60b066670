package rendezvous

import (
	"context"
	"errors"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"perf.test/contract/failure"
)

// script answers from a list, in a bubble of synctest's clock; the last answer is repeated.
type script struct {
	answers   []answer
	downFor   int
	published string
}

type answer struct {
	address string
	err     error
}

func (s *script) Place() string { return "redis:6379" }

func (s *script) Get(context.Context, string) (string, error) {
	next := s.answers[0]
	if len(s.answers) > 1 {
		s.answers = s.answers[1:]
	}
	return next.address, next.err
}

func (s *script) Set(_ context.Context, key, value string) error {
	if s.downFor > 0 {
		s.downFor--
		return errRefused
	}
	s.published = key + "=" + value
	return nil
}

func (s *script) Addresses(context.Context) ([]netip.AddrPort, error) {
	return []netip.AddrPort{netip.MustParseAddrPort("127.0.0.1:6379")}, nil
}

var errRefused = errors.New("refused")

func meeting(answers ...answer) *Meeting { return New(&script{answers: answers}, "abc") }

func TestAnAddressThatIsThereIsTakenAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		found, err := meeting(answer{address: "/a"}).First(t.Context())
		if found != "/a" || err != nil || time.Since(start) != 0 {
			t.Errorf("%s %v after %v", found, err, time.Since(start))
		}
	})
}

func TestRedisAndTheKeyMayComeLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		found, err := meeting(answer{err: errRefused}, answer{err: errRefused}, answer{}, answer{address: "/a"}).First(t.Context())
		if found != "/a" || err != nil {
			t.Errorf("%s %v", found, err)
		}
	})
}

func TestTheWindowEndsAfterFifteenSeconds(t *testing.T) {
	for told, last := range map[string]answer{"no listener published": {}, "unreachable": {err: errRefused}} {
		synctest.Test(t, func(t *testing.T) {
			start := time.Now()
			_, err := meeting(last).First(t.Context())
			var failed *failure.Failure
			if !errors.As(err, &failed) || failed.Class != failure.Environment || !strings.Contains(failed.Message, told) {
				t.Errorf("%v", err)
			}
			if elapsed := time.Since(start); elapsed < Window || elapsed > Window+slowestPoll {
				t.Errorf("after %v", elapsed)
			}
		})
	}
}

func TestAStaleAddressIsWaitedOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dead := answer{address: "/dead"}
		if found, err := meeting(dead, dead, answer{address: "/live"}).Changed(t.Context(), "/dead"); found != "/live" || err != nil {
			t.Errorf("%s %v", found, err)
		}
		if found, err := meeting(dead).Changed(t.Context(), "/dead"); found != "" || err != nil {
			t.Errorf("%s %v", found, err)
		}
	})
}

func TestAnotherTypeEndsItAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		_, err := meeting(answer{err: &WrongType{Kind: "hash"}}).First(t.Context())
		if err == nil || !strings.Contains(err.Error(), "abc_listener_multiaddr") || !strings.Contains(err.Error(), "is a hash") {
			t.Error(err)
		}
		if time.Since(start) != 0 {
			t.Errorf("after %v", time.Since(start))
		}
	})
}

func TestPublishingOutlastsAnAbsentRedis(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &script{downFor: 8}
		bound := netip.IPv4Unspecified()
		published, err := New(store, "abc").Publish(t.Context(), bound, func(ip netip.Addr) string { return "/ip4/" + ip.String() })
		if err != nil || published != "/ip4/127.0.0.1" || store.published != "abc_listener_multiaddr=/ip4/127.0.0.1" {
			t.Errorf("%s %v %s", published, err, store.published)
		}
	})
}

func TestAMeetingEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		reason := errors.New("told to end")
		ctx, cancel := context.WithCancelCause(t.Context())
		time.AfterFunc(time.Second, func() { cancel(reason) })
		start := time.Now()
		if _, err := meeting(answer{}).First(ctx); !errors.Is(err, reason) || time.Since(start) != time.Second {
			t.Errorf("%v after %v", err, time.Since(start))
		}
	})
}

func TestKeysAreNamespacedWhereATestKeyIsGiven(t *testing.T) {
	if Key("0f3a9c1d") != "0f3a9c1d_listener_multiaddr" || Key("") != "listener_multiaddr" {
		t.Error(Key("0f3a9c1d"), Key(""))
	}
}
