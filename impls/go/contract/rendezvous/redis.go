package rendezvous

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"

	"perf.test/contract/failure"
)

// Redis is a Store in Redis.
type Redis struct{ client *redis.Client }

// NewRedis makes a store at a redis:// URL; it connects with the first command.
func NewRedis(url string) (*Redis, error) {
	options, err := redis.ParseURL(url)
	if err != nil {
		return nil, failure.New(failure.Usage, failure.Configuration, "REDIS_ADDR: %s", err)
	}
	// Tries are counted and paced by Meeting, which also says what went wrong; and what is asked here
	// is understood by every version and imitation of Redis.
	options.MaxRetries = -1
	options.DialerRetries = 1
	options.ContextTimeoutEnabled = true
	options.Protocol = 2
	options.DisableIdentity = true
	options.MaintNotificationsConfig = &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
	options.PoolSize = 1
	return &Redis{client: redis.NewClient(options)}, nil
}

func init() { redis.SetLogger(silent{}) }

// silent keeps the client's own log off stderr: every error it has is returned as well.
type silent struct{}

func (silent) Printf(context.Context, string, ...any) {}

// Close ends the connection.
func (r *Redis) Close() { _ = r.client.Close() }

// Place is host:port, without a URL's credentials.
func (r *Redis) Place() string { return r.client.Options().Addr }

// Get reads a string, or the first element of a list: older images push.
func (r *Redis) Get(ctx context.Context, key string) (string, error) {
	address, err := r.client.Get(ctx, key).Result()
	if redis.HasErrorPrefix(err, "WRONGTYPE") {
		address, err = r.getOther(ctx, key)
	}
	if errors.Is(err, redis.Nil) {
		return "", nil
	}
	return address, err
}

func (r *Redis) getOther(ctx context.Context, key string) (string, error) {
	kind, err := r.client.Type(ctx, key).Result()
	switch {
	case err != nil:
		return "", err
	case kind == "list":
		return r.client.LIndex(ctx, key, 0).Result()
	case kind == "string" || kind == "none":
		// It was replaced between the two commands: the next try will see.
		return "", nil
	}
	return "", &WrongType{Kind: kind}
}

// Set is one SET … EX.
func (r *Redis) Set(ctx context.Context, key, value string) error {
	return r.client.Set(ctx, key, value, keyLife).Err()
}

// Addresses resolves the host's name.
func (r *Redis) Addresses(ctx context.Context) ([]netip.AddrPort, error) {
	host, service, err := net.SplitHostPort(r.Place())
	if err != nil {
		return nil, err
	}
	port, err := net.DefaultResolver.LookupPort(ctx, "tcp", service)
	if err != nil {
		return nil, err
	}
	ips, err := net.DefaultResolver.LookupNetIP(ctx, "ip", host)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", r.Place(), err)
	}
	var addresses []netip.AddrPort
	for _, ip := range ips {
		addresses = append(addresses, netip.AddrPortFrom(ip.Unmap(), uint16(port)))
	}
	return addresses, nil
}
