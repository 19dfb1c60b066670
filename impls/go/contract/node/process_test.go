package node

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"perf.test/contract/document"
	"perf.test/contract/exchange"
	"perf.test/contract/settings"
)

// A node whose connections are nothing and whose streams are TCP connections: raw-tcp of the contract.
type tcpNode struct {
	dialing func(ctx context.Context, address string) error // nil: at once
}

func (tcpNode) Name() string    { return "tcp-test" }
func (tcpNode) Version() string { return "v0" }

func (tcpNode) Speaks(stack settings.Stack) error {
	if stack.Transport != "raw-tcp" {
		return errors.New("it speaks raw-tcp")
	}
	return nil
}

func (tcpNode) Listen(config settings.Config, serve func(exchange.Stream)) (Listener, error) {
	listener, err := net.ListenTCP("tcp", net.TCPAddrFromAddrPort(netip.AddrPortFrom(config.IP, config.Port)))
	if err != nil {
		return nil, err
	}
	go func() {
		for {
			conn, err := listener.AcceptTCP()
			if err != nil {
				return
			}
			go serve(tcpStream{conn})
		}
	}()
	return tcpListener{listener}, nil
}

type tcpListener struct{ *net.TCPListener }

func (l tcpListener) Address(ip netip.Addr) string {
	return fmt.Sprintf("/ip4/%v/tcp/%d", ip, l.Addr().(*net.TCPAddr).Port)
}
func (tcpListener) Failed() <-chan error { return nil }

type tcpStream struct{ *net.TCPConn }

func (s tcpStream) Reset() error {
	_ = s.SetLinger(0)
	return s.TCPConn.Close()
}

func (n tcpNode) Dial(ctx context.Context, _ settings.Config, address string) (Connection, error) {
	if n.dialing != nil {
		if err := n.dialing(ctx, address); err != nil {
			return nil, err
		}
	}
	parts := strings.Split(address, "/")
	if len(parts) != 5 {
		return nil, fmt.Errorf("%q is no address", address)
	}
	connection := tcpConnection(net.JoinHostPort(parts[2], parts[4]))
	stream, err := connection.OpenStream(ctx)
	if err != nil {
		return nil, err
	}
	return connection, stream.Reset()
}

type tcpConnection string

func (c tcpConnection) OpenStream(ctx context.Context) (exchange.Stream, error) {
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, "tcp", string(c))
	if err != nil {
		return nil, err
	}
	return tcpStream{conn.(*net.TCPConn)}, nil
}
func (tcpConnection) Standing() error { return nil }
func (tcpConnection) Close() error    { return nil }
func (tcpConnection) Details() Details {
	return Details{Phases: []document.Phase{{Name: "dial", Milliseconds: 0.5}}, Negotiation: "v1"}
}

// redisServer starts a real one; without it the tests of this file have nothing to say.
func redisServer(t *testing.T) (address string, client *redis.Client) {
	t.Helper()
	program, err := exec.LookPath("redis-server")
	if err != nil {
		t.Fatal("install redis-server (scripts/test-deps does): ", err)
	}
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := strconv.Itoa(free.Addr().(*net.TCPAddr).Port)
	free.Close()
	server := exec.Command(program, "--port", port, "--bind", "127.0.0.1", "--save", "", "--dir", t.TempDir())
	server.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Process.Kill(); _ = server.Wait() })
	client = redis.NewClient(&redis.Options{Addr: "127.0.0.1:" + port})
	t.Cleanup(func() { client.Close() })
	eventually(t, "redis-server", func() bool { return client.Ping(context.Background()).Err() == nil })
	return "127.0.0.1:" + port, client
}

func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !holds(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("in vain: ", what)
		}
	}
}

// side is a process under way.
type side struct {
	stdout, stderr synced
	stops          chan os.Signal
	status         chan int
}

// synced is a buffer that two goroutines may use.
type synced struct {
	mutex  sync.Mutex
	buffer bytes.Buffer
}

func (s *synced) Write(text []byte) (int, error) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	return s.buffer.Write(text)
}

func (s *synced) String() string {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	return s.buffer.String()
}

// start runs node with the environment; pairs are names and values.
func start(node Node, pairs ...string) *side {
	environment := map[string]string{"TRANSPORT": "raw-tcp", "LISTENER_IP": "127.0.0.1", "TEST_KEY": "abc"}
	for i := 0; i < len(pairs); i += 2 {
		environment[pairs[i]] = pairs[i+1]
	}
	s := &side{stops: make(chan os.Signal, 1), status: make(chan int, 1)}
	process := process{
		node: node, stops: s.stops, stdout: &s.stdout, stderr: &s.stderr,
		environ: func(name string) string { return environment[name] },
	}
	go func() { s.status <- process.run(context.Background(), nil) }()
	return s
}

