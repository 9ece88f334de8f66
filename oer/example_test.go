package oer_test

import (
	"encoding/binary"
	"fmt"
	"time"

	"github.com/interledger-go/connector/oer"
)

// A message of a fixed integer, a string and an octet string, written and read
// again.
func Example() {
	var b []byte
	b = binary.BigEndian.AppendUint16(b, 404)
	b = oer.AppendString(b, "not found")
	b = oer.AppendOctets(b, []byte{1, 2, 3})

	r := oer.NewReader(b)
	code, text, data := r.Uint16(), r.Octets(), r.Octets()
	if err := r.Err(); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(code, string(text), data)
	// Output: 404 not found [1 2 3]
}

// The error of the first field that is not there stays, and later reads give
// zero values.
func ExampleReader_Err() {
	r := oer.NewReader([]byte{0x84, 0x7f, 0xff, 0xff, 0xff, 'h', 'i'})
	text := r.Octets() // two bytes of 2147483647 that are promised
	code := r.Uint16()
	fmt.Println(len(text), code, r.Err())
	// Output: 0 0 oer: truncated
}

func ExampleAppendTimestamp() {
	at := time.Date(2026, 1, 2, 4, 4, 5, 678_900_000, time.FixedZone("CET", 60*60))
	b, err := oer.AppendTimestamp(nil, at)
	fmt.Printf("%s %v\n", b, err)
	// Output: 20260102030405678 <nil>
}

func ExampleParseGeneralizedTime() {
	for _, text := range []string{"20260102030405Z", "20260102030405.500Z", "20260102240000Z"} {
		at, err := oer.ParseGeneralizedTime([]byte(text))
		if err != nil {
			fmt.Println(text, "is refused")
			continue
		}
		fmt.Println(at.Format(time.RFC3339Nano))
	}
	// Output:
	// 2026-01-02T03:04:05Z
	// 2026-01-02T03:04:05.5Z
	// 20260102240000Z is refused
}
