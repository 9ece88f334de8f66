package groupcommit_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/interledger-go/connector/internal/groupcommit"
	"github.com/interledger-go/connector/store"
)

func TestCallsClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var c groupcommit.Calls
		if err := c.Begin(); err != nil {
			t.Fatal(err)
		}
		released := 0
		go c.Close(func() { released++ })
		synctest.Wait()
		if released != 0 {
			t.Error("Close does not wait for the call that is under way")
		}
		if err := c.Begin(); err != store.ErrClosed {
			t.Errorf("Begin during Close: %v, want ErrClosed at once", err)
		}
		c.Done()
		synctest.Wait()
		c.Close(func() { released++ })
		if released != 1 {
			t.Errorf("two calls of Close release %d times", released)
		}
	})
}

func TestCallsFail(t *testing.T) {
	var c groupcommit.Calls
	if err := c.Begin(); err != nil {
		t.Fatal(err)
	}
	first := fmt.Errorf("%w: first", store.ErrClosed)
	for _, reason := range []error{first, errors.New("second")} {
		if err := c.Fail(reason); err != first {
			t.Errorf("Fail: %v, want the first reason", err)
		}
	}
	c.Done()
	c.Close(func() {})
	if err := c.Begin(); err != first {
		t.Errorf("Begin: %v, want the first reason", err)
	}
}

func TestGrace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		graced, end := groupcommit.Grace(ctx, time.Second)
		defer end()
		<-graced.Done()
		if waited := time.Since(began); waited != time.Minute+time.Second {
			t.Errorf("done after %v", waited)
		}

		began = time.Now()
		graced, end = groupcommit.Grace(t.Context(), time.Second)
		if graced.Err() != nil {
			t.Error("done while the context is not")
		}
		end()
		if <-graced.Done(); time.Since(began) != 0 {
			t.Error("the end takes its time")
		}
	})
}
