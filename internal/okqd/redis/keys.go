package redis

import "strconv"

const (
	// prefix is in front of all keys that are not one queue's.
	prefix = "okq:"
	// queuesKey is a sorted set of the queues' names, by when an okqd last used them (unix seconds).
	queuesKey = prefix + "queues"
	// serversKey and layoutKey are layout.lua's.
	serversKey, layoutKey = prefix + "{okqd}:servers", prefix + "{okqd}:layout"
	// wakeChannel carries the names of queues that were empty and have an event.
	wakeChannel = prefix + "wake"
)

// parts are a partition's keys in the order in which script.lua takes them.
var parts = [...]string{
	"line", "ahead", "since", "leased", "delayed", "fronts", contentsPart: "contents", "deliveries", "bounds", "marks", "consumers",
	"touched",
}

// contentsPart is the place of the contents in parts.
const contentsPart = 6

// keys returns the keys of a queue's partition. The braces put them all into one slot of a Cluster, another one for
// each partition.
func keys(queue string, partition int) []string {
	tag := "{q"
	if partition > 0 {
		tag += strconv.Itoa(partition)
	}
	list := make([]string, len(parts))
	for i, part := range parts {
		list[i] = prefix + tag + ":" + queue + "}:" + part
	}
	return list
}
