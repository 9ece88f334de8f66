package miniaccounts

import (
	"container/heap"
	"context"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// registry holds the users that are in memory: those with sockets or packets,
// and those that have gone so recently that their limits remember them.
//
// A user is used by each of its sockets and each of its packets. It is taken
// out under mu and only while nobody uses it, and whoever looks one up begins
// to use it under mu, so that no packet meets stages that have been closed.
type registry struct {
	srv *Server

	mu     sync.RWMutex // held for reading by packets to users, for a look-up
	byName map[string]*user
	gone   departed
	epoch  uint64      // counts what disconnect has done
	stale  uint64      // the last of them about a user that is not in memory
	closed atomic.Bool // set under mu

	drained chan struct{} // told when a user has no packets any more, once closed
}

func (r *registry) init(srv *Server) {
	r.srv, r.byName, r.drained = srv, make(map[string]*user), make(chan struct{}, 1)
}

// enter gives the user of a name for a packet that is sent to it, unless it
// has no socket. The packet ends with user.leave.
func (r *registry) enter(name string) *user {
	r.mu.RLock()
	defer r.mu.RUnlock()
	u := r.byName[name]
	if u == nil || r.closed.Load() || !u.group.Connected() {
		return nil
	}
	u.uses.Add(1)
	u.outgoing.Add(1)
	return u
}

// acquire gives the user of a name for a socket, and makes it if need be. It
// ends with user.release.
func (r *registry) acquire(ctx context.Context, name string, c *config) (*user, error) {
	r.mu.Lock()
	if r.closed.Load() {
		r.mu.Unlock()
		return nil, errNotReady
	}
	r.sweep(r.srv.now())
	u := r.byName[name]
	if u != nil {
		u.uses.Add(1)
		r.gone.remove(u)
		r.mu.Unlock()
		return u.await(ctx)
	}
	if !r.room() {
		r.mu.Unlock()
		return nil, errFull
	}
	u = newUser(r.srv, strings.Clone(name))
	u.uses.Add(1)
	u.ended.Store(r.stale)
	r.byName[u.name] = u
	r.mu.Unlock()

	if u.err = u.open(ctx, c); u.err != nil {
		r.mu.Lock()
		r.forget(u) // who comes next tries again; those who wait for this one have its error
		r.mu.Unlock()
	}
	close(u.made)
	return u.await(ctx)
}

// room reports whether there may be another user, for which one that has gone
// may have to be forgotten. The lock is held.
func (r *registry) room() bool {
	if len(r.byName) >= r.srv.options.MaxUsers && len(r.gone) > 0 {
		r.forget(r.gone[0])
	}
	return len(r.byName) < r.srv.options.MaxUsers
}

// rest is called when nobody uses u any more.
func (r *registry) rest(u *user) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if u.uses.Load() > 0 || r.byName[u.name] != u || u.index >= 0 {
		return // used again, or gone meanwhile
	}
	now := r.srv.now()
	if r.closed.Load() || u.memory == 0 {
		r.forget(u)
	} else {
		u.until = now.Add(u.memory)
		heap.Push(&r.gone, u)
	}
	r.sweep(now)
}

// sweep forgets those whose limits remember nothing any more. The lock is
// held.
func (r *registry) sweep(now time.Time) {
	for len(r.gone) > 0 && !r.gone[0].until.After(now) {
		r.forget(r.gone[0])
	}
}

// forget takes out a user that nobody uses, or that could not be made. The lock
// is held: the book is closed before the user can come again.
func (r *registry) forget(u *user) {
	r.gone.remove(u)
	delete(r.byName, u.name)
	r.stale = max(r.stale, u.ended.Load())
	u.finish()
}

// all gives the users that are in memory.
func (r *registry) all() []*user {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.list()
}

// list is all with the lock held.
func (r *registry) list() []*user {
	return slices.AppendSeq(make([]*user, 0, len(r.byName)), maps.Values(r.byName))
}

// find gives the user of a name if it is in memory.
func (r *registry) find(name string) *user {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.byName[name]
}

// close takes no new packets to users, ends all sockets, and forgets whom
// nobody uses.
func (r *registry) close() {
	r.mu.Lock()
	r.closed.Store(true)
	for len(r.gone) > 0 {
		r.forget(r.gone[0])
	}
	users := r.list()
	r.mu.Unlock()
	for _, u := range users { // all at once; to wait for one after the other would take long
		u.group.BeginClose()
	}
	for _, u := range users {
		u.group.Close()
	}
}

// drain waits until all packets to users have been answered. Their sockets
// have ended, so that is about to happen.
func (r *registry) drain() {
	for _, u := range r.all() {
		for u.outgoing.Load() > 0 {
			<-r.drained
		}
	}
	r.signal() // for another who closes
}

func (r *registry) signal() {
	select {
	case r.drained <- struct{}{}:
	default:
	}
}

// present gives the epoch that a client who shows its credentials now belongs
// to.
func (r *registry) present() uint64 {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.epoch
}

// disconnect ends the sockets of a user, and those that are about to be its:
// who was let in in an epoch before this one has to come again.
func (r *registry) disconnect(name string, cause error) {
	r.mu.Lock()
	r.epoch++
	epoch, u := r.epoch, r.byName[name]
	if u == nil {
		r.stale = epoch
	} else {
		u.ended.Store(epoch)
	}
	r.mu.Unlock()
	if u != nil {
		u.group.End(cause, func(key any) bool { return key.(*admission).epoch < epoch })
	}
}

// departed is a heap of the users that have gone, the one to forget first at
// the front.
type departed []*user

func (d departed) Len() int           { return len(d) }
func (d departed) Less(i, j int) bool { return d[i].until.Before(d[j].until) }
func (d departed) Swap(i, j int) {
	d[i], d[j] = d[j], d[i]
	d[i].index, d[j].index = i, j
}

// Push is for package heap.
func (d *departed) Push(x any) {
	u := x.(*user)
	u.index = len(*d)
	*d = append(*d, u)
}

// Pop is for package heap.
func (d *departed) Pop() any {
	last := len(*d) - 1
	u := (*d)[last]
	(*d)[last] = nil
	*d = (*d)[:last]
	u.index = -1
	return u
}

// remove takes u out if it is in.
func (d *departed) remove(u *user) {
	if u.index >= 0 {
		heap.Remove(d, u.index)
	}
}
