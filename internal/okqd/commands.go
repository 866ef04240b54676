package okqd

import (
	"context"
	"slices"
	"strings"

	"github.com/levenlabs/postmaster/internal/okqd/engine"
	"github.com/levenlabs/postmaster/internal/okqd/resp"
)

// command is one row of the command table: either something for the engine, or something between the server and the
// client alone.
type command struct {
	min             int // arguments at least, the name not counted
	unauthenticated bool

	parse func(op *engine.Op, args [][]byte) error
	reply replyFunc

	// do runs when all earlier commands are answered.
	do func(c *conn, ctx context.Context, args [][]byte)
}

// commands returns the table. The names are upper case; clients may write them as they like.
func commands() map[string]command {
	table := map[string]command{
		"QLPUSH": {min: 3, parse: parseBackPush, reply: replyOK},
		"QRPUSH": {min: 3, parse: parseFrontPush, reply: replyOK},
		"QLPEEK": {min: 1, parse: parseBackPeek, reply: replyEvent},
		"QRPEEK": {min: 1, parse: parseFrontPeek, reply: replyEvent},
		"QPEEK":  {min: 2, parse: parseFind, reply: replyFound},
		"QRPOP":  {min: 1, parse: parsePop, reply: replyPop},
		"QACK":   {min: 2, parse: parseAck, reply: replyBool},
		"QTOUCH": {min: 2, parse: parseTouch, reply: replyBool},
		"QFLUSH": {min: 1, parse: parseFlush, reply: replyOK},

		"QMOVE":    {min: 4, parse: parseMove, reply: replyBool},
		"QREMOVE":  {min: 2, parse: parseRemove, reply: replyBool},
		"QREPLACE": {min: 3, parse: parseReplace, reply: replyBool},

		"QSTATUS": {parse: parseStatus, reply: replyStatus},
		"QINFO":   {parse: parseStatus, reply: replyInfo},
		"PING":    {parse: parseNone, reply: replyPong},

		"QREGISTER": {do: (*conn).register},
		"QNOTIFY":   {min: 1, do: (*conn).notify},
		"QSCAN":     {min: 2, do: (*conn).scan},
		"QCAPS":     {do: (*conn).caps},

		"AUTH":    {min: 1, unauthenticated: true, do: (*conn).auth},
		"HELLO":   {unauthenticated: true, do: (*conn).hello},
		"QUIT":    {unauthenticated: true, do: (*conn).quit},
		"CLIENT":  {min: 1, do: (*conn).client},
		"CLUSTER": {do: (*conn).cluster},
		"ECHO":    {min: 1, do: (*conn).echo},
		"INFO":    {do: (*conn).info},
		"SELECT":  {min: 1, do: (*conn).selectDB},
	}
	table["COMMAND"] = command{do: commandCommand(len(table) + 1)}
	return table
}

// dispatch does one command, or puts it into the pipeline.
func (c *conn) dispatch(ctx context.Context, args [][]byte) {
	if len(args) == 0 {
		c.later().fail(errUnknownCommand + quoted(nil))
		return
	}
	name, args := args[0], args[1:]
	cmd, ok := c.lookup(name)
	if !c.known && c.authed && !c.srv.introduce(c) {
		c.later().fail(errTooManyClients)
		c.closing = true
		return
	}
	switch {
	case !c.authed && !cmd.unauthenticated:
		c.later().fail(errNoAuth)
	case !ok:
		c.later().fail(errUnknownCommand + quoted(name))
	case len(args) < cmd.min:
		c.later().fail(errMissingArgs)
	case cmd.do != nil:
		c.execute(ctx)
		cmd.do(c, ctx, args)
		if c.w.Size() > flushSize && c.flush() != nil {
			c.closing = true
		}
	default:
		op := c.later().add(cmd.reply)
		if err := cmd.parse(op, args); err != nil {
			*op = engine.Op{Result: engine.Result{Err: err}}
		}
	}
}

// lookup finds the command without allocating for names of usual length in capitals.
func (c *conn) lookup(name []byte) (command, bool) {
	if cmd, ok := c.srv.commands[string(name)]; ok {
		return cmd, true
	}
	const longest = 16
	if len(name) > longest {
		return command{}, false
	}
	cmd, ok := c.srv.commands[strings.ToUpper(string(name))]
	return cmd, ok
}

func replyOK(w *resp.Writer, _ *engine.Op) { w.Simple("OK") }

func replyPong(w *resp.Writer, _ *engine.Op) { w.Simple("PONG") }

func replyBool(w *resp.Writer, op *engine.Op) {
	if op.OK {
		w.Int(1)
		return
	}
	w.Int(0)
}

// caps are the words of QCAPS, for what the original okq does not have.
var caps = [...]string{"DELAY", "COUNT", "DELIVERIES", "RELEASE", "QTOUCH", "QPEEK", "QSCAN", "QSTATUS", "LEASE", "QMOVE", "QREMOVE", "QREPLACE"}

// queueSetWord begins QCAPS' last word: which queues these are. A client that finds others elsewhere does not use those.
const queueSetWord = "QUEUE-SET="

func (c *conn) caps(context.Context, [][]byte) {
	words := slices.Clone(caps[:])
	if id := c.srv.engine.QueueSet(); id != "" {
		words = append(words, queueSetWord+id)
	}
	c.w.Array(len(words))
	for _, word := range words {
		c.w.BulkString(word)
	}
}

func parseNone(*engine.Op, [][]byte) error { return nil }
