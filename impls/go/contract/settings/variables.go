package settings

// Variable is a row of the contract's first table. The texts are the contract's own: a test holds
// them against docs/contract.md.
type Variable struct {
	Name string
	// Accepts says which values it takes.
	Accepts string
	// Default says what holds where it is absent.
	Default string
}

const (
	booleans = "true or false (1 or 0, in any case)"
	sizes    = "a whole number of bytes, or one with K, M or G for 1024, 1024^2, 1024^3"
	counts   = "a whole number up to 1000000; 0 skips the section"
	seconds  = "seconds above 0, as 20, 0.5 or 20s"
)

// The variables of the contract.
var (
	IsDialer           = Variable{"IS_DIALER", booleans, "required"}
	RedisAddr          = Variable{"REDIS_ADDR", "host:port, or a redis:// URL", "redis:6379"}
	TestKey            = Variable{"TEST_KEY", "1 to 64 of the characters A-Z a-z 0-9 . _ -", "none: un-namespaced keys"}
	TransportName      = Variable{"TRANSPORT", "tcp, ws, quic-v1, webtransport, webrtc-direct, https, quic, raw-tcp, raw-tls, raw-noise or raw-quic", "required"}
	SecureChannelName  = Variable{"SECURE_CHANNEL", "noise or tls with tcp and ws; nothing, or null, with other transports", "required with tcp and ws"}
	MuxerName          = Variable{"MUXER", "yamux or mplex with tcp and ws; nothing, or null, with other transports", "required with tcp and ws"}
	ListenerIP         = Variable{"LISTENER_IP", "an IP address", "0.0.0.0"}
	UploadBytes        = Variable{"UPLOAD_BYTES", sizes, "1073741824"}
	DownloadBytes      = Variable{"DOWNLOAD_BYTES", sizes, "1073741824"}
	UploadIterations   = Variable{"UPLOAD_ITERATIONS", counts, "10"}
	DownloadIterations = Variable{"DOWNLOAD_ITERATIONS", counts, "10"}
	LatencyIterations  = Variable{"LATENCY_ITERATIONS", counts, "100"}
	Duration           = Variable{"DURATION", seconds, "none: iterations are sized in bytes"}
	Debug              = Variable{"DEBUG", booleans, "false"}
	ProfileName        = Variable{"PERF_PROFILE", "stock or tuned", "stock"}
	Identity           = Variable{"PERF_IDENTITY", "the path of a key file, made where absent", "a fresh identity"}
	ListenerPort       = Variable{"PERF_LISTENER_PORT", "a port, 0 to 65535; 0: any free one", "0"}
	StallSecs          = Variable{"PERF_STALL_SECS", seconds, "30"}
	TimeoutSecs        = Variable{"PERF_TIMEOUT_SECS", seconds, "none"}
	Warmup             = Variable{"PERF_WARMUP", "a whole number up to 1000000", "0"}
)

// Variables are all of them, in the order of the contract.
var Variables = []Variable{
	IsDialer, RedisAddr, TestKey, TransportName, SecureChannelName, MuxerName, ListenerIP,
	UploadBytes, DownloadBytes, UploadIterations, DownloadIterations, LatencyIterations, Duration,
	Debug, ProfileName, Identity, ListenerPort, StallSecs, TimeoutSecs, Warmup,
}
