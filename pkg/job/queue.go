package job

// The queues that postmaster's processes share in okq.
const (
	QueueEmailHigh   = "email-high"   // emails with Priority "high"
	QueueEmailNormal = "email-normal" // all other emails
	QueueStats       = "stats-normal" // batches of webhook events
	QueueEmailDead   = "email-dead"   // DeadLetters of emails
	QueueStatsDead   = "stats-dead"   // DeadLetters of event batches

	// QueueHooks holds no work. Each running pm-hooks is registered as a consumer of it, and its one event, HooksID, says
	// that there has been one.
	QueueHooks = "pm-hooks"
)

// HooksID is the ID of the event in QueueHooks.
const HooksID = "seen"

// HoldsWork tells whether the events of a queue are work, rather than what processes tell each other by it.
func HoldsWork(queue string) bool {
	_, pauses := PausedBy(queue)
	return !pauses && queue != QueueHooks
}

// DeadQueue returns the queue that takes the dead letters of queue.
func DeadQueue(queue string) string {
	if queue == QueueStats || queue == QueueStatsDead {
		return QueueStatsDead
	}
	return QueueEmailDead
}
