package report

import (
	"encoding/json"
	"fmt"
	"os"
)

// A Cost is what one unit of work takes of one resource. The simulator reckons with them.
type Cost struct {
	Of    string  // one of the names below
	Value float64 // microseconds of a core, but for bytes
}

// What costs are of.
const (
	CostAPI          = "pm-api, a call of Enqueue"
	CostOkqdPush     = "okqd on its disk, a push"
	CostOkqdRedis    = "okqd on Redis, a push, pop and ack"
	CostRedis        = "Redis, a push, pop and ack"
	CostRedisBytes   = "Redis, bytes an event of 1 KiB"
	CostWorker       = "pm-worker, a mail"
	CostDatabase     = "the database, a mail"
	CostFold         = "pm-worker, an event"
	CostDatabaseFold = "the database, an event"
	CostHooks        = "pm-hooks, an event in a POST of 1,000"
)

// AddCost hands a cost on.
func AddCost(of string, value float64) error { return add(figure{Cost: &Cost{of, value}}) }

// WriteCosts keeps costs for ReadCosts.
func WriteCosts(path string, costs []Cost) error {
	b, err := json.MarshalIndent(costs, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(path, append(b, '\n'), 0o644)
}

// ReadCosts returns the costs in a file by what they are of.
func ReadCosts(path string) (map[string]float64, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var costs []Cost
	if err := json.Unmarshal(b, &costs); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	byName := map[string]float64{}
	for _, c := range costs {
		byName[c.Of] = c.Value
	}
	return byName, nil
}
