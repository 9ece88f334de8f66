package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/interledger-go/connector/ilp"
	"github.com/interledger-go/connector/plugin"
	"github.com/interledger-go/connector/plugin/btp"
)

// crowd is a number of users who behave: each sends a packet now and then to
// the sink, whether the one before has been answered or not.
type crowd struct {
	users []*btp.Client
	sink  *btp.Client
	data  int // length of a packet's data
}

// pause is the time between two packets of a user of the crowd.
const pause = 10 * time.Millisecond

func newCrowd(ctx context.Context, address string, users, data int) (*crowd, error) {
	c := &crowd{data: data}
	var err error
	if c.sink, err = account(ctx, address, sink, fulfiller); err != nil {
		return nil, err
	}
	for i := range users {
		u, err := user(ctx, address, fmt.Sprint("user ", i))
		if err != nil {
			return nil, errors.Join(err, c.close())
		}
		c.users = append(c.users, u)
	}
	return c, nil
}

func (c *crowd) close() error {
	var faults []error
	for _, u := range c.users {
		faults = append(faults, u.Close())
	}
	return errors.Join(append(faults, c.sink.Close())...)
}

// run has the crowd send for as long as length, and waits for all answers.
func (c *crowd) run(length time.Duration) *visit {
	v := &visit{start: time.Now()}
	var sending sync.WaitGroup
	for i, u := range c.users {
		sending.Go(func() {
			// Not all at once.
			time.Sleep(time.Duration(i) * pause / time.Duration(len(c.users)))
			v.send(u, c.data, length)
		})
	}
	sending.Wait()
	v.answers.Wait()
	return v
}

// visit is what became of the packets of a crowd in one run.
type visit struct {
	start   time.Time
	answers sync.WaitGroup // that are awaited

	mu        sync.Mutex // guards what follows, until all answers are there
	latencies histogram
	failed    int
	failure   error
}

func (v *visit) send(u *btp.Client, size int, length time.Duration) {
	tick := time.NewTicker(pause)
	defer tick.Stop()
	prepare := prepareTo(sink, length+30*time.Second)
	prepare.Data = make([]byte, size)
	for time.Since(v.start) < length {
		<-tick.C
		now := time.Since(v.start)
		mark(prepare.Data)
		v.answers.Add(1)
		u.SendPrepare(context.Background(), &prepare, plugin.NewResponder(v, uint64(now)))
	}
}

// Reply counts the answer to the packet that was sent at the given time.
func (v *visit) Reply(_ context.Context, sent uint64, reply ilp.Reply, err error) {
	defer v.answers.Done()
	latency := time.Since(v.start) - time.Duration(sent)
	v.mu.Lock()
	defer v.mu.Unlock()
	v.latencies.add(latency)
	if _, ok := reply.(*ilp.Fulfill); ok {
		return
	}
	v.failed++
	if reject, ok := reply.(*ilp.Reject); ok {
		kept := reject.Clone()
		err = &kept
	}
	v.failure = err
}
