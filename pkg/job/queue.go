package job

// The queues that postmaster's processes share in okq.
const (
	QueueEmailHigh   = "email-high"   // emails with Priority "high"
	QueueEmailNormal = "email-normal" // all other emails
	QueueStats       = "stats-normal" // batches of webhook events
	QueueEmailDead   = "email-dead"   // DeadLetters of emails
	QueueStatsDead   = "stats-dead"   // DeadLetters of event batches
)

// DeadQueue returns the queue that takes the dead letters of queue.
func DeadQueue(queue string) string {
	if queue == QueueStats || queue == QueueStatsDead {
		return QueueStatsDead
	}
	return QueueEmailDead
}
