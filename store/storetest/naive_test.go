package storetest_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/interledger-go/connector/store"
	"github.com/interledger-go/connector/store/storetest"
)

// A fault is one way of breaking the contract.
type fault string

const (
	none fault = "none"

	findsAbsent      fault = "Get finds what is not there"
	ownNotFound      fault = "Get has its own error for what is not there"
	losesEmpty       fault = "Get does not find an empty value"
	sharesMemory     fault = "Get and Scan hand out the store's memory"
	staleReads       fault = "Get remembers what it has read"
	anyKey           fault = "Get and Scan take any key"
	reversed         fault = "Scan goes backwards"
	endsAtFF         fault = "Scan ends a prefix at the next 0xff"
	wildcards        fault = "Scan takes % for a wildcard"
	liveScan         fault = "Scan reads each value when it gets there"
	reusesBuffer     fault = "Scan gives every visit the same buffer"
	wrapsVisitError  fault = "Scan wraps the error of visit"
	scansOn          fault = "Scan goes on after an error of visit"
	ignoresContext   fault = "no call looks at its context"
	scansOnCancelled fault = "Scan looks at its context once"
	foldsCase        fault = "keys fold case"
	trimsKeys        fault = "keys lose blanks and zeros at the end"
	keepsMemory      fault = "Write keeps the batch's memory"
	torn             fault = "Write lets go of the lock half-way"
	losesUpdates     fault = "Write overwrites what others write meanwhile"
	writesInvalid    fault = "Write makes what it can of an invalid batch"
	plainError       fault = "Write says what is wrong, but not ErrNotWritten"
	deletesFirst     fault = "Write makes the deletions first"
	firstWins        fault = "Write makes the first change of a key"
	refusesEmpty     fault = "Write refuses an empty batch"
	cutsBatches      fault = "Write makes a thousand changes at most"
	cutsValues       fault = "Write cuts values at 64 KiB"
	insertsOnly      fault = "Write refuses a key that is there"
	missesDeleted    fault = "Write refuses to delete what is not there"
	writesBehind     fault = "Write leaves its batch to the next one"
	writesCancelled  fault = "Write is made although it says that it is cancelled"
	closesOnce       fault = "Close fails the second time"
	ownClosed        fault = "every call has its own error for a closed store"
	answersClosed    fault = "a closed store goes on"
	writesClosed     fault = "Write is made although it says that the store is closed"
	forgetsLast      fault = "the last batch is not there after opening again"
	undeletes        fault = "what was deleted is there after opening again"
)

// naive is a store that keeps the contract, but for its fault.
type naive struct {
	fault   fault
	mu      sync.Mutex
	m       map[string][]byte
	before  map[string][]byte // m without the last batch
	deleted map[string][]byte
	read    map[string][]byte
	behind  *store.Batch
	closed  bool

	// What goes on at the moment, for faults that need company.
	scans, writes atomic.Int64
}

func newNaive(f fault, contents map[string][]byte) *naive {
	return &naive{fault: f, m: contents, deleted: make(map[string][]byte), read: make(map[string][]byte)}
}

func options(f fault) storetest.Options {
	return storetest.Options{
		New: func(testing.TB) store.Store { return newNaive(f, make(map[string][]byte)) },
		Reopen: func(_ testing.TB, closed store.Store) store.Store {
			old := closed.(*naive)
			contents := old.m
			switch f {
			case forgetsLast:
				contents = old.before
			case undeletes:
				maps.Copy(contents, old.deleted)
			}
			return newNaive(f, contents)
		},
		Crash: crash(f),
	}
}

// enter refuses what every call refuses. The caller holds mu.
func (s *naive) enter(ctx context.Context) error {
	switch {
	case s.closed && s.fault == ownClosed:
		return errors.New("naive: closed")
	case s.closed && s.fault != answersClosed && s.fault != writesClosed:
		return store.ErrClosed
	case s.fault == ignoresContext:
		return nil
	}
	return ctx.Err()
}

// key is what becomes of a key.
func (s *naive) key(key string) string {
	switch s.fault {
	case foldsCase:
		return strings.ToLower(key)
	case trimsKeys:
		if short := strings.TrimRight(key, " \x00"); short != "" {
			return short
		}
	}
	return key
}

func (s *naive) Get(ctx context.Context, key string) ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.enter(ctx); err != nil {
		return nil, err
	}
	if err := store.CheckKey(key); err != nil && s.fault != anyKey {
		return nil, err
	}
	value, ok := s.m[s.key(key)]
	if old, again := s.read[key]; again && s.fault == staleReads {
		return bytes.Clone(old), nil
	}
	switch {
	case !ok && s.fault == findsAbsent:
		return nil, nil
	case !ok && s.fault == ownNotFound:
		return nil, errors.New("naive: no such key")
	case !ok, len(value) == 0 && s.fault == losesEmpty:
		return nil, store.ErrNotFound
	case s.fault == sharesMemory:
		return value, nil
	}
	s.read[key] = value
	return bytes.Clone(value), nil
}

