// Package okq is a client of okq: queues of events, where nothing acknowledged is lost.
package okq
