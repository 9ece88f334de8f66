package btp_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/interledger-go/connector/plugin/btp"
)

// vectorFile is testdata/btp.json. Where INTERLEDGER_VECTORS names a folder
// with further files of the same shape, they are checked too.
type vectorFile struct {
	Valid     []validVector
	Malformed []malformedVector
}

type validVector struct {
	ID, Name, Type string
	Fields         vectorFields
	vectorBytes
	Canonical *vectorBytes // where btp-packet writes another form
}

type malformedVector struct {
	ID, Name, RFC string
	vectorBytes
}

type vectorBytes struct {
	Hex    *string
	HexRLE [][2]any `json:"hex_rle"`
	SHA256 string
}

type vectorFields struct {
	RequestID    uint32
	Amount       string
	Code, Name   string
	TriggeredAt  string
	Data         json.RawMessage
	ProtocolData []struct {
		ProtocolName json.RawMessage
		ContentType  btp.ContentType
		Data         json.RawMessage
	}
}

func (v vectorBytes) bytes(t testing.TB) []byte {
	t.Helper()
	text := ""
	if v.Hex != nil {
		text = *v.Hex
	}
	for _, run := range v.HexRLE {
		text += strings.Repeat(run[0].(string), int(run[1].(float64)))
	}
	b, err := hex.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	if sum := sha256.Sum256(b); hex.EncodeToString(sum[:]) != v.SHA256 {
		t.Fatal("the vector's bytes do not have its hash")
	}
	return b
}

// vectorData reads a data field: hexadecimal, a repeated byte, or text.
func vectorData(t testing.TB, raw json.RawMessage) []byte {
	t.Helper()
	var text string
	if json.Unmarshal(raw, &text) == nil {
		return []byte(text)
	}
	var v struct {
		Hex, Fill string
		Len       int
	}
	if err := json.Unmarshal(raw, &v); err != nil {
		t.Fatal(err)
	}
	if v.Fill == "" {
		b, err := hex.DecodeString(v.Hex)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	fill := []byte(v.Fill)
	if b, err := hex.DecodeString(v.Fill); err == nil {
		fill = b
	}
	return bytes.Repeat(fill, v.Len)
}

func (v validVector) packet(t testing.TB) btp.Packet {
	t.Helper()
	f := v.Fields
	p := btp.Packet{RequestID: f.RequestID}
	switch v.Type {
	case "message":
		p.Type = btp.TypeMessage
	case "response":
		p.Type = btp.TypeResponse
	case "transfer":
		p.Type = btp.TypeTransfer
		amount, err := strconv.ParseUint(f.Amount, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		p.Amount = amount
	case "error":
		p.Type = btp.TypeError
		at, err := time.Parse(time.RFC3339, f.TriggeredAt)
		if err != nil {
			t.Fatal(err)
		}
		p.Error = btp.Error{Code: btp.Code(f.Code), Name: f.Name, TriggeredAt: at, Data: vectorData(t, f.Data)}
	}
	for _, e := range f.ProtocolData {
		p.Entries = append(p.Entries, btp.Entry{
			Name:        string(vectorData(t, e.ProtocolName)),
			ContentType: e.ContentType,
			Data:        vectorData(t, e.Data),
		})
	}
	return p
}

func loadVectors(t testing.TB) vectorFile {
	t.Helper()
	files := []string{"testdata/btp.json"}
	if folder := os.Getenv("INTERLEDGER_VECTORS"); folder != "" {
		files = append(files, filepath.Join(folder, "btp.json"))
	}
	var all vectorFile
	for _, name := range files {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		var f vectorFile
		if err := json.Unmarshal(b, &f); err != nil {
			t.Fatal(name, err)
		}
		all.Valid = append(all.Valid, f.Valid...)
		all.Malformed = append(all.Malformed, f.Malformed...)
	}
	return all
}

// BTP-01 to BTP-07: every valid vector decodes to its fields, and these encode
// to its bytes, in canonical form where btp-packet writes another (OER-45).
func TestValidVectors(t *testing.T) {
	for _, v := range loadVectors(t).Valid {
		t.Run(v.ID+" "+v.Name, func(t *testing.T) {
			want, wire := v.packet(t), v.bytes(t)
			var got btp.Packet
			if err := got.Decode(wire); err != nil {
				t.Fatal(err)
			}
			if !same(got, want) {
				t.Fatalf("got %+v, want %+v", got, want)
			}
			canonical := wire
			if v.Canonical != nil {
				canonical = v.Canonical.bytes(t)
			}
			for _, p := range []btp.Packet{want, got, got.Clone()} {
				b, err := p.AppendBinary([]byte("before"))
				if err != nil || string(b[:6]) != "before" || !bytes.Equal(b[6:], canonical) {
					t.Fatalf("encoded to %x, error %v, want %x", b, err, canonical)
				}
				if p.Size() != len(canonical) {
					t.Fatalf("Size is %d, want %d", p.Size(), len(canonical))
				}
			}
		})
	}
}

// Every malformed vector is judged as the RFC judges it. Where the RFC leaves
// it open the choice is this package's: strict in what is not canonical and in
// two entries of one name (BTP-08), lenient in trailing bytes (OER-17).
func TestMalformedVectors(t *testing.T) {
	choice := map[string]bool{ // whether it is accepted
		"outer-trailing":           true,
		"fuzz_5":                   true,
		"fuzz_10":                  true,
		"fuzz_12":                  false,
		"fuzz_13":                  false,
		"count-7-bytes":            false,
		"length-noncanonical":      false,
		"duplicate-protocol-names": false,
	}
	for _, v := range loadVectors(t).Malformed {
		t.Run(v.ID+" "+v.Name, func(t *testing.T) {
			var p btp.Packet
			err := p.Decode(v.bytes(t))
			if err != nil && !errors.Is(err, btp.ErrInvalidPacket) {
				t.Errorf("the error does not wrap ErrInvalidPacket: %v", err)
			}
			accepted, want := err == nil, false
			switch v.RFC {
			case "accept":
				want = true
			case "may":
				var known bool
				if want, known = choice[v.Name]; !known {
					t.Fatal("no choice was made for this one")
				}
			}
			if accepted != want {
				t.Errorf("error %v, the RFC says %s", err, v.RFC)
			}
		})
	}
}
