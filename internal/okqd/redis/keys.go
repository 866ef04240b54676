package redis

const (
	// prefix is in front of all keys that are not one queue's.
	prefix = "okq:"
	// queuesKey is a sorted set of the queues' names, by when an okqd last used them (unix seconds).
	queuesKey = prefix + "queues"
	// wakeChannel carries the names of queues that were empty and have an event.
	wakeChannel = prefix + "wake"
)

// parts are a queue's keys in the order in which script.lua takes them.
var parts = [...]string{"ready", "since", "leased", "delayed", "fronts", "contents", "deliveries", "bounds", "consumers"}

// keys returns a queue's keys. The braces put them all into one slot of a Cluster.
func keys(queue string) []string {
	list := make([]string, len(parts))
	for i, part := range parts {
		list[i] = prefix + "{" + "q:" + queue + "}:" + part
	}
	return list
}
