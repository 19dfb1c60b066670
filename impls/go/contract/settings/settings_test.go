package settings

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"
)

// environ is a contract-mode environment over tcp; pairs (name, value) win.
func environ(pairs ...string) func(string) string {
	values := map[string]string{
		"IS_DIALER": "true", "TRANSPORT": "tcp", "SECURE_CHANNEL": "noise", "MUXER": "yamux",
	}
	for i := 0; i < len(pairs); i += 2 {
		values[pairs[i]] = pairs[i+1]
	}
	return func(name string) string { return values[name] }
}

func accepted(t *testing.T, pairs ...string) Config {
	t.Helper()
	config, err := FromEnvironment(environ(pairs...))
	if err != nil {
		t.Fatalf("%q: %v", pairs, err)
	}
	return config
}

func refused(t *testing.T, pairs ...string) string {
	t.Helper()
	config, err := FromEnvironment(environ(pairs...))
	if err == nil {
		t.Fatalf("%q: %+v", pairs, config)
	}
	return err.Error()
}

func TestDefaultsAreTheContracts(t *testing.T) {
	gib := Direction{Amount: Amount{Bytes: 1073741824}, Iterations: 10}
	config := accepted(t)
	if config.IP.String() != "0.0.0.0" {
		t.Errorf("IP %v", config.IP)
	}
	config.IP = Config{}.IP
	want := Config{
		Dialer:   true,
		Stack:    Stack{"tcp", "noise", "yamux", "stock"},
		RedisURL: "redis://redis:6379",
		Plan:     Plan{Upload: gib, Download: gib, LatencyIterations: 100},
		Stall:    30 * time.Second,
	}
	if config != want {
		t.Errorf("got %+v\nwant %+v", config, want)
	}
}

func TestEveryBadValueNamesVariableValueAndWhatIsAccepted(t *testing.T) {
	accepts := map[string]string{}
	for _, variable := range Variables {
		accepts[variable.Name] = variable.Accepts
	}
	for _, bad := range [][2]string{
		{"IS_DIALER", "yes"}, {"REDIS_ADDR", "redis"}, {"REDIS_ADDR", "redis:port"},
		{"REDIS_ADDR", "rediss://redis:6379"}, {"REDIS_ADDR", ":6379"}, {"REDIS_ADDR", "::1:6379"},
		{"TEST_KEY", "a b"}, {"TEST_KEY", strings.Repeat("a", 65)},
		{"TRANSPORT", "TCP"}, {"TRANSPORT", "carrier-pigeon"}, {"SECURE_CHANNEL", "plaintext"}, {"MUXER", "spdy"},
		{"LISTENER_IP", "localhost"}, {"LISTENER_IP", "fe80::1%eth0"},
		{"UPLOAD_BYTES", "-1"}, {"UPLOAD_BYTES", "+1"}, {"UPLOAD_BYTES", "1e9"}, {"UPLOAD_BYTES", "99999999999G"},
		{"DOWNLOAD_BYTES", "1.5"}, {"DOWNLOAD_BYTES", "K"},
		{"UPLOAD_ITERATIONS", "ten"}, {"DOWNLOAD_ITERATIONS", "1000001"}, {"LATENCY_ITERATIONS", "K"},
		{"DURATION", "0"}, {"DURATION", "1e3"}, {"DURATION", "20m"}, {"DURATION", "."}, {"DURATION", "31536001"},
		{"DEBUG", "2"}, {"PERF_PROFILE", "fast"}, {"PERF_LISTENER_PORT", "65536"}, {"PERF_LISTENER_PORT", "-1"},
		{"PERF_STALL_SECS", "0"}, {"PERF_TIMEOUT_SECS", "-1"}, {"PERF_WARMUP", "x"},
	} {
		name, value := bad[0], bad[1]
		want := fmt.Sprintf(`%s: "%s" is not accepted; it takes %s`, name, value, accepts[name])
		for _, role := range []string{"true", "false"} {
			if got := refused(t, "IS_DIALER", role, name, value); got != want {
				t.Errorf("got  %s\nwant %s", got, want)
			}
		}
	}
}

