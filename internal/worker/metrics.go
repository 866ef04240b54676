package worker

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/levenlabs/postmaster/internal/sendgrid"
	"github.com/levenlabs/postmaster/pkg/job"
)

// metrics are what the worker counts.
type metrics struct {
	jobs         *prometheus.CounterVec // result: sent retried unknown dead optedOut expired panic
	outcomes     *prometheus.CounterVec // outcome: as sendgrid.Outcome.String
	dead         *prometheus.CounterVec // reason: as job.Reason…
	unknown      *prometheus.CounterVec // step: opened evidence resend hold
	attempts     prometheus.Histogram
	sendSeconds  prometheus.Histogram
	storeSeconds *prometheus.HistogramVec // call: begin settle lookup flags fold record
	backlog      *prometheus.GaugeVec     // queue
	oldest       *prometheus.GaugeVec     // queue
	paused       *prometheus.GaugeVec     // queue
	inFlight     prometheus.Gauge
	inHand       prometheus.Gauge
	breaker      prometheus.Gauge
	pauses       prometheus.Counter
	storeAway    prometheus.Gauge
	events       *prometheus.CounterVec // type: SendGrid's or "other"; result: folded unknown foreign bad
	foldLag      prometheus.Gauge
	evidence     prometheus.Gauge
	optOutsLost  prometheus.Counter
	ignored      *prometheus.CounterVec // reason: ignored…
}

func newMetrics(reg prometheus.Registerer) *metrics {
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: "pm_worker_" + name, Help: help}, labels)
	}
	gauge := func(name, help string) prometheus.Gauge {
		return prometheus.NewGauge(prometheus.GaugeOpts{Name: "pm_worker_" + name, Help: help})
	}
	perQueue := func(name, help string) *prometheus.GaugeVec {
		return prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "pm_worker_" + name, Help: help}, []string{"queue"})
	}
	m := &metrics{
		jobs:     counter("jobs_total", "Email jobs by what became of them.", "result"),
		outcomes: counter("posts_total", "Posts to SendGrid by their outcome.", "outcome"),
		dead:     counter("dead_total", "Dead letters by reason.", "reason"),
		unknown:  counter("unknown_total", "Mails whose outcome became unknown (opened), and how that ended.", "step"),
		attempts: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "pm_worker_attempts", Help: "Attempts that an accepted mail took.", Buckets: []float64{1, 2, 3, 5, 8, 12},
		}),
		sendSeconds: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "pm_worker_send_duration_seconds", Help: "Time of a post to SendGrid.", Buckets: prometheus.ExponentialBuckets(.005, 2, 13),
		}),
		backlog: perQueue("queue_jobs", "Jobs in a queue: waiting, delayed and leased."),
		oldest:  perQueue("oldest_job_seconds", "How long the oldest of a queue's waiting jobs has waited."),
		paused:  perQueue("queue_paused", "1 while an operator has paused the queue."),
		storeSeconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "pm_worker_store_duration_seconds", Help: "Time of a call to a store.", Buckets: prometheus.ExponentialBuckets(.001, 2, 14),
		}, []string{"call"}),
		inFlight:  gauge("in_flight", "Mails being posted."),
		inHand:    gauge("in_hand", "Mails popped and not finished."),
		breaker:   gauge("breaker_open", "1 while SendGrid refuses the account."),
		pauses:    prometheus.NewCounter(prometheus.CounterOpts{Name: "pm_worker_rate_limit_pauses_total", Help: "Pauses that SendGrid asked for by 429."}),
		storeAway: gauge("store_unavailable", "1 while a store does not answer or refuses what is not about one document."),
		events:    counter("events_total", "Webhook events by type and what became of them.", "type", "result"),
		evidence:  gauge("evidence_possible", "1 while webhook events can arrive and be folded; emails of unknown outcome wait while it is 0."),
		foldLag:   gauge("fold_lag_seconds", "Age of the latest event of the last fold."),
		ignored:   counter("preference_events_ignored_total", "Unsubscribes, resubscribes and spam reports of webhook events that changed no preferences.", "reason"),
		optOutsLost: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "pm_worker_opt_outs_lost_total", Help: "Opt-outs of webhook events that changed nothing, as the recipient opted in after them.",
		}),
	}
	reg.MustRegister(m.jobs, m.outcomes, m.dead, m.unknown, m.attempts, m.sendSeconds, m.storeSeconds, m.backlog, m.oldest, m.paused, m.inFlight, m.inHand,
		m.breaker, m.pauses, m.storeAway, m.events, m.foldLag, m.evidence, m.optOutsLost, m.ignored)
	m.evidence.Set(1)
	m.zero()
	return m
}

// zero makes the series that alerts look at: one that is 0 can be alerted on, one that is missing cannot.
func (m *metrics) zero() {
	for o := sendgrid.Accepted; o <= sendgrid.Unknown; o++ {
		m.outcomes.WithLabelValues(o.String())
	}
	for _, result := range []string{"sent", "retried", "unknown", "dead", "optedOut", "expired", "panic"} {
		m.jobs.WithLabelValues(result)
	}
	for _, reason := range []string{job.ReasonRejected, job.ReasonUndecodable, job.ReasonInvalid, job.ReasonAttempts, job.ReasonGivenUp, job.ReasonDeliveries, job.ReasonUnknown} {
		m.dead.WithLabelValues(reason)
	}
	for _, step := range []string{"opened", "evidence", "resend", "hold"} {
		m.unknown.WithLabelValues(step)
	}
	for _, reason := range []string{ignoredUnknown, ignoredRecipient} {
		m.ignored.WithLabelValues(reason)
	}
	for _, event := range []string{job.EventDelivered, job.EventBounce, job.EventSpamReport} {
		m.events.WithLabelValues(event, "folded")
	}
}
