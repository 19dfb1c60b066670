package exchange

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"time"
)

const patience = 10 * time.Second

// pair gives the two ends of a stream: TCP on loopback, which can be half-closed.
func pair(t *testing.T) (client, server Stream) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	dialed, err := net.Dial("tcp", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	accepted, err := listener.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { dialed.Close(); accepted.Close() })
	return tcpStream{dialed.(*net.TCPConn)}, tcpStream{accepted.(*net.TCPConn)}
}

type tcpStream struct{ *net.TCPConn }

func (s tcpStream) Reset() error {
	_ = s.SetLinger(0)
	return s.Close()
}

// exchange makes a request of up and down bytes of a peer that does as it likes.
func exchange(t *testing.T, up, down uint64, stall time.Duration, peer func(Stream)) (*Meter, error) {
	t.Helper()
	client, server := pair(t)
	done := make(chan struct{})
	go func() { defer close(done); peer(server) }()
	ctx, cancel := context.WithTimeoutCause(t.Context(), patience, errors.New("the test's own patience"))
	defer cancel()
	meter := StartMeter()
	err := Request(ctx, func(context.Context) (Stream, error) { return client, nil }, up, down, meter, stall)
	_ = client.Reset()
	<-done
	return meter, err
}

func TestOurServerAnswersExactly(t *testing.T) {
	sizes := []uint64{0, 1, firstSize, firstSize + 1, blockSize, 1_000_003, 5 << 20}
	for _, up := range sizes {
		for _, down := range sizes {
			meter, err := exchange(t, up, down, patience, NewServer(patience).Serve)
			if err != nil || meter.Sent() != up || meter.Received() != down {
				t.Errorf("%d up, %d down: %v, sent %d, received %d", up, down, err, meter.Sent(), meter.Received())
			}
			if meter.TimeToOpen() == 0 || meter.TimeToOpen() > meter.Elapsed() {
				t.Errorf("opened after %v of %v", meter.TimeToOpen(), meter.Elapsed())
			}
		}
	}
}

// drained reads the header and the upload, and tells what was asked for.
func drained(stream Stream) uint64 {
	var header [headerSize]byte
	_, _ = io.ReadFull(stream, header[:])
	_, _ = io.Copy(io.Discard, stream)
	return binary.BigEndian.Uint64(header[:])
}

func TestWrongCountsAreFailures(t *testing.T) {
	for _, c := range []struct {
		extra int
		want  string
	}{{-1, "after 99 of 100 bytes"}, {1, "more than the 100 bytes"}} {
		_, err := exchange(t, 5000, 100, patience, func(stream Stream) {
			wanted := drained(stream)
			_, _ = stream.Write(make([]byte, int(wanted)+c.extra))
			_ = stream.CloseWrite()
		})
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+d: %v", c.extra, err)
		}
	}
}

