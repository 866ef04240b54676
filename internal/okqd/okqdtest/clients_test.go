package okqdtest_test

import (
	"bytes"
	"context"
	"fmt"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/mediocregopher/radix/v4"
	"github.com/redis/go-redis/v9"
	"github.com/redis/rueidis"

	"github.com/levenlabs/postmaster/internal/okqd/okqdtest"
	"github.com/levenlabs/postmaster/internal/testenv"
)

// The clients that people have can push, pop and ack as they come, with their default settings.

const clientTimeout = 30 * time.Second

func TestGoRedisWithDefaultSettings(t *testing.T) {
	t.Parallel()
	for _, password := range []string{"", "secret"} {
		srv := okqdtest.RunT(t, okqdtest.WithPassword(password))
		ctx, cancel := context.WithTimeout(t.Context(), clientTimeout)
		defer cancel()
		c := redis.NewClient(&redis.Options{Addr: srv.Addr, Password: password})
		defer c.Close()
		story(t, func(args ...any) (any, error) {
			v, err := c.Do(ctx, args...).Result()
			if err == redis.Nil {
				return nil, nil
			}
			return v, err
		})
		cmds, err := c.Pipelined(ctx, func(p redis.Pipeliner) error {
			p.Do(ctx, "QLPUSH", "q", "piped", "x")
			p.Do(ctx, "QRPOP", "q")
			return nil
		})
		if err != nil || len(cmds) != 2 {
			t.Errorf("pipeline: %v, %v", cmds, err)
		}
	}
}

func TestRueidisWithDefaultSettings(t *testing.T) {
	t.Parallel()
	for _, password := range []string{"", "secret"} {
		srv := okqdtest.RunT(t, okqdtest.WithPassword(password))
		ctx, cancel := context.WithTimeout(t.Context(), clientTimeout)
		defer cancel()
		c, err := rueidis.NewClient(rueidis.ClientOption{InitAddress: []string{srv.Addr}, Password: password})
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		story(t, func(args ...any) (any, error) {
			words := make([]string, len(args))
			for i, arg := range args {
				words[i] = fmt.Sprint(arg)
			}
			v, err := c.Do(ctx, c.B().Arbitrary(words...).Build()).ToAny()
			if rueidis.IsRedisNil(err) {
				return nil, nil
			}
			return v, err
		})
	}
}

func TestRadixWithDefaultSettings(t *testing.T) {
	t.Parallel()
	for _, password := range []string{"", "secret"} {
		srv := okqdtest.RunT(t, okqdtest.WithPassword(password))
		ctx, cancel := context.WithTimeout(t.Context(), clientTimeout)
		defer cancel()
		cfg := radix.PoolConfig{Dialer: radix.Dialer{AuthPass: password}}
		c, err := cfg.New(ctx, "tcp", srv.Addr)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		story(t, func(args ...any) (any, error) {
			words := make([]string, len(args))
			for i, arg := range args {
				words[i] = fmt.Sprint(arg)
			}
			var v any
			maybe := radix.Maybe{Rcv: &v}
			if err := c.Do(ctx, radix.Cmd(&maybe, words[0], words[1:]...)); err != nil || maybe.Null {
				return nil, err
			}
			return v, nil
		})
	}
}

func TestRedisCLI(t *testing.T) {
	t.Parallel()
	path := testenv.Program(t, "redis-cli")
	srv := okqdtest.RunT(t, okqdtest.WithPassword("secret"))
	host, port, _ := strings.Cut(srv.Addr, ":")
	for _, flags := range [][]string{nil, {"-3"}} {
		cmd := exec.CommandContext(t.Context(), path, append(flags, "-h", host, "-p", port, "-a", "secret", "--no-auth-warning")...)
		cmd.Stdin = strings.NewReader("QLPUSH q id hello\nQRPOP q\nQACK q id\nPING\nINFO\n")
		out, err := cmd.CombinedOutput()
		if want := []byte("OK\nid\nhello\n1\nPONG\n# Server"); err != nil || !bytes.HasPrefix(out, want) {
			t.Errorf("redis-cli %v: %v\n%s", flags, err, out)
		}
	}
}

// ioredis and node-redis, which scripts/npm-clients installs.
func TestNpmClientsWithDefaultSettings(t *testing.T) {
	t.Parallel()
	for _, program := range []string{"node", "npm"} {
		testenv.Program(t, program)
	}
	for _, login := range []string{"", "default:secret@"} {
		_, password, _ := strings.Cut(strings.TrimSuffix(login, "@"), ":")
		srv := okqdtest.RunT(t, okqdtest.WithPassword(password))
		out, err := exec.CommandContext(t.Context(), "../../../scripts/npm-clients", "redis://"+login+srv.Addr).CombinedOutput()
		if want := "ioredis: pushed, popped, acked\nredis: pushed, popped, acked\n"; err != nil || !strings.HasSuffix(string(out), want) {
			t.Errorf("npm clients at %s: %v\n%s", login, err, out)
		}
	}
}

// story pushes, pops and acks.
func story(t *testing.T, do func(args ...any) (any, error)) {
	t.Helper()
	for _, step := range []struct {
		want string
		args []any
	}{
		{"OK", []any{"QLPUSH", "q", "id", "hello"}},
		{"[id hello]", []any{"QRPOP", "q", "EX", 10}},
		{"1", []any{"QACK", "q", "id", "REDO"}},
		{"[[id hello 2 …]]", []any{"QRPOP", "q", "COUNT", 10}}, // … is the lease's token
		{"1", []any{"QACK", "q", "id"}},
		{"<nil>", []any{"QRPOP", "q"}},
		{"PONG", []any{"PING"}},
	} {
		v, err := do(step.args...)
		if before, after, cut := strings.Cut(step.want, "…"); err != nil || !cut && text(v) != step.want ||
			!strings.HasPrefix(text(v), before) || !strings.HasSuffix(text(v), after) {
			t.Errorf("%v: %v, %v; want %s", step.args, text(v), err, step.want)
		}
	}
}

// text is a reply as each client would print it.
func text(v any) string {
	switch v := v.(type) {
	case []byte:
		return string(v)
	case []any:
		words := make([]string, len(v))
		for i := range v {
			words[i] = text(v[i])
		}
		return "[" + strings.Join(words, " ") + "]"
	}
	return fmt.Sprint(v)
}
