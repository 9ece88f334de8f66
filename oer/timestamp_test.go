package oer_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"math"
	"testing"
	"time"

	"github.com/interledger-go/connector/internal/vectors"
	"github.com/interledger-go/connector/oer"
)

type timestampVectors struct {
	Encode []struct {
		ISO, Wire string
	} `json:"fixed_encode"`
	Valid []struct {
		ISO, Wire string
	} `json:"fixed_decode_valid"`
	Invalid []struct {
		Wire, Why, RFC string
	} `json:"fixed_decode_invalid"`
	TextInvalid []struct {
		Text, Hex, Why, RFC, Interop string
	} `json:"variable_decode_invalid"`
}

func parseISO(t *testing.T, s string) time.Time {
	t.Helper()
	v, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func TestVectorsTimestamp(t *testing.T) { // OER-30 to OER-37
	v := vectors.Load[timestampVectors](t, "testdata/timestamps.json")
	for _, c := range vectors.Some(t, v.Encode) {
		got, err := oer.AppendTimestamp(nil, parseISO(t, c.ISO))
		if err != nil || string(got) != c.Wire {
			t.Errorf("wrote %s as %q, %v; want %q", c.ISO, got, err, c.Wire)
		}
	}
	for _, c := range vectors.Some(t, v.Valid) {
		got, err := oer.ParseTimestamp([]byte(c.Wire))
		if want := parseISO(t, c.ISO); err != nil || !got.Equal(want) {
			t.Errorf("read %q as %v, %v; want %v", c.Wire, got, err, want)
		}
		if got.Location() != time.UTC {
			t.Errorf("read %q in %v, want UTC", c.Wire, got.Location())
		}
	}
	for _, c := range vectors.Some(t, v.Invalid) {
		got, err := oer.ParseTimestamp([]byte(c.Wire))
		// The only choice ("may") is about years below 100: they are read as
		// they stand.
		if (err == nil) != (c.RFC == "may") {
			t.Errorf("%s: read %q as %v, %v; the verdict is %s", c.Why, c.Wire, got, err, c.RFC)
		}
		if err != nil && (!errors.Is(err, oer.ErrTimestamp) || !got.IsZero()) {
			t.Errorf("%s: got %v with the error %v", c.Why, got, err)
		}
	}
}

func TestVectorsGeneralizedTime(t *testing.T) { // OER-44, OER-45
	for _, c := range vectors.Some(t, vectors.Load[timestampVectors](t, "testdata/timestamps.json").TextInvalid) {
		b, err := hex.DecodeString(c.Hex)
		if err != nil {
			t.Fatal(err)
		}
		r := oer.NewReader(b)
		text := r.Octets()
		done(t, &r)
		if string(text) != c.Text {
			t.Fatalf("%q and %s are not the same text", c.Text, c.Hex)
		}
		// The choice ("may") is about a second 60 that is not 23:59:60: it is
		// refused.
		got, err := oer.ParseGeneralizedTime(text)
		if (err == nil) != (c.Interop == "accept") {
			t.Errorf("%s: read %q as %v, %v; the verdict is %s, interop %s", c.Why, text, got, err, c.RFC, c.Interop)
		}
		if err != nil && (!errors.Is(err, oer.ErrTimestamp) || !got.IsZero()) {
			t.Errorf("%s: got %v with the error %v", c.Why, got, err)
		}
	}
}

// Timestamps are written as package time formats them, and read back.
func checkTimestamp(t *testing.T, at time.Time) {
	t.Helper()
	want := at.Format("20060102150405.000")
	want = want[:14] + want[15:]
	b, err := oer.AppendTimestamp(nil, at)
	if err != nil || string(b) != want {
		t.Fatalf("wrote %v as %q, %v; want %q", at, b, err, want)
	}
	back, err := oer.ParseTimestamp(b)
	if err != nil || !back.Equal(at) {
		t.Fatalf("read %q as %v, %v; want %v", b, back, err, at)
	}
}

func TestTimestampOfEveryDay(t *testing.T) {
	// A cycle of the calendar, each day at another time of day.
	at := time.Date(1800, 1, 1, 0, 0, 0, 0, time.UTC)
	for at.Year() < 2200 {
		checkTimestamp(t, at)
		at = at.Add(24*time.Hour + 7*time.Minute + 13*time.Second + 17*time.Millisecond)
	}
	// Where the days of a year are out of the ordinary, in all years.
	for year := range 10000 {
		for _, month := range []time.Month{1, 2, 3, 12} {
			first := time.Date(year, month, 1, 0, 0, 0, 0, time.UTC)
			checkTimestamp(t, first)
			checkTimestamp(t, first.AddDate(0, 1, 0).Add(-time.Millisecond))
		}
	}
}

// Every date that can be spelled in eight digits is accepted if and only if
// package time knows it.
func TestTimestampOfEveryDate(t *testing.T) { // OER-36
	years := []int{0, 4, 99, 100, 400, 1600, 1899, 1900, 1970, 1999, 2000, 2023, 2024, 2100, 9996, 9999}
	for _, year := range years {
		for month := range 100 {
			for day := range 100 {
				b := []byte("YYYYMMDD153042789")
				for i, v := range []int{year / 100, year % 100, month, day} {
					b[2*i], b[2*i+1] = '0'+byte(v/10), '0'+byte(v%10)
				}
				want, wantErr := time.Parse("20060102150405.000", string(b[:14])+"."+string(b[14:]))
				got, err := oer.ParseTimestamp(b)
				if (err == nil) != (wantErr == nil) || err == nil && !got.Equal(want) {
					t.Fatalf("read %q as %v, %v; want %v, %v", b, got, err, want, wantErr)
				}
			}
		}
	}
}

func TestTimestampOfEveryClock(t *testing.T) { // OER-32, OER-35, OER-36
	for i, limit := range map[int]int{8: 23, 10: 59, 12: 59, 14: 99} {
		for v := range 100 {
			b := []byte("20261231000000000")
			b[i], b[i+1] = '0'+byte(v/10), '0'+byte(v%10)
			if _, err := oer.ParseTimestamp(b); (err == nil) != (v <= limit) {
				t.Errorf("read %q: %v", b, err)
			}
		}
	}
}

func TestTimestampOfOtherBytes(t *testing.T) { // OER-36: any byte that is no digit
	for i := range oer.TimestampSize {
		for c := range 256 {
			b := []byte("20001010101010101")
			b[i] = byte(c)
			_, err := oer.ParseTimestamp(b)
			if digit := c >= '0' && c <= '9'; !digit && err == nil {
				t.Errorf("accepted %q", b)
			}
		}
	}
}

func TestTimestampOfOtherLengths(t *testing.T) { // OER-31
	for _, s := range []string{"", "2", "2026010203040567", "202601020304056789"} {
		if got, err := oer.ParseTimestamp([]byte(s)); err == nil {
			t.Errorf("read %q as %v", s, got)
		}
	}
}

func TestTimestampDropsWhatIsBelowMilliseconds(t *testing.T) { // OER-34
	for _, c := range []struct{ iso, want string }{
		{"2026-01-02T03:04:05.678999999Z", "20260102030405678"},
		{"2026-01-02T03:04:05.000999999Z", "20260102030405000"},
		{"1969-12-31T23:59:59.999999999Z", "19691231235959999"}, // also before 1970
		{"9999-12-31T23:59:59.999999999Z", "99991231235959999"},
	} {
		got, err := oer.AppendTimestamp(nil, parseISO(t, c.iso))
		if err != nil || string(got) != c.want {
			t.Errorf("wrote %s as %q, %v; want %q", c.iso, got, err, c.want)
		}
	}
}

func TestTimestampIsUTC(t *testing.T) { // OER-33
	at := time.Date(2027, 1, 1, 1, 30, 0, 0, time.FixedZone("east", 2*60*60))
	got, err := oer.AppendTimestamp(nil, at)
	if err != nil || string(got) != "20261231233000000" {
		t.Errorf("wrote %v as %q, %v", at, got, err)
	}
	// A time that still has its monotonic reading.
	now := time.Now()
	got, err = oer.AppendTimestamp(nil, now)
	if err != nil {
		t.Fatal(err)
	}
	back, err := oer.ParseTimestamp(got)
	if err != nil || !back.Equal(now.Truncate(time.Millisecond)) {
		t.Errorf("wrote %v as %q and read %v, %v", now, got, back, err)
	}
}

func TestTimestampOutsideYears(t *testing.T) {
	for _, at := range []time.Time{
		time.Date(-1, 12, 31, 23, 59, 59, 999999999, time.UTC),
		time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC),
		time.Unix(-1<<62, 0),
		time.Unix(math.MaxInt64, 0),
	} {
		dst := []byte("before")
		got, err := oer.AppendTimestamp(dst, at)
		if !errors.Is(err, oer.ErrTimestamp) || string(got) != "before" {
			t.Errorf("wrote %v as %q, %v", at, got, err)
		}
		room := bytes.Repeat([]byte{'x'}, oer.TimestampSize)
		if err := oer.PutTimestamp(room, at); !errors.Is(err, oer.ErrTimestamp) || string(room) != "xxxxxxxxxxxxxxxxx" {
			t.Errorf("put %v as %q, %v", at, room, err)
		}
	}
}

