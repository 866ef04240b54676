package okqd

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// info is INFO in the form in which clients look for "loading:0". Its numbers are those of the metrics, with a line for
// each queue.
func (c *conn) info(context.Context, [][]byte) {
	stats, queues, err := c.srv.numbers()
	if err != nil {
		c.log.Error().Err(err).Msg("gather metrics")
		c.w.Error(errUnexpected)
		return
	}
	var b strings.Builder
	b.WriteString("# Server\r\nredis_version:" + redisVersion + "\r\nredis_mode:standalone\r\nserver_name:okqd\r\nqueue_set:" + c.srv.engine.QueueSet() + "\r\n")
	fmt.Fprintf(&b, "\r\n# Clients\r\nconnected_clients:%d\r\n", c.srv.clients())
	b.WriteString("\r\n# Persistence\r\nloading:0\r\n\r\n# Replication\r\nrole:master\r\n")
	b.WriteString("\r\n# Stats\r\n")
	for _, name := range slices.Sorted(maps.Keys(stats)) {
		fmt.Fprintf(&b, "%s:%v\r\n", name, stats[name])
	}
	b.WriteString("\r\n# Queues\r\n")
	for _, queue := range slices.Sorted(maps.Keys(queues)) {
		fmt.Fprintf(&b, "%q:%s\r\n", queue, strings.Join(queues[queue], ","))
	}
	c.w.BulkString(b.String())
}

// numbers are what the metrics say: of the server by name, and name=value of each queue.
func (s *Server) numbers() (stats map[string]float64, queues map[string][]string, err error) {
	families, err := s.reg.Gather()
	if err != nil {
		return nil, nil, err
	}
	stats, queues = make(map[string]float64), make(map[string][]string)
	for _, family := range families {
		name, ours := strings.CutPrefix(family.GetName(), "okqd_")
		if !ours {
			continue // of another server in the same process
		}
		name = strings.TrimSuffix(strings.TrimPrefix(name, "queue_"), "_total")
		for _, m := range family.GetMetric() {
			value := m.GetGauge().GetValue() + m.GetCounter().GetValue() // it is one of them
			switch labels, h := m.GetLabel(), m.GetHistogram(); {
			case h != nil:
				stats[name+"_count"], stats[name+"_sum"] = float64(h.GetSampleCount()), h.GetSampleSum()
			case len(labels) > 0:
				queue := labels[0].GetValue()
				queues[queue] = append(queues[queue], fmt.Sprintf("%s=%v", name, value))
			default:
				stats[name] = value
			}
		}
	}
	return stats, queues, nil
}
