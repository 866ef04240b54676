package okqd

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"fmt"
	"slices"
	"strings"
)

// redisVersion is the Redis whose manners the server has, for clients that choose theirs by it.
const redisVersion = "7.0.0"

// auth is AUTH [user] password. Any user will do.
func (c *conn) auth(ctx context.Context, args [][]byte) {
	if len(c.srv.cfg.Passwords) == 0 {
		c.w.Error(errNoPassword)
		return
	}
	if !c.login(ctx, args[len(args)-1]) {
		return
	}
	c.w.Simple("OK")
}

// login checks a password. A wrong one is answered, later each time, and the last one allowed ends the connection.
func (c *conn) login(ctx context.Context, password []byte) bool {
	if !c.srv.cfg.accepts(password) {
		c.srv.refusals.Warn().Stringer("addr", c.nc.RemoteAddr()).Msg("wrong password")
		c.srv.metrics.wrongPasswords.Inc()
		c.closing = c.limit.Wrong(ctx)
		c.w.Error(errWrongPass)
		return false
	}
	if !c.known && !c.srv.introduce(c) {
		c.w.Error(errTooManyClients)
		c.closing = true
		return false
	}
	c.authed = true
	c.r.SetLimits(c.srv.cfg.limits())
	return true
}

// accepts tells whether it is one of the passwords, in a time that does not depend on which, or on how much of one is right.
func (c *Config) accepts(password []byte) bool {
	got, right := sha256.Sum256(password), 0
	for _, p := range c.Passwords {
		want := sha256.Sum256([]byte(p))
		right |= subtle.ConstantTimeCompare(got[:], want[:])
	}
	return right == 1
}

// hello is HELLO [2|3 [AUTH user password] [SETNAME name]].
func (c *conn) hello(ctx context.Context, args [][]byte) {
	v3 := c.w.RESP3()
	if len(args) > 0 {
		version := string(args[0])
		if version != "2" && version != "3" {
			c.w.Error(errProtocolVersion)
			return
		}
		v3 = version == "3"
		args = args[1:]
	}
	for len(args) > 0 {
		switch {
		case is(args[0], "AUTH") && len(args) > 2:
			if len(c.srv.cfg.Passwords) > 0 && !c.login(ctx, args[2]) {
				return
			}
			args = args[3:]
		case is(args[0], "SETNAME") && len(args) > 1:
			c.setName(args[1])
			args = args[2:]
		default:
			c.w.Error(errSyntax)
			return
		}
	}
	if !c.authed {
		c.w.Error(errNoAuthHello)
		return
	}
	c.w.SetRESP3(v3)
	c.describe()
}

// describe writes what Redis answers to HELLO.
func (c *conn) describe() {
	proto := 2
	if c.w.RESP3() {
		proto = 3
	}
	c.w.Map(7)
	c.w.BulkString("server")
	c.w.BulkString("okqd")
	c.w.BulkString("version")
	c.w.BulkString(redisVersion)
	c.w.BulkString("proto")
	c.w.Int(proto)
	c.w.BulkString("id")
	c.w.Int(int(c.id))
	c.w.BulkString("mode")
	c.w.BulkString("standalone")
	c.w.BulkString("role")
	c.w.BulkString("master")
	c.w.BulkString("modules")
	c.w.Array(0)
}

func (c *conn) quit(context.Context, [][]byte) {
	c.w.Simple("OK")
	c.closing = true
}

// client is what libraries say of themselves when they connect.
func (c *conn) client(_ context.Context, args [][]byte) {
	switch sub := strings.ToUpper(quotable(args[0])); {
	case sub == "ID":
		c.w.Int(int(c.id))
	case sub == "GETNAME":
		c.w.BulkString(c.name)
	case sub == "SETNAME" && len(args) > 1:
		c.setName(args[1])
		c.w.Simple("OK")
	case slices.Contains([]string{"SETINFO", "NO-EVICT", "NO-TOUCH", "TRACKING"}, sub):
		c.w.Simple("OK")
	default:
		c.w.Error(fmt.Sprintf("ERR unknown subcommand %s", quoted(args[0])))
	}
}

func (c *conn) setName(name []byte) { c.name = quotable(name) }

// quotable bounds what is kept of a client's words.
func quotable(b []byte) string { return string(b[:min(len(b), 256)]) }

// cluster tells clients that try a cluster first that this is none.
func (c *conn) cluster(context.Context, [][]byte) { c.w.Error(errNoCluster) }

func (c *conn) echo(_ context.Context, args [][]byte) { c.w.Bulk(args[0]) }

func (c *conn) selectDB(_ context.Context, args [][]byte) {
	if string(args[0]) != "0" {
		c.w.Error(errDBIndex)
		return
	}
	c.w.Simple("OK")
}

// commandCommand answers COMMAND: n with COUNT, else an empty list, which clients take for "not told".
func commandCommand(n int) func(*conn, context.Context, [][]byte) {
	return func(c *conn, _ context.Context, args [][]byte) {
		switch {
		case len(args) > 0 && is(args[0], "COUNT"):
			c.w.Int(n)
		case len(args) > 0 && is(args[0], "DOCS"):
			c.w.Map(0)
		default:
			c.w.Array(0)
		}
	}
}
