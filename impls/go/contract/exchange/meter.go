package exchange

import (
	"sync/atomic"
	"time"
)

// Meter counts the payload of one exchange as it moves. One goroutine moves bytes, others read it:
// to see a stall, and to tell what moved before a failure.
type Meter struct {
	started  time.Time
	opened   atomic.Int64 // nanoseconds since started; 0: not yet
	sent     atomic.Uint64
	received atomic.Uint64
}

// StartMeter makes a meter whose clock starts now.
func StartMeter() *Meter { return &Meter{started: time.Now()} }

// Elapsed is the time since the meter was started.
func (m *Meter) Elapsed() time.Duration { return time.Since(m.started) }

// TimeToOpen is how long opening the stream took; 0: it is not open yet.
func (m *Meter) TimeToOpen() time.Duration { return time.Duration(m.opened.Load()) }

// Sent is how many payload bytes the stream has taken.
func (m *Meter) Sent() uint64 { return m.sent.Load() }

// Received is how many payload bytes were read.
func (m *Meter) Received() uint64 { return m.received.Load() }

func (m *Meter) open() { m.opened.Store(int64(max(m.Elapsed(), 1))) }

// activity changes whenever something happened.
func (m *Meter) activity() uint64 {
	activity := m.Sent() + m.Received()
	if m.opened.Load() != 0 {
		activity++
	}
	return activity
}