func (s *naive) Scan(ctx context.Context, prefix string, visit func(key string, value []byte) error) error {
	s.mu.Lock()
	err := s.enter(ctx)
	snapshot := maps.Clone(s.m)
	s.mu.Unlock()
	defer s.scans.Add(1)
	if err != nil {
		return err
	}
	if err := store.CheckPrefix(prefix); err != nil && s.fault != anyKey {
		return err
	}
	keys := slices.Sorted(maps.Keys(snapshot))
	if s.fault == reversed {
		slices.Reverse(keys)
	}
	var buffer []byte
	for _, key := range keys {
		if !s.matches(key, prefix) {
			continue
		}
		if err := ctx.Err(); err != nil && s.fault != ignoresContext && s.fault != scansOnCancelled {
			return err
		}
		value := snapshot[key]
		switch s.fault {
		case sharesMemory:
		case reusesBuffer:
			buffer = append(buffer[:0], value...)
			value = buffer
		case liveScan:
			s.mu.Lock()
			value = bytes.Clone(s.m[key])
			s.mu.Unlock()
		default:
			value = bytes.Clone(value)
		}
		if err := visit(key, value); err != nil {
			switch s.fault {
			case scansOn:
				continue
			case wrapsVisitError:
				return fmt.Errorf("naive: visit: %w", err)
			}
			return err
		}
	}
	return nil
}

func (s *naive) matches(key, prefix string) bool {
	switch s.fault {
	case endsAtFF:
		return key >= prefix && key < prefix+"\xff"
	case wildcards:
		if before, _, ok := strings.Cut(prefix, "%"); ok {
			prefix = before
		}
	}
	return strings.HasPrefix(key, prefix)
}

func (s *naive) Write(ctx context.Context, b *store.Batch) error {
	s.writes.Add(1)
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.refuse(ctx, b); err != nil {
		return err
	}
	s.before = maps.Clone(s.m)
	switch s.fault {
	case writesBehind:
		if s.behind != nil {
			s.apply(s.behind, s.m)
		}
		s.behind = new(store.Batch)
		for op := range b.Ops() {
			if op.Delete {
				s.behind.Delete(string(op.Key))
			} else {
				s.behind.Put(string(op.Key), op.Value)
			}
		}
	case losesUpdates:
		mine := maps.Clone(s.m)
		s.apply(b, mine)
		s.pause(&s.writes)
		s.m = mine
	default:
		s.apply(b, s.m)
	}
	if s.closed && s.fault == writesClosed {
		return store.ErrClosed
	}
	return nil
}

// refuse says why a batch is not written. The caller holds mu.
func (s *naive) refuse(ctx context.Context, b *store.Batch) error {
	if err := b.Err(); err != nil && s.fault != writesInvalid {
		if s.fault == plainError {
			return errors.New("naive: a batch that will not do")
		}
		return err
	}
	if err := s.enter(ctx); err != nil {
		switch {
		case s.closed, s.fault == plainError:
			return err
		case s.fault == writesCancelled:
			s.apply(b, s.m)
		}
		return fmt.Errorf("%w: %w", store.ErrNotWritten, err)
	}
	if b.Len() == 0 && s.fault == refusesEmpty {
		return errors.New("naive: an empty batch")
	}
	for op := range b.Ops() {
		_, there := s.m[string(op.Key)]
		switch {
		case !op.Delete && there && s.fault == insertsOnly:
			return errors.New("naive: duplicate key")
		case op.Delete && !there && s.fault == missesDeleted:
			return store.ErrNotFound
		}
	}
	return nil
}

// apply makes the changes of b in m.
func (s *naive) apply(b *store.Batch, m map[string][]byte) {
	ops := slices.Collect(b.Ops())
	switch s.fault {
	case deletesFirst:
		slices.SortStableFunc(ops, func(a, b store.Op) int {
			switch {
			case a.Delete == b.Delete:
				return 0
			case a.Delete:
				return -1
			}
			return 1
		})
	case firstWins:
		slices.Reverse(ops)
	case cutsBatches:
		ops = ops[:min(len(ops), 1000)]
	}
	for i, op := range ops {
		if s.fault == torn && i == len(ops)/2 && i > 0 {
			s.pause(&s.scans)
		}
		key := s.key(string(op.Key))
		switch {
		case op.Delete:
			s.deleted[key] = m[key]
			delete(m, key)
		case s.fault == keepsMemory:
			m[key] = op.Value
		case s.fault == cutsValues:
			m[key] = bytes.Clone(op.Value[:min(len(op.Value), 1<<16-1)])
		default:
			m[key] = bytes.Clone(op.Value)
		}
	}
}

// pause lets go of mu until something else has counted on, or nothing else
// seems to be going on.
func (s *naive) pause(count *atomic.Int64) {
	s.mu.Unlock()
	defer s.mu.Lock()
	now := count.Load()
	for i := 0; i < 1000 && count.Load() < now+2; i++ {
		runtime.Gosched()
	}
}

func (s *naive) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed && s.fault == closesOnce {
		return store.ErrClosed
	}
	s.closed = true
	return nil
}