// ends waits for the status, and checks the last line on stderr of one that failed.
func (s *side) ends(t *testing.T, want int) {
	t.Helper()
	select {
	case status := <-s.status:
		lines := strings.Split(strings.TrimSpace(s.stderr.String()), "\n")
		if last := lines[len(lines)-1]; strings.HasPrefix(last, "failure: {class: ") != (want != 0) {
			t.Errorf("the last line on stderr: %s", last)
		}
		if status != want {
			t.Fatalf("status %d, want %d\n%s%s", status, want, &s.stdout, &s.stderr)
		}
	case <-time.After(20 * time.Second):
		t.Fatalf("it goes on\n%s%s", &s.stdout, &s.stderr)
	}
}

func (s *side) says(t *testing.T, texts ...string) {
	t.Helper()
	for _, text := range texts {
		if !strings.Contains(s.stdout.String(), text) {
			t.Errorf("stdout does not say %q:\n%s", text, &s.stdout)
		}
	}
}

var small = []string{
	"IS_DIALER", "true", "UPLOAD_BYTES", "1M", "DOWNLOAD_BYTES", "1M",
	"UPLOAD_ITERATIONS", "2", "DOWNLOAD_ITERATIONS", "3", "LATENCY_ITERATIONS", "4",
}

func measuring(node Node, pairs ...string) *side { return start(node, append(small[:], pairs...)...) }

func TestDialerAndListenerMeetAndMeasureRunAfterRun(t *testing.T) {
	address, client := redisServer(t)
	ctx := context.Background()
	// Whatever type stood at the key before is replaced.
	client.RPush(ctx, "abc_listener_multiaddr", "/old")
	listener := start(tcpNode{}, "IS_DIALER", "false", "REDIS_ADDR", address)
	eventually(t, "an address", func() bool {
		return client.Type(ctx, "abc_listener_multiaddr").Val() == "string"
	})
	if life := client.TTL(ctx, "abc_listener_multiaddr").Val(); life <= 3590*time.Second || life > time.Hour {
		t.Errorf("the key lives %v", life)
	}
	for range 2 {
		d := measuring(tcpNode{}, "REDIS_ADDR", "redis://"+address)
		d.ends(t, 0)
		d.says(t, "upload:\n  iterations: 2\n", "download:\n  iterations: 3\n", "latency:\n  iterations: 4\n",
			"stack: {transport: raw-tcp, profile: stock, negotiation: v1}\n", "phases_ms: {dial: 0.5, stream_open: ")
		if strings.Contains(d.stdout.String(), "failure:") {
			t.Errorf("a failure in\n%s", &d.stdout)
		}
	}
	listener.stops <- syscall.SIGTERM
	listener.ends(t, 0)
	if listener.stdout.String() != "" {
		t.Errorf("a listener printed %q", listener.stdout.String())
	}
}

func TestAListAtTheKeyIsRead(t *testing.T) {
	address, client := redisServer(t)
	listener := start(tcpNode{}, "IS_DIALER", "0", "REDIS_ADDR", address, "TEST_KEY", "new")
	ctx := context.Background()
	var published string
	eventually(t, "an address", func() bool {
		published = client.Get(ctx, "new_listener_multiaddr").Val()
		return published != ""
	})
	client.RPush(ctx, "abc_listener_multiaddr", published, "/later")
	measuring(tcpNode{}, "REDIS_ADDR", address).ends(t, 0)
	// Another type is an error that names key and type.
	client.Del(ctx, "abc_listener_multiaddr")
	client.HSet(ctx, "abc_listener_multiaddr", "a", "b")
	d := measuring(tcpNode{}, "REDIS_ADDR", address)
	d.ends(t, 3)
	d.says(t, "class: environment\n  phase: coordination\n", "abc_listener_multiaddr", "is a hash")
	listener.stops <- syscall.SIGINT
	listener.ends(t, 0)
}

func TestAStaleAddressGivesWayToAChangedOne(t *testing.T) {
	address, client := redisServer(t)
	ctx := context.Background()
	for name, dialing := range map[string]func(context.Context, string) error{
		"one that fails": nil,
		"one that hangs": func(ctx context.Context, address string) error {
			if address == "/ip4/127.0.0.1/tcp/1" {
				<-ctx.Done()
			}
			return nil
		},
	} {
		client.Set(ctx, "abc_listener_multiaddr", "/ip4/127.0.0.1/tcp/1", time.Minute)
		d := measuring(tcpNode{dialing: dialing}, "REDIS_ADDR", address)
		time.Sleep(300 * time.Millisecond) // it has dialed the dead one by now, or will find the new one
		listener := start(tcpNode{}, "IS_DIALER", "false", "REDIS_ADDR", address)
		d.ends(t, 0)
		listener.stops <- syscall.SIGTERM
		listener.ends(t, 0)
		t.Log(name)
	}
}

