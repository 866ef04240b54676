package main

import (
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"syscall"
)

// yardstick is the least that a server does which promises what okqd promises for a push: what it reads is appended to
// a file and synced before it answers. What comes while one sync is under way is synced together by the next.
type yardstick struct {
	file *os.File
	kick chan struct{} // 1 buffered

	mu      sync.Mutex // protects the fields below
	filling []byte
	synced  chan struct{} // closed once filling is
}

// serveYardstick takes requests of pushSize bytes. It prints where it listens the way our programs log it.
func serveYardstick(path string) error {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	y := &yardstick{file: file, kick: make(chan struct{}, 1), synced: make(chan struct{})}
	go y.commit()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Fprintf(os.Stderr, `{"message":"listening","addr":%q}`+"\n", ln.Addr())
	for {
		nc, err := ln.Accept()
		if err != nil {
			return err
		}
		go y.serve(nc)
	}
}

func (y *yardstick) serve(nc net.Conn) {
	defer nc.Close()
	request := make([]byte, pushSize)
	for {
		if _, err := io.ReadFull(nc, request); err != nil {
			return
		}
		y.mu.Lock()
		y.filling = append(y.filling, request...)
		synced := y.synced
		y.mu.Unlock()
		select {
		case y.kick <- struct{}{}:
		default:
		}
		<-synced
		if _, err := io.WriteString(nc, okReply); err != nil {
			return
		}
	}
}

func (y *yardstick) commit() {
	var spare []byte
	for range y.kick {
		y.mu.Lock()
		batch, synced := y.filling, y.synced
		y.filling, y.synced = spare[:0], make(chan struct{})
		y.mu.Unlock()
		if _, err := y.file.Write(batch); err == nil {
			err = syscall.Fdatasync(int(y.file.Fd()))
			if err == nil {
				close(synced)
				spare = batch
				continue
			}
		}
		fmt.Fprintln(os.Stderr, "yardstick: the disk does not take it")
		os.Exit(1)
	}
}
