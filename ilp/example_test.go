package ilp_test

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"time"

	"github.com/interledger-go/connector/ilp"
)

// A sender makes a Prepare, a connector forwards it, and the receiver answers.
func Example() {
	fulfillment := ilp.Fulfillment(sha256.Sum256([]byte("known to the receiver")))
	prepare := ilp.Prepare{
		Amount:      1000,
		ExpiresAt:   time.Date(2026, 1, 2, 3, 4, 35, 0, time.UTC),
		Condition:   fulfillment.Condition(),
		Destination: ilp.MustParseAddress("g.bob.wallet"),
		Data:        []byte("for the receiver"),
	}
	sent, err := prepare.AppendBinary(nil)
	if err != nil {
		fmt.Println(err)
		return
	}

	// The connector changes the two fields that are its own.
	var p ilp.Prepare
	if err := p.Decode(sent); err != nil {
		fmt.Println(err)
		return
	}
	p.Amount = p.Amount * 998 / 1000
	p.ExpiresAt = p.ExpiresAt.Add(-time.Second)
	forwarded, err := p.AppendBinary(nil)
	if err != nil {
		fmt.Println(err)
		return
	}

	// The receiver has the fulfillment.
	if err := p.Decode(forwarded); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(p.Amount, p.ExpiresAt.Format(time.TimeOnly), p.Destination, string(p.Data))
	fmt.Println(fulfillment.Condition() == p.Condition)
	// Output:
	// 998 03:04:34 g.bob.wallet for the receiver
	// true
}

// A Reject is an error, and is found again wherever it has been wrapped.
func ExampleReject() {
	refuse := func() error {
		return ilp.Rejectf(ilp.F02Unreachable, "no route found")
	}
	err := fmt.Errorf("to g.bob: %w", refuse())
	fmt.Println(err)
	if r, ok := errors.AsType[*ilp.Reject](err); ok {
		fmt.Println(r.Code, r.Code.Final())
	}
	// Output:
	// to g.bob: F02 Unreachable: no route found
	// F02 true
}

func ExampleDecodeReply() {
	packet, err := ilp.Rejectf(ilp.T04InsufficientLiquidity, "exceeded maximum balance.").AppendBinary(nil)
	if err != nil {
		fmt.Println(err)
		return
	}

	var (
		fulfill ilp.Fulfill
		reject  ilp.Reject
	)
	reply, err := ilp.DecodeReply(packet, &fulfill, &reject)
	if err != nil {
		fmt.Println(err)
		return
	}
	switch reply := reply.(type) {
	case *ilp.Fulfill:
		fmt.Println("paid", reply.Fulfillment.Condition())
	case *ilp.Reject:
		fmt.Println("not paid:", reply)
	}
	// Output: not paid: T04 Insufficient Liquidity: exceeded maximum balance.
}

func ExampleRewrite() {
	p := ilp.Prepare{
		Amount:      1000,
		ExpiresAt:   time.Date(2026, 1, 2, 3, 4, 35, 0, time.UTC),
		Destination: ilp.MustParseAddress("g.bob"),
	}
	packet, err := p.AppendBinary(nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := ilp.Rewrite(packet, 998, p.ExpiresAt.Add(-time.Second)); err != nil {
		fmt.Println(err)
		return
	}
	if err := p.Decode(packet); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(p.Amount, p.ExpiresAt.Format(time.TimeOnly))
	// Output: 998 03:04:34
}

func ExampleAddress_Child() {
	parent := ilp.MustParseAddress("g.alice")
	child, err := parent.Child("wallet", "~42")
	fmt.Println(child, err)
	fmt.Println(child.HasPrefix(parent), ilp.MustParseAddress("g.alicebob").HasPrefix(parent))
	_, err = parent.Child("wall.et")
	fmt.Println(err)
	// Output:
	// g.alice.wallet.~42 <nil>
	// true false
	// ilp: invalid ILP address: segment "wall.et": want one or more of A-Z a-z 0-9 _ ~ -
}

// The data of an F08 tells the sender by how much the amount is too large.
func ExampleAmountTooLarge() {
	r := ilp.Rejectf(ilp.F08AmountTooLarge, "amount too large. maxAmount=1000 actualAmount=1500")
	r.Data, _ = ilp.AmountTooLarge{Received: 1500, Maximum: 1000}.AppendBinary(nil)

	var a ilp.AmountTooLarge
	if err := a.Decode(r.Data); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(a.Received, a.Maximum)
	// Output: 1500 1000
}
