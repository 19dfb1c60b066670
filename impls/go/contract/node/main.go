package node

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"

	"perf.test/contract/document"
	"perf.test/contract/failure"
	"perf.test/contract/settings"
)

// Main is what an implementation's func main calls; it does not return.
func Main(node Node) {
	// A runner that went away is an error to report, not a reason to be killed.
	signal.Ignore(syscall.SIGPIPE)
	stops := make(chan os.Signal, 1)
	signal.Notify(stops, syscall.SIGINT, syscall.SIGTERM)
	process := process{node: node, environ: settings.Getenv, stops: stops, stdout: os.Stdout, stderr: os.Stderr}
	os.Exit(process.run(context.Background(), os.Args[1:]))
}

// process is what a node sees of the world.
type process struct {
	node           Node
	environ        func(name string) string
	stops          <-chan os.Signal
	stdout, stderr io.Writer
}

// run gives the exit status.
func (p *process) run(ctx context.Context, arguments []string) int {
	if len(arguments) > 0 {
		return p.byHand(arguments)
	}
	config, err := settings.FromEnvironment(p.environ)
	p.log(config.Debug)
	if err != nil {
		refused := failure.From(failure.Configuration, err)
		if settings.IsDialerIn(p.environ) {
			return p.report(document.Document{Failure: refused})
		}
		return p.end(refused)
	}
	if config.Dialer {
		return p.report(p.dial(ctx, config))
	}
	if err := p.listen(ctx, config); err != nil {
		return p.end(failure.From(failure.Listen, err))
	}
	return 0
}

const usage = `%s %s: a node of libp2p's unified-testing perf suite.

It takes no arguments. The environment says what to do (docs/contract.md): IS_DIALER picks the role,
dialer and listener meet through Redis, and the dialer prints one YAML document.

%s`

func (p *process) byHand(arguments []string) int {
	text := fmt.Sprintf(usage, p.node.Name(), p.node.Version(), settings.Usage())
	switch arguments[0] {
	case "--help", "-h":
		fmt.Fprint(p.stdout, text)
		return 0
	case "--version":
		fmt.Fprintln(p.stdout, p.node.Name(), p.node.Version())
		return 0
	}
	fmt.Fprint(p.stderr, text)
	return p.end(failure.New(failure.Usage, failure.Configuration,
		"argument %q is not accepted; the environment says what to do, see --help", arguments[0]))
}

func (p *process) log(debug bool) {
	level := slog.LevelInfo
	if debug {
		level = slog.LevelDebug
	}
	slog.SetDefault(slog.New(slog.NewTextHandler(p.stderr, &slog.HandlerOptions{Level: level})))
}

// report prints a dialer's document; it gives the exit status.
func (p *process) report(document document.Document) int {
	document.Node.Name, document.Node.Version = p.node.Name(), p.node.Version()
	document.Node.CPUSeconds, document.Node.PeakRSSBytes = usageOfThisProcess()
	_, err := io.WriteString(p.stdout, document.YAML())
	failed := document.Failure
	if err != nil && failed == nil {
		failed = failure.New(failure.Environment, failure.Report, "cannot write the document to stdout: %s", err)
	}
	if failed != nil {
		return p.end(failed)
	}
	return 0
}

// end writes a failure's last line; it gives the exit status.
func (p *process) end(failed *failure.Failure) int {
	fmt.Fprintln(p.stderr, failed.LastLine())
	return failed.Class.ExitStatus()
}

// speaks refuses a stack that the node does not speak, before anything is tried.
func (p *process) speaks(stack settings.Stack) error {
	if err := p.node.Speaks(stack); err != nil {
		return failure.New(failure.Unsupported, failure.Configuration,
			"%s does not speak (%s): %s", p.node.Name(), stack, err)
	}
	return nil
}

// contain makes an internal failure of a panic in task.
func contain(phase failure.Phase, task func() error) (err error) {
	defer func() {
		if panicked := recover(); panicked != nil {
			slog.Error("a bug", "panic", panicked, "stack", string(debug.Stack()))
			err = failure.New(failure.Internal, phase, "a bug: %v", panicked)
		}
	}()
	return task()
}
