package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"sync"
	"time"

	"github.com/rs/zerolog"
)

const (
	maxBatch       = 1000 // calls in a batch
	batchAtOnce    = 16   // of which so many run side by side
	maxMethodShown = 64   // bytes of an unknown method in the log
)

// A method answers a call. What it returns is the result, as JSON sees it.
type method func(ctx context.Context, c *call, log *zerolog.Logger) (any, error)

// answer returns the response to the body of a request, or nil if there is none to give.
func (s *Server) answer(ctx context.Context, b body, log *zerolog.Logger) []byte {
	if !validJSON(b.bytes) {
		s.metrics.called(noMethod, CodeParse, 0)
		return appendError(nil, null, errParse)
	}
	all := skipSpace(b.bytes)
	if all[0] != '[' {
		return s.call(ctx, all, b.owned, log)
	}
	var batch [][]byte
	elements(all, func(value []byte) bool {
		batch = append(batch, value)
		return len(batch) <= maxBatch
	})
	if len(batch) == 0 {
		return s.refuseBatch(errBatchEmpty)
	}
	if len(batch) > maxBatch {
		return s.refuseBatch(invalidRequest(fmt.Sprintf("a batch of more than %d calls", maxBatch)))
	}
	return s.batch(ctx, batch, log)
}

func (s *Server) refuseBatch(err *rpcError) []byte {
	s.metrics.called(noMethod, err.Code, 0)
	return appendError(nil, null, err)
}

// batch answers calls side by side, in their order. Notifications leave nothing, and if all are, there is no answer.
func (s *Server) batch(ctx context.Context, batch [][]byte, log *zerolog.Logger) []byte {
	answers := make([][]byte, len(batch))
	var wg sync.WaitGroup
	slots := make(chan struct{}, batchAtOnce)
	for i, raw := range batch {
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			answers[i] = s.call(ctx, raw, false, log) // what follows it is another call's
		})
	}
	wg.Wait()
	var all []byte
	for _, a := range answers {
		if a == nil {
			continue
		}
		if all == nil {
			all = append(all, '[')
		} else {
			all = append(all, ',')
		}
		all = append(all, a...)
	}
	if all == nil {
		return nil
	}
	return append(all, ']')
}

// call answers one Request object; nil if it is a notification.
func (s *Server) call(ctx context.Context, raw []byte, owned bool, log *zerolog.Logger) []byte {
	began := time.Now()
	c, invalid := parseCall(raw)
	if c.owned = owned; owned {
		c.id = slices.Clone(c.id) // it may be what follows the params
	}
	if invalid != nil {
		s.metrics.called(noMethod, invalid.Code, time.Since(began))
		return appendError(nil, c.id, invalid)
	}
	result, err := s.run(ctx, &c, log)
	took := time.Since(began)
	if err != nil {
		rpc := toRPC(err)
		s.metrics.called(s.known(c.method), rpc.Code, took)
		logFailure(log, c.method, rpc, err)
		if c.id == nil {
			return nil
		}
		return appendError(nil, c.id, rpc)
	}
	s.metrics.called(s.known(c.method), 0, took)
	if c.id == nil {
		return nil
	}
	return appendResult(make([]byte, 0, 64+len(result)+len(c.id)), c.id, result)
}

// run calls the method. A panic is that call's failure, and no other's.
func (s *Server) run(ctx context.Context, c *call, log *zerolog.Logger) (result json.RawMessage, err error) {
	defer func() {
		if p := recover(); p != nil {
			log.Error().Str("method", c.method).Interface("panic", p).Bytes("stack", debug.Stack()).Msg("panic")
			err = errInternal
		}
	}()
	m, ok := s.methods[c.method]
	if !ok {
		return nil, errNotFound
	}
	v, err := m(ctx, c, log)
	if err != nil {
		return nil, err
	}
	return json.Marshal(v)
}

// known bounds the values of the metrics' label.
func (s *Server) known(name string) string {
	if _, ok := s.methods[name]; ok {
		return name
	}
	return noMethod
}

func logFailure(log *zerolog.Logger, name string, rpc *rpcError, err error) {
	event := log.Warn()
	var own *rpcError
	switch rpc.Code {
	case CodeInternal:
		event = log.Error()
	case CodeInvalidParams, CodeMethodNotFound:
		event = log.Debug() // may repeat what the caller sent
	}
	if len(name) > maxMethodShown {
		name = name[:maxMethodShown]
	}
	event = event.Str("method", name).Int("code", rpc.Code)
	if !errors.As(err, &own) {
		event = event.Err(err)
	}
	event.Msg("call failed")
}
