package process

import (
	"bufio"
	"errors"
	"fmt"
	"net"
	"os"
	"time"
)

// RedisServer is the path of redis-server.
func RedisServer() (string, error) {
	path := os.Getenv("PM_TEST_REDIS_SERVER")
	if path == "" {
		return "", errors.New(`PM_TEST_REDIS_SERVER is not set: eval "$(scripts/services env)"`)
	}
	return path, nil
}

// StartRedis starts one whose log is synced each second, on a new folder in dir.
func StartRedis(dir string) (*Process, error) {
	path, err := RedisServer()
	if err != nil {
		return nil, err
	}
	folder, err := os.MkdirTemp(dir, "redis-")
	if err != nil {
		return nil, err
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	addr := ln.Addr().String()
	ln.Close()
	_, port, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, err
	}
	return StartSilent(addr, func() error { return pingRedis(addr) }, path,
		"--bind", "127.0.0.1", "--port", port, "--dir", folder, "--logfile", "redis.log", "--save", "",
		"--appendonly", "yes", "--auto-aof-rewrite-percentage", "0") // a rewrite of the log would fall on whoever is measured then
}

func pingRedis(addr string) error {
	conn, err := net.DialTimeout("tcp", addr, time.Second)
	if err != nil {
		return err
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(time.Second)); err != nil {
		return err
	}
	if _, err := conn.Write([]byte("PING\r\n")); err != nil {
		return err
	}
	answer, err := bufio.NewReader(conn).ReadString('\n')
	if err == nil && answer != "+PONG\r\n" {
		err = fmt.Errorf("PING: %q", answer)
	}
	return err
}