func TestAnAnswerBeforeTheEndOfTheUploadIsAFailure(t *testing.T) {
	for name, early := range map[string]func(Stream){
		"bytes": func(stream Stream) { _, _ = stream.Write([]byte{1}) },
		"end":   func(stream Stream) { _ = stream.CloseWrite() },
	} {
		_, err := exchange(t, 1<<30, 1, patience, func(stream Stream) {
			early(stream)
			_, _ = io.Copy(io.Discard, stream)
		})
		if !errors.Is(err, errEarly) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestAResetIsAFailure(t *testing.T) {
	for _, up := range []uint64{0, 1 << 30} {
		_, err := exchange(t, up, 10, patience, func(stream Stream) {
			_, _ = io.ReadFull(stream, make([]byte, headerSize))
			_ = stream.Reset()
		})
		var stalled *Stalled
		if err == nil || errors.As(err, &stalled) {
			t.Errorf("%d up: %v", up, err)
		}
	}
}

func TestSilenceIsAStall(t *testing.T) {
	const limit = 200 * time.Millisecond
	for name, up := range map[string]uint64{"download": 0, "upload": 1 << 30} {
		quiet := make(chan struct{})
		start := time.Now()
		_, err := exchange(t, up, 10, limit, func(Stream) { time.Sleep(5 * limit); close(quiet) })
		var stalled *Stalled
		if !errors.As(err, &stalled) {
			t.Errorf("%s: %v", name, err)
		}
		if elapsed := time.Since(start); elapsed < limit {
			t.Errorf("%s: a stall after %v", name, elapsed)
		}
		<-quiet
	}
}

func TestAnOpeningThatHangsIsAStall(t *testing.T) {
	hangs := func(ctx context.Context) (Stream, error) { <-ctx.Done(); return nil, ctx.Err() }
	err := Request(t.Context(), hangs, 1, 1, StartMeter(), 50*time.Millisecond)
	var stalled *Stalled
	if !errors.As(err, &stalled) {
		t.Error(err)
	}
}

func TestASlowPeerIsNotAStalledOne(t *testing.T) {
	const limit = 300 * time.Millisecond
	_, err := exchange(t, 0, 10, limit, func(stream Stream) {
		for range drained(stream) {
			time.Sleep(limit / 4)
			_, _ = stream.Write([]byte{1})
		}
		_ = stream.CloseWrite()
	})
	if err != nil {
		t.Error(err)
	}
}

func TestTheServerAnswersOnlyAtTheEndOfTheUpload(t *testing.T) {
	client, server := pair(t)
	go NewServer(patience).Serve(server)
	header := binary.BigEndian.AppendUint64(nil, 4)
	// The header in two pieces: packets don't keep to its borders.
	_, _ = client.Write(header[:3])
	_, _ = client.Write(append(header[3:], 'x'))
	connection := client.(tcpStream)
	_ = connection.SetReadDeadline(time.Now().Add(100 * time.Millisecond))
	if size, err := client.Read(make([]byte, 1)); size != 0 || !errors.Is(err, context.DeadlineExceeded) && !isTimeout(err) {
		t.Fatalf("an answer before the end: %d bytes, %v", size, err)
	}
	_ = connection.SetReadDeadline(time.Now().Add(patience))
	_ = client.CloseWrite()
	answer, err := io.ReadAll(client)
	if err != nil || len(answer) != 4 {
		t.Fatalf("%d bytes, %v", len(answer), err)
	}
}

func isTimeout(err error) bool {
	var timeout net.Error
	return errors.As(err, &timeout) && timeout.Timeout()
}

func TestTheServerResetsAStreamThatStands(t *testing.T) {
	client, server := pair(t)
	go NewServer(100 * time.Millisecond).Serve(server)
	_, _ = client.Write(make([]byte, headerSize))
	_ = client.(tcpStream).SetReadDeadline(time.Now().Add(patience))
	if _, err := client.Read(make([]byte, 1)); err == nil || isTimeout(err) {
		t.Errorf("%v", err)
	}
}

func TestTheServerAnswersNoShortHeader(t *testing.T) {
	client, server := pair(t)
	go NewServer(patience).Serve(server)
	_, _ = client.Write(make([]byte, headerSize-1))
	_ = client.CloseWrite()
	_ = client.(tcpStream).SetReadDeadline(time.Now().Add(patience))
	if size, err := client.Read(make([]byte, 1)); size != 0 || err == nil || isTimeout(err) {
		t.Errorf("%d %v", size, err)
	}
}

func TestContentsDoNotRepeatSoon(t *testing.T) {
	if len(contents) < 256<<10 {
		t.Errorf("%d bytes are within a compressor's window", len(contents))
	}
	seen := map[[16]byte]bool{}
	for at := 0; at+16 <= len(contents); at += 16 {
		block := [16]byte(contents[at:])
		if seen[block] {
			t.Fatalf("a block repeats at %d", at)
		}
		seen[block] = true
	}
}
