package exchange

import (
	"fmt"
	"time"
)

// Stalled says that no byte moved for as long as the limit.
type Stalled struct {
	Limit          time.Duration
	Sent, Received uint64
}

// Error says it in the contract's words.
func (s *Stalled) Error() string {
	return fmt.Sprintf("stalled: no byte moved for %v s, after %d bytes sent and %d received",
		s.Limit.Seconds(), s.Sent, s.Received)
}

// watch calls stalled, once, when meter saw nothing happen for limit. It looks ten times per limit
// (once a second at least), so a stall is noticed a tenth late at most. The result ends it.
func watch(meter *Meter, limit time.Duration, stalled func(*Stalled)) (end func()) {
	ended := make(chan struct{})
	go func() {
		ticker := time.NewTicker(min(max(limit/10, time.Millisecond), time.Second))
		defer ticker.Stop()
		seen, since := meter.activity(), time.Now()
		for {
			select {
			case <-ended:
				return
			case <-ticker.C:
			}
			if activity := meter.activity(); activity != seen {
				seen, since = activity, time.Now()
			} else if time.Since(since) >= limit {
				stalled(&Stalled{Limit: limit, Sent: meter.Sent(), Received: meter.Received()})
				return
			}
		}
	}()
	return func() { close(ended) }
}
