package okqd

import (
	"sync"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/levenlabs/postmaster/internal/connlimit"
	"github.com/levenlabs/postmaster/internal/okqd/engine"
	"github.com/levenlabs/postmaster/internal/okqd/label"
)

// metrics count what this server did.
type metrics struct {
	connections    *connlimit.Metrics
	wrongPasswords prometheus.Counter

	pushes *prometheus.CounterVec
	pops   *prometheus.CounterVec
	acks   *prometheus.CounterVec
	redos  *prometheus.CounterVec

	labels *label.Set
	mu     sync.RWMutex         // protects queues
	queues map[string]*counters // by label
}

// counters are one queue's.
type counters struct{ pushes, pops, acks, redos prometheus.Counter }

func newMetrics(reg prometheus.Registerer) *metrics {
	perQueue := func(name, help string) *prometheus.CounterVec {
		v := prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, []string{"queue"})
		reg.MustRegister(v)
		return v
	}
	m := &metrics{
		connections:    connlimit.NewMetrics("okqd"),
		wrongPasswords: prometheus.NewCounter(prometheus.CounterOpts{Name: "okqd_wrong_passwords_total", Help: "Wrong passwords sent by clients."}),
		pushes:         perQueue("okqd_pushes_total", "Events pushed."),
		pops:           perQueue("okqd_pops_total", "Events popped."),
		acks:           perQueue("okqd_acks_total", "Events acknowledged."),
		redos:          perQueue("okqd_redos_total", "Events given back by REDO."),
		labels:         new(label.Set),
		queues:         make(map[string]*counters),
	}
	reg.MustRegister(append(m.connections.Collectors(), m.wrongPasswords)...)
	return m
}

// of returns the queue's counters.
func (m *metrics) of(queue []byte) *counters {
	name := m.labels.Of(string(queue))
	m.mu.RLock()
	c := m.queues[name]
	m.mu.RUnlock()
	if c != nil {
		return c
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if c = m.queues[name]; c == nil {
		c = &counters{
			m.pushes.WithLabelValues(name), m.pops.WithLabelValues(name),
			m.acks.WithLabelValues(name), m.redos.WithLabelValues(name),
		}
		m.queues[name] = c
	}
	return c
}

// count counts what the ops did.
func (m *metrics) count(ops []engine.Op) {
	for i := range ops {
		switch op := &ops[i]; {
		case op.Err != nil:
		case op.Kind == engine.Push:
			m.of(op.Queue).pushes.Inc()
		case op.Kind == engine.Pop && len(op.Events) > 0:
			m.of(op.Queue).pops.Add(float64(len(op.Events)))
		case op.Kind == engine.Ack && op.OK && op.Redo:
			m.of(op.Queue).redos.Inc()
		case op.Kind == engine.Move && op.OK:
			m.of(op.Queue).acks.Inc()
			m.of(op.To).pushes.Inc()
		case (op.Kind == engine.Ack || op.Kind == engine.Remove) && op.OK:
			m.of(op.Queue).acks.Inc()
		}
	}
}
