package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"
)

const (
	maxBatch       = 1000 // calls in a batch
	batchAtOnce    = 16   // of which so many run side by side
	maxMethodShown = 64   // bytes of an unknown method in the log

	maxAnswers = 4 << 20  // bytes of a batch's answers, after which no more calls are made
	maxAnswer  = 16 << 10 // bytes of one answer, but for what is more exact than this
)

// A method answers a call. What it returns is the result, as JSON sees it.
type method func(ctx context.Context, c *call, log *zerolog.Logger) (any, error)

// answer returns the response to the body of a request, or nil if there is none to give, and the function that gives the
// response's memory back, which is never nil.
func (s *Server) answer(ctx context.Context, b body, log *zerolog.Logger) (answer []byte, release func()) {
	if !validJSON(b.bytes) {
		s.metrics.called(noMethod, CodeParse, 0)
		return appendError(nil, null, errParse), nothing
	}
	all := skipSpace(b.bytes)
	if all[0] != '[' {
		return s.call(ctx, all, b.owned, log), nothing
	}
	var batch [][]byte
	elements(all, func(value []byte) bool {
		batch = append(batch, value)
		return len(batch) <= maxBatch
	})
	if len(batch) == 0 {
		return s.refuseBatch(errBatchEmpty), nothing
	}
	if len(batch) > maxBatch {
		return s.refuseBatch(invalidRequest(fmt.Sprintf("a batch of more than %d calls", maxBatch))), nothing
	}
	release, err := s.bodies.takeAnswers(ctx, len(batch))
	if err != nil {
		return s.refuseBatch(errBusy), nothing
	}
	return s.batch(ctx, batch, log), release
}

func nothing() {}

func (s *Server) refuseBatch(err *rpcError) []byte {
	s.metrics.called(noMethod, err.Code, 0)
	return appendError(nil, null, err)
}

// batch answers calls side by side, in their order. Notifications leave nothing, and if all are, there is no answer.
func (s *Server) batch(ctx context.Context, batch [][]byte, log *zerolog.Logger) []byte {
	answers := make([][]byte, len(batch))
	var (
		wg   sync.WaitGroup
		size atomic.Int64
	)
	slots := make(chan struct{}, batchAtOnce)
	for i, raw := range batch {
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			answers[i] = s.callInBatch(ctx, raw, size.Load() > maxAnswers, log)
			size.Add(int64(len(answers[i])))
		})
	}
	wg.Wait()
	if size.Load() == 0 {
		return nil
	}
	all := make([]byte, 0, int(size.Load())+len(batch)+2)
	for _, a := range answers {
		if a == nil {
			continue
		}
		if len(all) == 0 {
			all = append(all, '[')
		} else {
			all = append(all, ',')
		}
		all = append(all, a...)
	}
	return append(all, ']')
}

// callInBatch answers one call of a batch. Once the answers have become too large it makes no call that has an answer.
func (s *Server) callInBatch(ctx context.Context, raw []byte, full bool, log *zerolog.Logger) []byte {
	if full {
		if c, invalid := parseCall(raw); invalid == nil && c.id != nil {
			s.metrics.called(noMethod, CodeInvalidRequest, 0)
			return appendError(nil, c.id, errBatchAnswers)
		}
	}
	return s.call(ctx, raw, false, log) // what follows it is another call's
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