func TestPutTimestampNeedsRoom(t *testing.T) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	short := bytes.Repeat([]byte{'x'}, oer.TimestampSize-1)
	if err := oer.PutTimestamp(short, at); !errors.Is(err, oer.ErrTimestamp) || string(short) != "xxxxxxxxxxxxxxxx" {
		t.Errorf("put %q, %v", short, err)
	}
	long := bytes.Repeat([]byte{'x'}, oer.TimestampSize+1)
	if err := oer.PutTimestamp(long, at); err != nil || string(long) != "20260102030405000x" {
		t.Errorf("put %q, %v", long, err)
	}
}

func TestGeneralizedTime(t *testing.T) { // OER-40 to OER-42
	for _, c := range []struct{ iso, want string }{
		{"2026-01-02T03:04:05Z", "20260102030405Z"},
		{"2026-01-02T03:04:05.1Z", "20260102030405.1Z"},
		{"2026-01-02T03:04:05.12Z", "20260102030405.12Z"},
		{"2026-01-02T03:04:05.123Z", "20260102030405.123Z"},
		{"2026-01-02T03:04:05.003Z", "20260102030405.003Z"},
		{"2026-01-02T03:04:05.020Z", "20260102030405.02Z"},
		{"2026-01-02T03:04:00Z", "20260102030400Z"}, // a zero that is no fraction stays
		{"2026-01-02T03:04:05.1239Z", "20260102030405.123Z"},
		{"2026-01-02T05:04:05+02:00", "20260102030405Z"},
		{"0000-01-01T00:00:00Z", "00000101000000Z"},
		{"9999-12-31T23:59:59.999Z", "99991231235959.999Z"},
	} {
		at := parseISO(t, c.iso)
		got := oer.AppendGeneralizedTime([]byte("at "), at)
		if string(got) != "at "+c.want {
			t.Errorf("wrote %s as %q, want %q", c.iso, got, c.want)
		}
		back, err := oer.ParseGeneralizedTime([]byte(c.want))
		if err != nil || !back.Equal(at.Truncate(time.Millisecond)) || back.Location() != time.UTC {
			t.Errorf("read %q as %v, %v; want %s", c.want, back, err, c.iso)
		}
	}
}

