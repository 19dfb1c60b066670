package exchange

import (
	"encoding/binary"
	"fmt"
	"io"
	"log/slog"
	"time"
)

// maxStreams is how many streams a server answers at once; a further one is reset. Each holds one
// buffer of blockSize while it is read.
const maxStreams = 1024

// Server answers streams.
type Server struct {
	stall time.Duration
	slots chan struct{}
}

// NewServer makes a server that resets a stream on which no byte moved for stall.
func NewServer(stall time.Duration) *Server {
	return &Server{stall: stall, slots: make(chan struct{}, maxStreams)}
}

// Serve answers one stream and frees it; whatever is wrong with it is its peer's affair and ends with
// a reset.
func (s *Server) Serve(stream Stream) {
	select {
	case s.slots <- struct{}{}:
		defer func() { <-s.slots }()
	default:
		slog.Info("a stream was reset: too many at once", "limit", maxStreams)
		_ = stream.Reset()
		return
	}
	meter := StartMeter()
	stop := watch(meter, s.stall, func(stalled *Stalled) {
		slog.Info("a stream is reset", "reason", stalled)
		_ = stream.Reset()
	})
	defer stop()
	if err := serve(stream, meter); err != nil {
		slog.Debug("a stream broke", "reason", err)
		_ = stream.Reset()
		return
	}
	_ = stream.Close()
	slog.Debug("served", "received", meter.Received(), "sent", meter.Sent(), "took", meter.Elapsed())
}

func serve(stream Stream, meter *Meter) error {
	var header [headerSize]byte
	if _, err := io.ReadFull(stream, header[:]); err != nil {
		return fmt.Errorf("reading the header: %w", err)
	}
	meter.open()
	count := func(size int) error {
		meter.received.Add(uint64(size))
		return nil
	}
	if err := drain(stream, count); err != nil {
		return fmt.Errorf("reading the upload: %w", err)
	}
	if err := send(stream, binary.BigEndian.Uint64(header[:]), meter); err != nil {
		return fmt.Errorf("answering: %w", err)
	}
	if err := stream.CloseWrite(); err != nil {
		return fmt.Errorf("ending the answer: %w", err)
	}
	return nil
}
