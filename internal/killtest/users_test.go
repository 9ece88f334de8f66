package killtest

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"os"
	"sync"
	"time"

	"github.com/interledger-go/connector"
	"github.com/interledger-go/connector/ilp"
	"github.com/interledger-go/connector/ledger"
	"github.com/interledger-go/connector/plugin"
	"github.com/interledger-go/connector/plugin/btp"
	"github.com/interledger-go/connector/plugin/miniaccounts"
	"github.com/interledger-go/connector/store"
)

// crowdAccount is the account that the users are behind.
const crowdAccount = "crowd"

// crowd is the users, and counterparties that settle, in either direction. Of
// the first two users each shows one side of the books alone.
var crowd = []terms{
	{id: "wallet", scale: 6, sends: true},
	{id: "alice", scale: 9, sends: true, accepts: true},
	{id: "payer", scale: 9, sends: true, user: true},
	{id: "payee", scale: 9, accepts: true, user: true},
	{id: "carol", scale: 9, sends: true, accepts: true, user: true},
	{id: "dave", scale: 9, sends: true, accepts: true, user: true},
}

// someUser gives the terms of one: they all count the same.
func someUser() terms { return crowd[len(crowd)-1] }

// address is where packets to a party go.
func (t terms) address() ilp.Address {
	if t.user {
		return ilp.MustParseAddress("test.node." + crowdAccount + "." + t.id)
	}
	return ilp.MustParseAddress("test.node." + t.id)
}

// absent reports whether a packet is refused with code because the party is not
// connected; a user may be one whom the connector has not seen yet.
func (t terms) absent(code ilp.Code) bool {
	return code == ilp.T01PeerUnreachable || t.user && code == ilp.F02Unreachable
}

// newUserLink makes the link of a user to whichever connector there is.
func newUserLink(w *world, t terms) plugin.Plugin {
	return btp.NewClient(btp.ClientOptions{
		URL: "btp+ws://users", Username: t.id, Token: token,
		MinBackoff: time.Millisecond, MaxBackoff: 20 * time.Millisecond,
		NetDial: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", w.users)
		},
	})
}

// users is the part of a node that serves users.
type users struct {
	ledger ledger.Ledger
	web    *http.Server
	served sync.WaitGroup
	err    error // of web; read when it was served
}

// newUsers adds the account of the users to n, and listens at a path.
func newUsers(ctx context.Context, n *node, path string, st store.Store, books ledger.Ledger, logger *slog.Logger) (*users, error) {
	tokens, err := store.NewView(st, "users")
	if err != nil {
		return nil, err
	}
	srv, err := miniaccounts.NewServer(miniaccounts.Options{
		Identity: miniaccounts.ByUsername, Store: tokens, Ledger: books, Logger: logger, HandoverWindow: messageWindow,
	})
	if err != nil {
		return nil, err
	}
	err = n.AddAccount(ctx, connector.Account{
		ID: crowdAccount, Relation: connector.Child, Asset: connector.Asset{Code: "XYZ", Scale: someUser().scale}, Plugin: srv,
	})
	if err != nil {
		return nil, err
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) { // that of a node that was killed
		return nil, err
	}
	listener, err := net.Listen("unix", path)
	if err != nil {
		return nil, err
	}
	u := &users{ledger: books, web: &http.Server{Handler: srv, ReadHeaderTimeout: time.Minute}}
	u.served.Go(func() { u.err = u.web.Serve(listener) })
	closeStore := n.close
	n.close = func() error { return errors.Join(u.close(), closeStore()) }
	return u, nil
}

func (u *users) close() error {
	err := u.web.Close()
	u.served.Wait()
	if !errors.Is(u.err, http.ErrServerClosed) {
		err = errors.Join(err, u.err)
	}
	return err
}

// books gives those of all users, when none is connected.
func (u *users) books() (books []book, err error) {
	for _, t := range crowd {
		if !t.user {
			continue
		}
		b, err := u.ledger.Open(context.Background(), ledger.Terms{Account: miniaccounts.DefaultName + "/" + t.id})
		if err != nil {
			return nil, err
		}
		s := b.State()
		b.Close()
		books = append(books, book{Account: t.id, Balance: s.Balance, ReservedIn: s.ReservedIn, ReservedOut: s.ReservedOut})
	}
	return books, nil
}

// plus adds up flows.
func (f flow) plus(g flow) flow {
	return flow{f.in + g.in, f.inCut + g.inCut, f.out + g.out, f.outCut + g.outCut}
}

// auditCrowd audits the book of the account that the users are behind against
// theirs, in which packets have moved so many steps, and what they have been
// told. The caller holds mu.
//
// Of a packet the user's posting is the one before the account's, both made by
// the goroutine that has read the fulfillment. So the cut of a batch is between
// the two for one packet of each connection at most.
func (w *world) auditCrowd(b book, moved int64, f flow, exact bool) {
	if b.ReservedIn != 0 || b.ReservedOut != 0 || len(b.Settlements) != 0 {
		w.fault("%s: %+v, want nothing reserved and nothing settled", b.Account, b)
	}
	step := someUser().step()
	units := b.Balance - w.crowd
	w.crowd = b.Balance
	posted := units / step
	if units%step != 0 {
		w.fault("%s: packets have moved %d, which is no whole number of steps", b.Account, units)
	}
	low, high := f.in-f.out-f.outCut, f.in+f.inCut-f.out
	if exact {
		low, high = f.in-f.out, f.in-f.out
	}
	if posted < low || posted > high {
		w.fault("%s: packets have moved %d steps, want %d to %d", b.Account, posted, low, high)
	}
	apart := moved - posted
	w.totals.apart += abs(apart)
	straddling := int64(len(w.parties)) * maxSteps
	if low, high := -min(f.outCut, straddling), min(f.inCut, straddling); apart < low || apart > high || exact && apart != 0 {
		w.fault("%s: packets have moved %d steps, and %d in the books of the users: want a difference of %d to %d, and none if the connector ended in good order",
			b.Account, posted, moved, low, high)
	}
}
