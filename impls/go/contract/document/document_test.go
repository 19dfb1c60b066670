package document

import (
	"math"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"

	"perf.test/contract/exchange"
	"perf.test/contract/failure"
	"perf.test/contract/measure"
	"perf.test/contract/settings"
)

// The text that harness-sdk/src/document.rs expects of the same figures.
const expected = `upload:
  iterations: 5
  min: 6.81
  q1: 6.81
  median: 6.82
  q3: 6.83
  max: 6.84
  outliers: [5.102]
  samples: [6.81, 6.84, 6.83, 6.82, 5.102]
  unit: Gbps
latency:
  iterations: 1
  min: 0.25
  q1: 0.25
  median: 0.25
  q3: 0.25
  max: 0.25
  outliers: []
  samples: [0.25]
  unit: ms
node:
  name: perf-node
  version: "0.1.0"
  stack: {transport: tcp, secure_channel: noise, muxer: yamux, profile: stock, negotiation: v1}
  phases_ms: {dial: 0.1, security: 1.2, muxer: 0.3, stream_open: {p50: null, p99: null}, exchange: {p50: null, p99: null}}
  latency_percentiles_ms: {p50: null, p90: null, p95: null, p99: null}
  cpu_seconds: 12.3
  peak_rss_bytes: 31457280
  peer_agent: "go: libp2p"
failure:
  class: transfer
  phase: download
  message: "stream \"reset\" by peer"
  iteration: 3
  partial:
    bytes_sent: 0
    bytes_received: 0
    samples: [1.5, 2.0]
    unit: Gbps
`

func example() Document {
	return Document{
		Node: Node{
			Name:         "perf-node",
			Version:      "0.1.0",
			Stack:        &settings.Stack{Transport: "tcp", SecureChannel: "noise", Muxer: "yamux", Profile: "stock"},
			Negotiation:  "v1",
			Phases:       []Phase{{"dial", 0.1}, {"security", 1.2}, {"muxer", 0.3}},
			CPUSeconds:   12.3,
			PeakRSSBytes: 31457280,
			Extra:        []Entry{{"peer_agent", "go: libp2p"}},
		},
		Results: measure.Results{
			Whole: []measure.Section{
				{Phase: failure.Upload, Samples: []float64{6.81, 6.84, 6.83, 6.82, 5.102}},
				{Phase: failure.Latency, Samples: []float64{0.25}},
			},
			Current: &measure.Current{
				Section:   measure.Section{Phase: failure.Download, Samples: []float64{1.5, 2}},
				Iteration: 3,
				Meter:     exchange.StartMeter(),
			},
			StreamOpen: []float64{0.1},
			Exchange:   []float64{0.15},
		},
		Failure: failure.New(failure.Transfer, failure.Download, "stream \"reset\"\nby peer"),
	}
}

func TestYAMLIsTheContracts(t *testing.T) {
	if got := example().YAML(); got != expected {
		t.Errorf("got\n%s\nwant\n%s", got, expected)
	}
}

func TestTheNineKeysStandNowhereElse(t *testing.T) {
	document := example()
	document.Results.Whole = nil
	for line := range strings.Lines(document.YAML()) {
		key, _, _ := strings.Cut(strings.TrimPrefix(line, "  "), ":")
		for _, of := range strings.Fields("iterations min q1 median q3 max outliers samples unit") {
			if strings.HasPrefix(line, "  ") && key == of {
				t.Errorf("without a section: %s", line)
			}
		}
	}
}

func TestARefusedConfigurationIsADocumentToo(t *testing.T) {
	got := Document{
		Node:    Node{Name: "quic-go", Version: "v0.55.0", PeakRSSBytes: 1},
		Failure: failure.New(failure.Usage, failure.Configuration, "TRANSPORT is not set"),
	}.YAML()
	want := `node:
  name: quic-go
  version: v0.55.0
  phases_ms: {}
  cpu_seconds: 0.0
  peak_rss_bytes: 1
failure:
  class: usage
  phase: configuration
  message: "TRANSPORT is not set"
`
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestSixSignificantDigits(t *testing.T) {
	for want, value := range map[string]float64{
		"6.51234": 6.5123419, "0.000123457": 0.00012345678, "12345700.0": 12345678, "7.0": 7, "0.0": 0,
		"1.0": 0.99999999, "-2.5": -2.5,
	} {
		if got := Significant(value); got != want {
			t.Errorf("%v: %s, want %s", value, got, want)
		}
	}
	random := rand.New(rand.NewPCG(3, 4))
	for range 10_000 {
		value := math.Pow(10, random.Float64()*21-9)
		text := Significant(value)
		read, err := strconv.ParseFloat(text, 64)
		if err != nil || math.Abs(read-value)/value > 5.1e-6 || strings.ContainsAny(text, "eE") || !strings.Contains(text, ".") {
			t.Fatalf("%s for %v", text, value)
		}
	}
}

func TestTextsAreQuotedWhereYAMLWouldReadSomethingElse(t *testing.T) {
	for text, want := range map[string]string{
		"go-libp2p": "go-libp2p", "v0.45.0": "v0.45.0", "perf-node/0.1.0": "perf-node/0.1.0",
		"true": `"true"`, "0.1": `"0.1"`, "go: libp2p": `"go: libp2p"`, "": `""`, "null": `"null"`, "1e-3": `"1e-3"`, "2026-01-02": `"2026-01-02"`,
	} {
		if got := quotedIfNeeded(text); got != want {
			t.Errorf("%s: %s, want %s", text, got, want)
		}
	}
}
