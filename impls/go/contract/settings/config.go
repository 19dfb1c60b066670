// Package settings makes one validated configuration of the environment (docs/contract.md,
// "Settings"). Nothing else in a node reads the environment.
package settings

import (
	"fmt"
	"net/netip"
	"os"
	"slices"
	"strings"
	"time"

	"perf.test/contract/failure"
)

// Config is one validated configuration, made once.
type Config struct {
	// Dialer says the role: the side that measures, or the one that answers.
	Dialer bool
	Stack  Stack
	// RedisURL is where dialer and listener meet: always a redis:// URL.
	RedisURL string
	// TestKey is the namespace of the keys in Redis; empty: none.
	TestKey string
	// IP and Port are what a listener binds; port 0 is any free one.
	IP   netip.Addr
	Port uint16
	Plan Plan
	// Stall: no byte for this long on a stream is a failure of it.
	Stall time.Duration
	// Timeout is one deadline for a dialer's whole run; 0: none.
	Timeout time.Duration
	// Identity is a key file, made where absent; empty: a fresh identity.
	Identity string
	Debug    bool
}

// Plan is what a dialer measures: uploads, then downloads, then latencies.
type Plan struct {
	Upload, Download Direction
	// LatencyIterations counts one-byte exchanges; 0 skips the section.
	LatencyIterations int
	// Warmup counts iterations before each section's first: run, and not reported.
	Warmup int
}

// Direction is one direction's section.
type Direction struct {
	Amount     Amount
	Iterations int
}

// Amount is what one iteration moves: one request of Bytes; or, where Duration is not 0,
// back-to-back requests for about that long.
type Amount struct {
	Bytes    uint64
	Duration time.Duration
}

const (
	defaultBytes             = 1 << 30
	defaultIterations        = 10
	defaultLatencyIterations = 100
	defaultStall             = 30 * time.Second
	defaultRedisAddr         = "redis:6379"
)

// FromEnvironment reads and validates every variable, for either role. An error is a
// *failure.Failure of class usage that names the variable, the value and what is accepted.
func FromEnvironment(environ func(name string) string) (Config, error) {
	r := reader{lookup: environ}
	config := Config{
		Dialer:   required(&r, IsDialer, parseBool),
		Stack:    r.stack(),
		RedisURL: optional(&r, RedisAddr, parseRedis, "redis://"+defaultRedisAddr),
		TestKey:  optional(&r, TestKey, parseTestKey, ""),
		IP:       optional(&r, ListenerIP, parseIP, netip.IPv4Unspecified()),
		Port:     optional(&r, ListenerPort, parsePort, 0),
		Plan:     r.plan(),
		Stall:    optional(&r, StallSecs, parseSeconds, defaultStall),
		Timeout:  optional(&r, TimeoutSecs, parseSeconds, 0),
		Identity: optional(&r, Identity, parseAny, ""),
		Debug:    optional(&r, Debug, parseBool, false),
	}
	if r.failed != nil {
		return Config{}, r.failed
	}
	return config, nil
}

// IsDialerIn says whether IS_DIALER names the dialer, whatever else is wrong with the settings.
func IsDialerIn(environ func(name string) string) bool {
	r := reader{lookup: environ}
	return optional(&r, IsDialer, parseBool, false)
}

// Getenv is the process's environment as FromEnvironment wants it.
func Getenv(name string) string { return os.Getenv(name) }

// reader reads variables and keeps the first thing that was wrong.
type reader struct {
	lookup func(name string) string
	failed error
}

func (r *reader) fail(format string, arguments ...any) {
	if r.failed == nil {
		r.failed = failure.New(failure.Usage, failure.Configuration, format, arguments...)
	}
}

// text gives the variable's value; an empty value and the literal null are absent.
func (r *reader) text(variable Variable) (string, bool) {
	text := strings.TrimSpace(strings.ToValidUTF8(r.lookup(variable.Name), "\uFFFD"))
	return text, text != "" && text != "null"
}

func optional[T any](r *reader, variable Variable, parse func(string) (T, bool), absent T) T {
	text, present := r.text(variable)
	if !present {
		return absent
	}
	value, ok := parse(text)
	if !ok {
		r.fail(`%s: "%s" is not accepted; it takes %s`, variable.Name, text, variable.Accepts)
	}
	return value
}

func required[T any](r *reader, variable Variable, parse func(string) (T, bool)) (value T) {
	if _, present := r.text(variable); !present {
		r.missing(variable)
		return value
	}
	return optional(r, variable, parse, value)
}

func (r *reader) missing(variable Variable) {
	r.fail("%s is not set; it takes %s", variable.Name, variable.Accepts)
}

func (r *reader) stack() Stack {
	stack := Stack{
		Transport:     required(r, TransportName, oneOf(transports)),
		SecureChannel: optional(r, SecureChannelName, oneOf(secureChannels), ""),
		Muxer:         optional(r, MuxerName, oneOf(muxers), ""),
		Profile:       optional(r, ProfileName, oneOf(profiles), Stock),
	}
	for _, layer := range []struct {
		variable Variable
		value    string
	}{{SecureChannelName, stack.SecureChannel}, {MuxerName, stack.Muxer}} {
		switch {
		case layered(stack.Transport) && layer.value == "":
			r.missing(layer.variable)
		case !layered(stack.Transport) && layer.value != "":
			r.fail(`%s: "%s" is not accepted with transport %s, which brings its own; leave it out`,
				layer.variable.Name, layer.value, stack.Transport)
		}
	}
	return stack
}

func (r *reader) plan() Plan {
	return Plan{
		Upload:            r.direction(UploadBytes, UploadIterations),
		Download:          r.direction(DownloadBytes, DownloadIterations),
		LatencyIterations: optional(r, LatencyIterations, parseCount, defaultLatencyIterations),
		Warmup:            optional(r, Warmup, parseCount, 0),
	}
}

func (r *reader) direction(size, iterations Variable) Direction {
	_, given := r.text(size)
	direction := Direction{
		Amount:     Amount{Bytes: optional(r, size, parseBytes, defaultBytes)},
		Iterations: optional(r, iterations, parseCount, defaultIterations),
	}
	duration := optional(r, Duration, parseSeconds, 0)
	switch {
	case duration > 0 && (!given || direction.Amount.Bytes == 0):
		direction.Amount = Amount{Duration: duration}
	case direction.Amount.Bytes == 0 && direction.Iterations > 0:
		r.fail("%s: 0 bytes take no time that could be measured; give a size, or DURATION, or 0 iterations", size.Name)
	}
	return direction
}

func oneOf(names []string) func(string) (string, bool) {
	return func(text string) (string, bool) { return text, slices.Contains(names, text) }
}

// Usage is the table of variables, for --help.
func Usage() string {
	var text strings.Builder
	for _, variable := range Variables {
		fmt.Fprintf(&text, "  %-19s %s (default: %s)\n", variable.Name, variable.Accepts, variable.Default)
	}
	return text.String()
}