func TestGeneralizedTimeOfThreeDigits(t *testing.T) { // OER-45
	for text, want := range map[string]string{
		"20260102030405.000Z": "2026-01-02T03:04:05Z",
		"20260102030405.100Z": "2026-01-02T03:04:05.1Z",
		"20260102030405.120Z": "2026-01-02T03:04:05.12Z",
	} {
		got, err := oer.ParseGeneralizedTime([]byte(text))
		if err != nil || !got.Equal(parseISO(t, want)) {
			t.Errorf("read %q as %v, %v; want %s", text, got, err, want)
		}
	}
}

func TestGeneralizedTimeOutsideYears(t *testing.T) {
	for _, c := range []struct {
		at   time.Time
		want string
	}{
		{time.Date(-1, 12, 31, 23, 59, 59, 0, time.UTC), "00000101000000Z"},
		{time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC), "99991231235959.999Z"},
		{time.Unix(1<<62, 0), "99991231235959.999Z"},
	} {
		if got := oer.AppendGeneralizedTime(nil, c.at); string(got) != c.want {
			t.Errorf("wrote %v as %q, want %q", c.at, got, c.want)
		}
	}
}

func TestGeneralizedTimeLeapSecond(t *testing.T) { // OER-43
	for _, c := range []struct{ text, want string }{
		{"20161231235960Z", "2017-01-01T00:00:00Z"},
		{"20161231235960.5Z", "2017-01-01T00:00:00.5Z"},
		{"20150630235960.999Z", "2015-07-01T00:00:00.999Z"},
	} {
		got, err := oer.ParseGeneralizedTime([]byte(c.text))
		if want := parseISO(t, c.want); err != nil || !got.Equal(want) {
			t.Errorf("read %q as %v, %v; want %v", c.text, got, err, want)
		}
	}
	for _, text := range []string{
		"20161231225960Z", "20161231235860Z", "20161231235961Z",
		"20160231235960Z", // no such day
		"99991231235960Z", // the next day is in the year 10000
	} {
		if got, err := oer.ParseGeneralizedTime([]byte(text)); !errors.Is(err, oer.ErrTimestamp) {
			t.Errorf("read %q as %v, %v", text, got, err)
		}
	}
}

