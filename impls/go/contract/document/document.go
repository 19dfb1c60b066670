// Package document writes the one YAML document that a dialer prints (docs/contract.md, "The
// document"). Keys, order and indentation are fixed: consumers grep for them.
package document

import (
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"

	"perf.test/contract/failure"
	"perf.test/contract/measure"
	"perf.test/contract/settings"
	"perf.test/contract/stats"
)

// Document is all that a dialer has to say.
type Document struct {
	Node    Node
	Results measure.Results
	// Failure is why the status is not 0; nil: it is.
	Failure *failure.Failure
}

// Node says what measured, and on what.
type Node struct {
	Name, Version string
	// Stack is as asked for and verified; nil where the settings were refused.
	Stack *settings.Stack
	// Negotiation says how streams agree on their protocol: v1, lazy; empty where they don't, or
	// where there was no connection.
	Negotiation string
	// Phases of the connection, in order.
	Phases []Phase
	// CPUSeconds and PeakRSSBytes are this process's.
	CPUSeconds   float64
	PeakRSSBytes uint64
	// Extra stands last, in order.
	Extra []Entry
}

// Phase is what a part of connecting cost.
type Phase struct {
	Name         string
	Milliseconds float64
}

// Entry is one more key under node.
type Entry struct{ Key, Value string }

// YAML is the document's text.
func (d Document) YAML() string {
	var out strings.Builder
	for _, phase := range []failure.Phase{failure.Upload, failure.Download, failure.Latency} {
		if section, ok := d.Results.Section(phase); ok {
			writeSection(&out, section)
		}
	}
	d.writeNode(&out)
	d.writeFailure(&out)
	return out.String()
}

func writeSection(out *strings.Builder, section measure.Section) {
	plot, ok := stats.Box(section.Samples)
	if !ok {
		return
	}
	fmt.Fprintf(out, "%s:\n", section.Phase)
	line(out, "iterations", strconv.Itoa(len(section.Samples)))
	line(out, "min", Significant(plot.Min))
	line(out, "q1", Significant(plot.Q1))
	line(out, "median", Significant(plot.Median))
	line(out, "q3", Significant(plot.Q3))
	line(out, "max", Significant(plot.Max))
	line(out, "outliers", list(plot.Outliers))
	line(out, "samples", list(section.Samples))
	line(out, "unit", section.Unit())
}

func (d Document) writeNode(out *strings.Builder) {
	fmt.Fprintf(out, "node:\n")
	line(out, "name", quotedIfNeeded(d.Node.Name))
	line(out, "version", quotedIfNeeded(d.Node.Version))
	if stack := d.Node.Stack; stack != nil {
		line(out, "stack", mapping([]Entry{
			{"transport", stack.Transport},
			{"secure_channel", stack.SecureChannel},
			{"muxer", stack.Muxer},
			{"profile", stack.Profile},
			{"negotiation", d.Node.Negotiation},
		}))
	}
	line(out, "phases_ms", mapping(d.phases()))
	if latency, ok := d.Results.Section(failure.Latency); ok {
		line(out, "latency_percentiles_ms", percentiles(latency.Samples, 50, 90, 95, 99))
	}
	line(out, "cpu_seconds", Significant(d.Node.CPUSeconds))
	line(out, "peak_rss_bytes", strconv.FormatUint(d.Node.PeakRSSBytes, 10))
	for _, entry := range d.Node.Extra {
		line(out, entry.Key, quotedIfNeeded(entry.Value))
	}
}

func (d Document) phases() []Entry {
	var entries []Entry
	for _, phase := range d.Node.Phases {
		entries = append(entries, Entry{phase.Name, Significant(phase.Milliseconds)})
	}
	if len(d.Results.StreamOpen) > 0 {
		entries = append(entries,
			Entry{"stream_open", percentiles(d.Results.StreamOpen, 50, 99)},
			Entry{"exchange", percentiles(d.Results.Exchange, 50, 99)})
	}
	return entries
}

func (d Document) writeFailure(out *strings.Builder) {
	if d.Failure == nil {
		return
	}
	fmt.Fprintf(out, "failure:\n")
	line(out, "class", string(d.Failure.Class))
	line(out, "phase", string(d.Failure.Phase))
	line(out, "message", strconv.Quote(d.Failure.Message))
	current := d.Results.Current
	if current == nil {
		return
	}
	if current.Iteration > 0 {
		line(out, "iteration", strconv.Itoa(current.Iteration))
	}
	fmt.Fprintf(out, "  partial:\n")
	line(out, "  bytes_sent", strconv.FormatUint(current.Meter.Sent(), 10))
	line(out, "  bytes_received", strconv.FormatUint(current.Meter.Received(), 10))
	line(out, "  samples", list(current.Samples))
	line(out, "  unit", current.Unit())
}

func line(out *strings.Builder, key, value string) { fmt.Fprintf(out, "  %s: %s\n", key, value) }

func list(values []float64) string {
	texts := make([]string, len(values))
	for i, value := range values {
		texts[i] = Significant(value)
	}
	return "[" + strings.Join(texts, ", ") + "]"
}

// mapping is a flow mapping of the entries that have a value.
func mapping(entries []Entry) string {
	var texts []string
	for _, entry := range entries {
		if entry.Value != "" {
			texts = append(texts, entry.Key+": "+entry.Value)
		}
	}
	return "{" + strings.Join(texts, ", ") + "}"
}

// percentiles is a mapping p50, p99 …; null where there are too few samples to say.
func percentiles(samples []float64, percents ...int) string {
	var entries []Entry
	for _, percent := range percents {
		text := "null"
		if value, ok := stats.Percentile(samples, float64(percent)/100); ok {
			text = Significant(value)
		}
		entries = append(entries, Entry{fmt.Sprintf("p%d", percent), text})
	}
	return mapping(entries)
}

// Significant gives value with six significant digits at most, without exponent, and a decimal
// point always: 6.51234, 0.000123457, 12345700.0.
func Significant(value float64) string {
	if value == 0 {
		return "0.0"
	}
	decimals := 5 - int(math.Floor(math.Log10(math.Abs(value))))
	if decimals < 0 {
		unit := math.Pow(10, float64(-decimals))
		return strconv.FormatFloat(math.Round(value/unit)*unit, 'f', 0, 64) + ".0"
	}
	whole, fraction, _ := strings.Cut(strconv.FormatFloat(value, 'f', decimals, 64), ".")
	if fraction = strings.TrimRight(fraction, "0"); fraction == "" {
		fraction = "0"
	}
	return whole + "." + fraction
}

// plain is a text that YAML reads as that string: a word, or words behind slashes, or a version.
var plain = regexp.MustCompile(`^([A-Za-z][A-Za-z0-9_-]*[./][A-Za-z0-9._/-]*|[a-z0-9]+-[a-z0-9-]*[a-z]|v[0-9][0-9.]*)$`)

func quotedIfNeeded(text string) string {
	if plain.MatchString(text) {
		return text
	}
	return strconv.Quote(text)
}
