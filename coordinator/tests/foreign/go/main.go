// Drives the coordinator at the address given as the only argument with go-redis, over RESP3 (its default) and RESP2.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: go run . host:port")
		os.Exit(2)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	for _, protocol := range []int{2, 3} {
		if err := exercise(ctx, os.Args[1], protocol); err != nil {
			fmt.Fprintf(os.Stderr, "go-redis, RESP%d: %v\n", protocol, err)
			os.Exit(1)
		}
		fmt.Printf("go-redis, RESP%d: ok\n", protocol)
	}
}

func exercise(ctx context.Context, addr string, protocol int) error {
	client := redis.NewClient(&redis.Options{Addr: addr, Protocol: protocol, ClientName: "go-redis-test", MaxRetries: -1})
	defer client.Close()
	key := func(name string) string { return fmt.Sprintf("go%d_%s", protocol, name) }
	address, list := key("listener_multiaddr"), key("list")

	checks := []struct {
		what string
		got  func() (any, error)
		want any
	}{
		{"SET EX", func() (any, error) { return client.Set(ctx, address, "/ip4/127.0.0.1/tcp/4001", time.Hour).Result() }, "OK"},
		{"GET", func() (any, error) { return client.Get(ctx, address).Result() }, "/ip4/127.0.0.1/tcp/4001"},
		{"TTL", func() (any, error) { return client.TTL(ctx, address).Result() }, time.Hour},
		{"TYPE of a string", func() (any, error) { return client.Type(ctx, address).Result() }, "string"},
		{"SETNX of a key that is there", func() (any, error) { return client.SetNX(ctx, address, "other", 0).Result() }, false},
		{"SETNX of a new key", func() (any, error) { return client.SetNX(ctx, key("new"), "x", 0).Result() }, true},
		{"TTL without expiry", func() (any, error) { return client.TTL(ctx, key("new")).Result() }, time.Duration(-1)},
		{"TTL without key", func() (any, error) { return client.TTL(ctx, key("none")).Result() }, time.Duration(-2)},
		{"RPUSH", func() (any, error) { return client.RPush(ctx, list, "a", "b", "c").Result() }, int64(3)},
		{"TYPE of a list", func() (any, error) { return client.Type(ctx, list).Result() }, "list"},
		{"LINDEX", func() (any, error) { return client.LIndex(ctx, list, 0).Result() }, "a"},
		{"LRANGE", func() (any, error) {
			values, err := client.LRange(ctx, list, 0, -1).Result()
			return strings.Join(values, " "), err
		}, "a b c"},
		{"BLPOP", func() (any, error) {
			values, err := client.BLPop(ctx, time.Second, list).Result()
			return strings.Join(values, " "), err
		}, list + " a"},
		{"DEL", func() (any, error) { return client.Del(ctx, address, list, key("new"), key("none")).Result() }, int64(3)},
		{"EXISTS", func() (any, error) { return client.Exists(ctx, address).Result() }, int64(0)},
		{"a pipeline", func() (any, error) {
			pipe := client.Pipeline()
			pipe.Set(ctx, key("piped"), "1", time.Minute)
			get := pipe.Get(ctx, key("piped"))
			_, err := pipe.Exec(ctx)
			return get.Val(), err
		}, "1"},
	}
	for _, check := range checks {
		got, err := check.got()
		if err != nil {
			return fmt.Errorf("%s: %w", check.what, err)
		}
		if got != check.want {
			return fmt.Errorf("%s: got %v, want %v", check.what, got, check.want)
		}
	}
	if err := client.Get(ctx, address).Err(); !errors.Is(err, redis.Nil) {
		return fmt.Errorf("GET without key: got %v, want nil", err)
	}
	if err := client.BLPop(ctx, time.Second, list).Err(); !errors.Is(err, redis.Nil) {
		return fmt.Errorf("BLPOP that times out: got %v, want nil", err)
	}
	if err := blockedUntilPushed(ctx, client, list); err != nil {
		return err
	}
	return unknownThenPing(ctx, client)
}

func blockedUntilPushed(ctx context.Context, client *redis.Client, list string) error {
	popped := make(chan error, 1)
	go func() {
		values, err := client.BLPop(ctx, 10*time.Second, list).Result()
		if err == nil && (len(values) != 2 || values[1] != "late") {
			err = fmt.Errorf("got %v", values)
		}
		popped <- err
	}()
	time.Sleep(100 * time.Millisecond)
	if err := client.RPush(ctx, list, "late").Err(); err != nil {
		return fmt.Errorf("RPUSH for a blocked client: %w", err)
	}
	if err := <-popped; err != nil {
		return fmt.Errorf("BLPOP of a blocked client: %w", err)
	}
	return nil
}

func unknownThenPing(ctx context.Context, client *redis.Client) error {
	conn := client.Conn()
	defer conn.Close()
	err := conn.Do(ctx, "NOSUCH", "a").Err()
	if err == nil || !strings.HasPrefix(err.Error(), "ERR unknown command 'NOSUCH'") {
		return fmt.Errorf("an unknown command: got %v", err)
	}
	if pong, err := conn.Ping(ctx).Result(); err != nil || pong != "PONG" {
		return fmt.Errorf("PING on the same connection: got %q, %w", pong, err)
	}
	return nil
}