func TestNullAndEmptyAreAbsent(t *testing.T) {
	for _, absent := range []string{"", "null", "  "} {
		if got := accepted(t, "UPLOAD_BYTES", absent, "TEST_KEY", absent); got != accepted(t) {
			t.Errorf("%q: %+v", absent, got)
		}
		if got := refused(t, "MUXER", absent); !strings.HasPrefix(got, "MUXER is not set") {
			t.Error(got)
		}
		quic := accepted(t, "TRANSPORT", "quic-v1", "SECURE_CHANNEL", absent, "MUXER", absent)
		if got := quic.Stack.String(); got != "quic-v1" {
			t.Error(got)
		}
	}
	if got := accepted(t, "UPLOAD_BYTES", " 5 ").Plan.Upload.Amount.Bytes; got != 5 {
		t.Error(got)
	}
}

func TestMissingVariablesAreNamed(t *testing.T) {
	for _, name := range []string{"IS_DIALER", "TRANSPORT", "SECURE_CHANNEL"} {
		if got := refused(t, name, ""); !strings.HasPrefix(got, name+" is not set; it takes ") {
			t.Error(got)
		}
	}
}

func TestStandaloneTransportsRefuseLayers(t *testing.T) {
	want := `SECURE_CHANNEL: "noise" is not accepted with transport quic-v1, which brings its own; leave it out`
	if got := refused(t, "TRANSPORT", "quic-v1"); got != want {
		t.Error(got)
	}
}

func TestDurationYieldsToBytesThatAreGiven(t *testing.T) {
	twenty := Amount{Duration: 20 * time.Second}
	plan := accepted(t, "DURATION", "20s", "DOWNLOAD_BYTES", "5").Plan
	if plan.Upload.Amount != twenty || plan.Download.Amount != (Amount{Bytes: 5}) {
		t.Errorf("%+v", plan)
	}
	plan = accepted(t, "DURATION", "20", "UPLOAD_BYTES", "0").Plan
	if plan.Upload.Amount != twenty || plan.Download.Amount != twenty {
		t.Errorf("%+v", plan)
	}
}

func TestZeroBytesWithoutDurationAreRefusedUnlessSkipped(t *testing.T) {
	if got := refused(t, "UPLOAD_BYTES", "0"); !strings.HasPrefix(got, "UPLOAD_BYTES: 0 bytes") {
		t.Error(got)
	}
	if got := accepted(t, "UPLOAD_BYTES", "0", "UPLOAD_ITERATIONS", "0").Plan.Upload; got != (Direction{}) {
		t.Errorf("%+v", got)
	}
}

func TestSizesTakeBinarySuffixes(t *testing.T) {
	for text, want := range map[string]uint64{"1": 1, "2K": 2048, "3m": 3 << 20, "1G": 1 << 30} {
		if got := accepted(t, "UPLOAD_BYTES", text).Plan.Upload.Amount.Bytes; got != want {
			t.Errorf("%s: %d", text, got)
		}
	}
}

func TestRedisAddresses(t *testing.T) {
	for _, text := range []string{"redis:6379", "[::1]:6379", "redis://user:secret@host:1/2", "redis://host"} {
		accepted(t, "REDIS_ADDR", text)
	}
}

func TestARefusedDialerIsKnownAsOne(t *testing.T) {
	if !IsDialerIn(environ("TRANSPORT", "TCP")) || IsDialerIn(environ("IS_DIALER", "yes")) {
		t.Error("IS_DIALER alone decides")
	}
}

// The table of docs/contract.md is the specification: variable, flag, read by, accepts, default.
func TestTheTableIsTheDocumentedOne(t *testing.T) {
	text, err := os.ReadFile("../../../../docs/contract.md")
	if err != nil {
		t.Skip("the contract is not beside this module: ", err)
	}
	for _, variable := range Variables {
		found := false
		for line := range strings.Lines(string(text)) {
			cells := strings.Split(line, "|")
			if len(cells) > 6 && strings.TrimSpace(cells[1]) == "`"+variable.Name+"`" {
				found = true
				if got := strings.TrimSpace(cells[4]); got != variable.Accepts {
					t.Errorf("%s accepts %q there, %q here", variable.Name, got, variable.Accepts)
				}
				if got := strings.TrimSpace(cells[5]); got != variable.Default {
					t.Errorf("%s is %q there, %q here", variable.Name, got, variable.Default)
				}
			}
		}
		if !found {
			t.Errorf("%s is not documented", variable.Name)
		}
	}
}
