// Package exchange is /perf/1.0.0 over any stream: a u64, big-endian, of how many bytes are wanted
// back, then the upload, then the end of the writing side; the other side reads to that end, then
// sends exactly as many as were asked for, and ends.
package exchange

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"
)

// ID is the protocol's name on a libp2p stream.
const ID = "/perf/1.0.0"

const (
	headerSize = 8
	// blockSize is what one Write is given and one Read may give.
	blockSize = 64 << 10
	// firstSize is how much of an upload goes out in one Write with the header.
	firstSize = 1 << 10
)

// Stream is one bidirectional stream of a connection.
type Stream interface {
	io.Reader
	io.Writer
	// CloseWrite ends the writing side: the peer reads the end of the stream.
	CloseWrite() error
	// Reset gives the stream up, both ways, and interrupts a Read and a Write under way.
	Reset() error
	// Close frees a stream that was read to its end and whose writing side is ended.
	Close() error
}

// contents is what every payload consists of, made once: pseudo-random, so that nothing between the
// two sides can compress it, and longer than the windows of deflate and LZ4.
var contents = func() []byte {
	block := make([]byte, 4*blockSize)
	// Seeded with a constant: the contents mean nothing, and a run should be repeatable.
	_, _ = rand.NewChaCha8([32]byte{'p', 'e', 'r', 'f'}).Read(block)
	return block
}()

var buffers = sync.Pool{New: func() any { return new([blockSize]byte) }}

// Request opens a stream, sends up bytes, asks for down and reads exactly as many, to the end of the
// stream. It ends early with ctx, with ctx's cause, and where no byte moved for stall.
func Request(ctx context.Context, open func(context.Context) (Stream, error), up, down uint64, meter *Meter, stall time.Duration) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer watch(meter, stall, func(stalled *Stalled) { cancel(stalled) })()
	stream, err := open(ctx)
	if err != nil {
		return because(ctx, fmt.Errorf("no stream could be opened: %w", err))
	}
	meter.open()
	defer context.AfterFunc(ctx, func() { _ = stream.Reset() })()
	if err := request(stream, up, down, meter); err != nil {
		_ = stream.Reset()
		return because(ctx, err)
	}
	_ = stream.Close()
	return nil
}

// because prefers the reason ctx was ended for to err, which only came of it.
func because(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	return err
}

var errEarly = errors.New("the peer answered, or ended the stream, before the upload was finished")

func request(stream Stream, up, down uint64, meter *Meter) error {
	var first [headerSize + firstSize]byte
	binary.BigEndian.PutUint64(first[:], down)
	size := copy(first[headerSize:], contents[:min(up, firstSize)])
	// One Write, so that a protocol that is negotiated lazily, header and first bytes travel together.
	if _, err := stream.Write(first[:headerSize+size]); err != nil {
		return fmt.Errorf("sending the header: %w", err)
	}
	meter.sent.Add(uint64(size))
	if up > firstSize {
		return requestLong(stream, up-firstSize, down, meter)
	}
	if err := stream.CloseWrite(); err != nil {
		return fmt.Errorf("ending the upload: %w", err)
	}
	return receive(stream, down, meter)
}

// requestLong sends what remains of an upload while it reads: an answer before the end of the
// upload would otherwise look like one after it.
func requestLong(stream Stream, up, down uint64, meter *Meter) error {
	var finished atomic.Bool
	reading := make(chan error, 1)
	go func() {
		guarded := &answer{Reader: stream, asked: &finished}
		err := receive(guarded, down, meter)
		if err != nil {
			// The writer may be waiting for a peer that reads no more.
			_ = stream.Reset()
		}
		reading <- err
	}()
	err := send(stream, up, meter)
	if err == nil {
		finished.Store(true)
		err = stream.CloseWrite()
	}
	if err != nil {
		_ = stream.Reset()
		// Where the peer answered early, writing failed of that.
		if reason := <-reading; errors.Is(reason, errEarly) {
			return reason
		}
		return fmt.Errorf("sending the upload: %w", err)
	}
	return <-reading
}

// answer is what a peer sends back; to read of it before all was asked is an error.
type answer struct {
	io.Reader
	asked *atomic.Bool
}

func (a *answer) Read(buffer []byte) (int, error) {
	size, err := a.Reader.Read(buffer)
	if (size > 0 || err == io.EOF) && !a.asked.Load() {
		return 0, errEarly
	}
	return size, err
}

// receive reads exactly wanted bytes and the end of the stream.
func receive(stream io.Reader, wanted uint64, meter *Meter) error {
	var received uint64
	err := drain(stream, func(size int) error {
		received += uint64(size)
		if received > wanted {
			return fmt.Errorf("the peer sent more than the %d bytes asked for", wanted)
		}
		meter.received.Add(uint64(size))
		return nil
	})
	if err != nil {
		return fmt.Errorf("reading the answer: %w", err)
	}
	if received < wanted {
		return fmt.Errorf("the peer ended the stream after %d of %d bytes", received, wanted)
	}
	return nil
}

// drain reads to the end of the stream and tells of every piece.
func drain(stream io.Reader, read func(size int) error) error {
	buffer := buffers.Get().(*[blockSize]byte)
	defer buffers.Put(buffer)
	for {
		size, err := stream.Read(buffer[:])
		if size > 0 {
			if err := read(size); err != nil {
				return err
			}
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// send writes exactly bytes.
func send(stream io.Writer, bytes uint64, meter *Meter) error {
	for at := 0; bytes > 0; at = (at + blockSize) % len(contents) {
		size, err := stream.Write(contents[at : at+int(min(bytes, blockSize))])
		meter.sent.Add(uint64(size))
		if err != nil {
			return err
		}
		bytes -= uint64(size)
	}
	return nil
}