func TestGeneralizedTimeFaults(t *testing.T) { // OER-44
	for _, text := range []string{
		"Z", "20260102030405", "20260102030405z", "20260102030405+0000",
		"2026010203040Z", "202601020304Z", "2026010203Z",
		"20260102030405.Z", "20260102030405,1Z", "20260102030405.1234Z", "202601020304051Z",
		"20260102030405.0Z", "20260102030405.00Z", "20260102030405.10Z", // zeros that nobody writes
		"20260102030405.1", "20260102030405.1z", "20260102030405. Z", "20260102030405.1 Z",
		"20261302030405Z", "20260132030405Z", "20260102240000Z", "20260102036000Z", "20260102030460Z",
		"20260102030405.1Zx", " 20260102030405Z", "20260102030405ZZ", "20260102030405.ZZ",
	} {
		if got, err := oer.ParseGeneralizedTime([]byte(text)); !errors.Is(err, oer.ErrTimestamp) || !got.IsZero() {
			t.Errorf("read %q as %v, %v", text, got, err)
		}
	}
}

func TestTimestampsAllocateNothing(t *testing.T) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 678e6, time.UTC)
	dst := make([]byte, 0, 64)
	wire, text, bad := []byte("20260102030405678"), []byte("20260102030405.678Z"), []byte("20261302030405678")
	for name, f := range map[string]func() error{
		"append": func() error { _, err := oer.AppendTimestamp(dst, at); return err },
		"put":    func() error { return oer.PutTimestamp(wire, at) },
		"parse":  func() error { _, err := oer.ParseTimestamp(wire); return err },
		"refuse": func() error {
			if _, err := oer.ParseTimestamp(bad); err == nil {
				return errors.New("accepted")
			}
			return nil
		},
		"append text": func() error { oer.AppendGeneralizedTime(dst, at); return nil },
		"parse text":  func() error { _, err := oer.ParseGeneralizedTime(text); return err },
	} {
		if n := testing.AllocsPerRun(100, func() {
			if err := f(); err != nil {
				t.Fatal(err)
			}
		}); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}
