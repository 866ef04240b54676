package main

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"sync/atomic"

	"go.mongodb.org/mongo-driver/v2/bson"
)

// refusals is a proxy before the database that can answer every command with an error code, as a database does that is
// over its quota, lost its primary or takes no logins.
type refusals struct {
	addr     string
	upstream string
	ln       net.Listener
	code     atomic.Int32 // 0: none
}

// refusedWith are codes that say nothing about the document: quota, write conflict, unauthorized, throttled, disk full.
var refusedWith = [...]int32{8000, 112, 13, 16500, 14031}

const (
	opMsg       = 2013
	headerSize  = 16
	maxMessage  = 48 << 20
	sectionBody = 0
)

func newRefusals(upstream string) (*refusals, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	r := &refusals{addr: ln.Addr().String(), upstream: upstream, ln: ln}
	go func() {
		for {
			client, err := ln.Accept()
			if err != nil {
				return // closed
			}
			go r.serve(client)
		}
	}()
	return r, nil
}

func (r *refusals) close() { r.ln.Close() }

// serve passes messages on until either side ends.
func (r *refusals) serve(client net.Conn) {
	defer client.Close()
	server, err := net.Dial("tcp", r.upstream)
	if err != nil {
		return
	}
	defer server.Close()
	answers := &locked{w: client}
	go func() {
		defer client.Close()
		for {
			message, err := readMessage(server)
			if err != nil || answers.write(message) != nil {
				return
			}
		}
	}()
	for {
		message, err := readMessage(client)
		if err != nil {
			return
		}
		if code := r.code.Load(); code != 0 && isCommand(message) {
			err = answers.write(refusal(message, code))
		} else {
			_, err = server.Write(message)
		}
		if err != nil {
			return
		}
	}
}

// locked writes whole messages.
type locked struct {
	mu sync.Mutex
	w  io.Writer
}

func (l *locked) write(message []byte) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	_, err := l.w.Write(message)
	return err
}

func readMessage(r io.Reader) ([]byte, error) {
	var size [4]byte
	if _, err := io.ReadFull(r, size[:]); err != nil {
		return nil, err
	}
	n := binary.LittleEndian.Uint32(size[:])
	if n < headerSize || n > maxMessage {
		return nil, errors.New("not a message of MongoDB's")
	}
	message := make([]byte, n)
	copy(message, size[:])
	_, err := io.ReadFull(r, message[4:])
	return message, err
}

// isCommand reports whether a message is a command that reads or writes data. Those by which drivers watch a server go on.
func isCommand(message []byte) bool {
	if binary.LittleEndian.Uint32(message[12:]) != opMsg || len(message) < headerSize+5 || message[headerSize+4] != sectionBody {
		return false
	}
	elements, err := bson.Raw(message[headerSize+5:]).Elements()
	if err != nil || len(elements) == 0 {
		return false
	}
	switch elements[0].Key() {
	case "hello", "isMaster", "ismaster", "ping", "buildInfo", "endSessions":
		return false
	}
	return true
}

// refusal is the answer to a message.
func refusal(message []byte, code int32) []byte {
	body, err := bson.Marshal(bson.D{{Key: "ok", Value: 0.0}, {Key: "errmsg", Value: "refused by chaos"}, {Key: "code", Value: code}, {Key: "codeName", Value: "Chaos"}})
	if err != nil {
		panic(err) // it is always the same document
	}
	answer := make([]byte, headerSize+5, headerSize+5+len(body))
	answer = append(answer, body...)
	binary.LittleEndian.PutUint32(answer, uint32(len(answer)))
	copy(answer[8:12], message[4:8]) // responseTo
	binary.LittleEndian.PutUint32(answer[12:], opMsg)
	return answer
}

// refuseWrites has the database answer each command with an error that is about no document.
func refuseWrites(r *row) (string, func() error, error) {
	code := refusedWith[r.dice.IntN(len(refusedWith))]
	r.sys.refusals.code.Store(code)
	return fmt.Sprintf("the database answers with code %d", code), func() error { r.sys.refusals.code.Store(0); return nil }, nil
}
