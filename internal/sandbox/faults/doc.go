// Package faults decides which requests go wrong, and how.
//
// There are two sources. A menu of rules, set by a test or by hand, strikes
// requests by dice, by count or by recipient. And some recipients always get
// their request into trouble: limit429@anywhere does what its name says
// (recipient.go). The package only chooses; the sandbox carries it out.
package faults
