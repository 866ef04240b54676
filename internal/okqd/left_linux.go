package okqd

import (
	"crypto/tls"
	"net"
	"syscall"

	"golang.org/x/sys/unix"
)

// tcpCloseWait and tcpClose are states of a connection whose other end has closed it, or has reset it (tcp_states.h).
const (
	tcpClose     = 7
	tcpCloseWait = 8
)

// clientLeft reports whether the other end has closed the connection, even if not all that it sent has been read.
func clientLeft(nc net.Conn) (left bool) {
	if tc, ok := nc.(*tls.Conn); ok {
		nc = tc.NetConn()
	}
	sc, ok := nc.(syscall.Conn)
	if !ok {
		return false
	}
	raw, err := sc.SyscallConn()
	if err != nil {
		return true // closed by us
	}
	err = raw.Control(func(fd uintptr) {
		info, err := unix.GetsockoptTCPInfo(int(fd), unix.IPPROTO_TCP, unix.TCP_INFO)
		left = err == nil && (info.State == tcpCloseWait || info.State == tcpClose)
	})
	return left || err != nil
}
