package main

import (
	"context"
	"encoding/csv"
	"fmt"
	"net"
	"os/exec"
	"strconv"
	"strings"
	"time"
)

const benchmarkEvents = 100_000

// benchmark has redis-benchmark push to a list and pop from it.
func benchmark(ctx context.Context, addr string) (lpush, rpop result, err error) {
	results, err := benchmarkOf(ctx, addr, redisDepth, benchmarkEvents, "-t", "lpush,rpop")
	if err != nil {
		return lpush, rpop, err
	}
	if len(results) != 2 {
		return lpush, rpop, fmt.Errorf("redis-benchmark: %d results in place of 2", len(results))
	}
	return results[0], results[1], nil
}

// benchmarkOf has redis-benchmark do what the arguments say, its tests or one command, n times and so many in a write.
func benchmarkOf(ctx context.Context, addr string, depth, n int, args ...string) (results []result, err error) {
	_, port, _ := net.SplitHostPort(addr)
	args = append([]string{
		"-p", port, "-c", strconv.Itoa(redisConnections), "-P", strconv.Itoa(depth),
		"-n", strconv.Itoa(n), "-d", strconv.Itoa(contentsSize), "--csv",
	}, args...)
	out, err := exec.CommandContext(ctx, "redis-benchmark", args...).Output()
	if err != nil {
		return nil, fmt.Errorf("redis-benchmark: %w", err)
	}
	rows, err := csv.NewReader(strings.NewReader(string(out))).ReadAll()
	if err != nil || len(rows) < 2 || len(rows[1]) < 7 {
		return nil, fmt.Errorf("redis-benchmark: %q (%w)", out, err)
	}
	for _, row := range rows[1:] {
		results = append(results, benchmarkRow(row, n))
	}
	return results, nil
}

// benchmarkRow is test, rate, and then in ms average, least, p50, p95, p99.
func benchmarkRow(row []string, n int) result {
	number := func(i int) float64 {
		f, _ := strconv.ParseFloat(row[i], 64)
		return f
	}
	ms := func(i int) time.Duration { return time.Duration(number(i) * float64(time.Millisecond)) }
	return result{events: n, took: time.Duration(float64(n) / number(1) * float64(time.Second)), p50: ms(4), p99: ms(6)}
}