func TestADialerThatIsToldToEndSaysWhatItHas(t *testing.T) {
	address, client := redisServer(t)
	listener := start(tcpNode{}, "IS_DIALER", "false", "REDIS_ADDR", address)
	defer func() { listener.stops <- syscall.SIGTERM; listener.ends(t, 0) }()
	eventually(t, "an address", func() bool { return client.Exists(context.Background(), "abc_listener_multiaddr").Val() == 1 })
	for _, c := range []struct {
		stop   os.Signal
		status int
		class  string
	}{{syscall.SIGTERM, 5, "transfer"}, {syscall.SIGINT, 130, "interrupted"}} {
		d := measuring(tcpNode{}, "REDIS_ADDR", address, "DOWNLOAD_ITERATIONS", "1000000")
		eventually(t, "a download", func() bool { return strings.Contains(d.stderr.String(), "download 2/1000000: ") })
		d.stops <- c.stop
		d.ends(t, c.status)
		d.says(t, "upload:\n", "failure:\n  class: "+c.class+"\n  phase: download\n", "  iteration: ", "  partial:\n")
		if strings.Contains(d.stdout.String(), "\ndownload:") || strings.HasPrefix(d.stdout.String(), "download:") {
			t.Errorf("a broken section appears as one:\n%s", &d.stdout)
		}
	}
	d := measuring(tcpNode{}, "REDIS_ADDR", address, "DOWNLOAD_ITERATIONS", "1000000", "PERF_TIMEOUT_SECS", "0.5")
	d.ends(t, 5)
	d.says(t, "class: transfer\n", "not done within PERF_TIMEOUT_SECS, 0.5 s")
}

func TestFailuresHaveTheirStatus(t *testing.T) {
	for name, c := range map[string]struct {
		status int
		says   []string
		pairs  []string
	}{
		"usage":       {2, []string{"class: usage\n  phase: configuration\n", "UPLOAD_BYTES: \\\"1e9\\\" is not accepted"}, []string{"UPLOAD_BYTES", "1e9"}},
		"unsupported": {127, []string{"class: unsupported\n", "tcp-test does not speak (quic-v1): it speaks raw-tcp"}, []string{"TRANSPORT", "quic-v1"}},
	} {
		d := measuring(tcpNode{}, c.pairs...)
		d.ends(t, c.status)
		d.says(t, c.says...)
		listener := start(tcpNode{}, append([]string{"IS_DIALER", "false"}, c.pairs...)...)
		listener.ends(t, c.status)
		if listener.stdout.String() != "" {
			t.Errorf("%s: a listener printed %q", name, listener.stdout.String())
		}
	}
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	port := strconv.Itoa(taken.Addr().(*net.TCPAddr).Port)
	start(tcpNode{}, "IS_DIALER", "false", "PERF_LISTENER_PORT", port).ends(t, 3)
}

func TestABugIsAnInternalFailure(t *testing.T) {
	address, client := redisServer(t)
	client.Set(context.Background(), "abc_listener_multiaddr", "/a", time.Minute)
	d := measuring(tcpNode{dialing: func(context.Context, string) error { panic("ouch") }}, "REDIS_ADDR", address)
	d.ends(t, 1)
	d.says(t, "class: internal\n", "a bug: ouch")
}

func TestStdoutThatIsGoneIsAFailure(t *testing.T) {
	var stderr bytes.Buffer
	process := process{
		node: tcpNode{}, stdout: broken{}, stderr: &stderr,
		environ: func(string) string { return "" },
	}
	if status := process.report(document.Document{}); status != 3 || !strings.Contains(stderr.String(), "class: environment") {
		t.Errorf("%d %s", status, &stderr)
	}
}

type broken struct{}

func (broken) Write([]byte) (int, error) { return 0, errors.New("broken pipe") }

func TestArguments(t *testing.T) {
	for argument, want := range map[string]int{"--help": 0, "--version": 0, "listen": 2} {
		var stdout, stderr bytes.Buffer
		process := process{node: tcpNode{}, stdout: &stdout, stderr: &stderr}
		if status := process.run(t.Context(), []string{argument}); status != want {
			t.Errorf("%s: %d", argument, status)
		}
		if (stdout.Len() > 0) != (want == 0) || (stderr.Len() > 0) != (want != 0) {
			t.Errorf("%s: stdout %q, stderr %q", argument, &stdout, &stderr)
		}
	}
}

func TestTheHighWaterMarkIsRead(t *testing.T) {
	if mark, ok := highWaterMark([]byte("VmPeak:\t 9 kB\nVmHWM:\t  2048 kB\n")); !ok || mark != 2<<20 {
		t.Error(mark, ok)
	}
	if mark, ok := highWaterMark([]byte("Name: x")); ok {
		t.Error(mark)
	}
	if cpu, peak := usageOfThisProcess(); cpu <= 0 || peak < 1<<20 {
		t.Error(cpu, peak)
	}
}
