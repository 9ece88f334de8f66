package main

import (
	"context"
	"errors"
	"sync"

	"github.com/interledger-go/connector/ilp"
	"github.com/interledger-go/connector/plugin"
)

// Redundant is two links to one counterparty: packets take the second while
// the first is down. The counterparty has one too, so that a packet may come
// and go on either.
type Redundant struct{ first, second plugin.Plugin }

// Open opens both links, or none.
func (r *Redundant) Open(ctx context.Context, h plugin.Handler) error {
	both := &eitherUp{Handler: h}
	if err := r.first.Open(ctx, both); err != nil {
		return err // perhaps because it is open: then that changes nothing
	}
	if err := r.second.Open(ctx, both); err != nil {
		return errors.Join(err, r.first.Close())
	}
	return nil
}

// SendPrepare leaves it to one link to answer rs, once: a packet whose outcome
// is unknown must never be sent again on the other.
func (r *Redundant) SendPrepare(ctx context.Context, p *ilp.Prepare, rs plugin.Responder) {
	if r.first.Connected() {
		r.first.SendPrepare(ctx, p, rs)
	} else {
		r.second.SendPrepare(ctx, p, rs)
	}
}

// Connected says that one of them will do.
func (r *Redundant) Connected() bool { return r.first.Connected() || r.second.Connected() }

// Close closes both; the checklist of package plugin holds because it does for
// each of them.
func (r *Redundant) Close() error { return errors.Join(r.first.Close(), r.second.Close()) }

// eitherUp is the handler that both links know. It hands everything on, but
// makes one state of two.
type eitherUp struct {
	plugin.Handler
	mu sync.Mutex // keeps the changes in order
	up int        // how many links are
}

// HandleState tells of the first link that comes up, and of the last that goes.
func (e *eitherUp) HandleState(connected bool, err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	before := e.up
	if connected {
		e.up++
	} else {
		e.up--
	}
	if min(before, e.up) == 0 {
		e.Handler.HandleState(connected, err)
	}
}
