package oer

import (
	"encoding/binary"
	"errors"
	"fmt"
	"time"
)

// TimestampSize is the size of a fixed-length timestamp in bytes.
const TimestampSize = 17

// ErrTimestamp is wrapped by all errors about timestamps, of both forms.
var ErrTimestamp = errors.New("oer: invalid timestamp")

var (
	errFixed = fmt.Errorf("%w: want the 17 digits YYYYMMDDHHmmSSfff of a UTC date and time that exists", ErrTimestamp)
	errText  = fmt.Errorf("%w: want YYYYMMDDHHmmSS, at most 3 digits of a fraction, and Z, of a UTC date and time that exists", ErrTimestamp)
)

const (
	secondsOfDay = 24 * 60 * 60

	// yearZero is 0000-01-01T00:00:00Z in seconds of the Unix epoch, and
	// yearsSeconds the length of the years 0000 to 9999: 25 cycles of 400
	// Gregorian years.
	yearZero     = -719528 * secondsOfDay
	yearsSeconds = 25 * daysOfCycle * secondsOfDay
	daysOfCycle  = 146097
)

// AppendTimestamp appends the fixed-length timestamp of t (OER-30), 17 digits
// YYYYMMDDHHmmSSfff in UTC, and drops what is below a millisecond (OER-34). A
// year outside 0 to 9999 is an error, and dst is returned as it was.
func AppendTimestamp(dst []byte, t time.Time) ([]byte, error) {
	var b [TimestampSize]byte
	if err := PutTimestamp(b[:], t); err != nil {
		return dst, err
	}
	return append(dst, b[:]...), nil
}

// PutTimestamp writes what AppendTimestamp appends over the first 17 bytes of
// dst, which must have as many. After an error dst is as it was.
func PutTimestamp(dst []byte, t time.Time) error {
	since := uint64(t.Unix() - yearZero)
	if since >= yearsSeconds || len(dst) < TimestampSize {
		return putError(dst, t)
	}
	days := since / secondsOfDay
	second := uint32(since - days*secondsOfDay)
	minute := second / 60
	milli := uint32(t.Nanosecond()) / 1e6
	clock := uint64(minute/60) | uint64(minute%60)<<16 | uint64(second%60)<<32 | uint64(milli/10)<<48
	dst[16] = '0' + byte(milli%10)
	binary.LittleEndian.PutUint64(dst[8:], digits(clock))
	binary.LittleEndian.PutUint64(dst, digits(civil(uint32(days))))
	return nil
}

// putError says why PutTimestamp cannot write t.
func putError(dst []byte, t time.Time) error {
	if len(dst) < TimestampSize {
		return fmt.Errorf("%w: needs %d bytes of room, not %d", ErrTimestamp, TimestampSize, len(dst))
	}
	return fmt.Errorf("%w: year %d is not within 0 to 9999", ErrTimestamp, t.UTC().Year())
}

// ParseTimestamp reads a fixed-length timestamp: exactly 17 digits that name a
// date and a time that exist (OER-36). Hour 24 (OER-32) and second 60
// (OER-35) do not. The result is in UTC. The error is always the same value
// and wraps [ErrTimestamp].
func ParseTimestamp(b []byte) (time.Time, error) {
	if len(b) != TimestampSize {
		return time.Time{}, errFixed
	}
	// Two words hold the digits in pairs: YYYYMMDD and HHmmSSff.
	date, clock, last := binary.LittleEndian.Uint64(b), binary.LittleEndian.Uint64(b[8:]), uint64(b[16]-'0')
	bad := notDigits(date) | notDigits(clock)
	date, clock = numbers(date), numbers(clock)
	bad |= above(date, 99|99<<16|12<<32|31<<48) | above(clock, 23|59<<16|59<<32|99<<48)
	century, year, month, day := date&0xff, date>>16&0xff, date>>32&0xff, date>>48
	hour, minute, second, centi := clock&0xff, clock>>16&0xff, clock>>32&0xff, clock>>48

	// The number by which it is a leap year, and how many centuries began
	// before the year.
	quadrennial, centuries := year, century+1
	if year == 0 {
		quadrennial, centuries = century, century
	}
	m := &months[month&15]
	if quadrennial%4 == 0 {
		m = &leapMonths[month&15]
	}
	if bad != 0 || last > 9 || day-1 >= uint64(m.days) { // day 0 wraps around
		return time.Time{}, errFixed
	}
	year += century * 100
	leapDays := (year+3)/4 - centuries + (centuries+3)/4 // in the years before; year 0 has one
	days := year*365 + leapDays + uint64(m.before) + day - 1
	seconds := ((days*24+hour)*60+minute)*60 + second
	return time.Unix(int64(seconds)+yearZero, int64(centi*10+last)*1e6).UTC(), nil
}

// month is the number of days in a month and in the year before it.
type month struct{ before, days uint16 }

// months and leapMonths are the months of a year by their number. Those that
// do not exist have no days.
var (
	months     = [16]month{{}, {0, 31}, {31, 28}, {59, 31}, {90, 30}, {120, 31}, {151, 30}, {181, 31}, {212, 31}, {243, 30}, {273, 31}, {304, 30}, {334, 31}}
	leapMonths = [16]month{{}, {0, 31}, {31, 29}, {60, 31}, {91, 30}, {121, 31}, {152, 30}, {182, 31}, {213, 31}, {244, 30}, {274, 31}, {305, 30}, {335, 31}}
)

// civil gives the date that is so many days, below 2^22, after 0000-01-01:
// century, year of the century, month and day in the four lanes of a word. It
// counts years from 1 March, so that a leap day comes last. Each division is a multiplication by a fraction whose quotient is in the
// upper bits of the product and whose remainder is in the lower ones, scaled;
// both are exact in the range that is needed (Neri and Schneider, "Euclidean
// affine functions and their application to calendar algorithms").
func civil(days uint32) uint64 {
	// From the 1 March before 0000-01-01, and a cycle earlier to stay positive.
	days += daysOfCycle - 60
	// A century has 36524.25 days and a year of it 365.25: in quarters of a
	// day the leap days fall where they belong.
	quarters := uint64(days)*4 + 3
	century := quarters / daysOfCycle
	quarters = (quarters - century*daysOfCycle) | 3
	const perYear = 1<<32/1461 + 1
	quarters *= perYear
	year := quarters >> 32
	dayOfYear := uint32(quarters) / perYear / 4
	// Five months from March on have 153 days, 31 30 31 30 31, so a month is
	// 30.6 days; the offset makes March month 3.
	const perDay = 2141 // 2^16 / 30.6
	scaled := dayOfYear*perDay + 197913
	month := uint64(scaled >> 16)
	day := uint64(uint16(scaled)/perDay) + 1
	if dayOfYear >= 306 { // January and February belong to the next year
		month -= 12
		year++
	}
	if year == 100 {
		century++
		year = 0
	}
	return (century - 4) | year<<16 | month<<32 | day<<48
}

// lanes times n is n in each of four 16-bit lanes. A lane holds two digits, or
// the number that they are.
const lanes = 0x0001000100010001

// digits gives the eight digits of four numbers below 100. The first lane and
// the first digit of each are the lowest.
func digits(v uint64) uint64 {
	tens := v * 103 >> 10 & (lanes * 0x0f) // 103/1024 is 1/10 below 100, rounded down
	return v<<8 - tens*(10<<8-1) + lanes*0x3030
}

// numbers is the way back, to one number in each lane.
func numbers(digits uint64) uint64 {
	digits -= lanes * 0x3030
	return (digits*10 + digits>>8) & (lanes * 0xff)
}

// notDigits is zero if all eight bytes are ASCII digits.
func notDigits(v uint64) uint64 {
	// Of the bytes 0x30 to 0x3f, adding 6 moves those above '9' out. A carry
	// comes only from a byte above 0xf9, which the first term has caught.
	const high, zero, six = lanes * 0xf0f0, lanes * 0x3030, lanes * 0x0606
	return (v&high ^ zero) | ((v+six)&high ^ zero)
}

// above is zero if no lane of v is above that of limit.
func above(v, limit uint64) uint64 {
	// The lowest lane that is above borrows from the next one, and the upper
	// bit of its difference is set. What that does to the next one no longer
	// matters.
	return (limit - v) & (lanes * 0x8000)
}

// AppendGeneralizedTime appends t as a GeneralizedTime, the text that BTP
// has for a time (OER-40): YYYYMMDDHHmmSS in UTC, the milliseconds without
// trailing zeros, and none of them if they are zero (OER-42), and a Z. A time
// outside the years 0 to 9999 becomes the nearest one within.
func AppendGeneralizedTime(dst []byte, t time.Time) []byte {
	switch seconds := t.Unix(); {
	case seconds < yearZero:
		t = time.Unix(yearZero, 0)
	case seconds >= yearZero+yearsSeconds:
		t = time.Unix(yearZero+yearsSeconds-1, 999e6)
	}
	var b [TimestampSize]byte
	_ = PutTimestamp(b[:], t) // the year is within bounds and there is room
	dst = append(dst, b[:14]...)
	end := TimestampSize
	for end > 14 && b[end-1] == '0' {
		end--
	}
	if end > 14 {
		dst = append(dst, '.')
		dst = append(dst, b[14:end]...)
	}
	return append(dst, 'Z')
}

// ParseGeneralizedTime reads the text that AppendGeneralizedTime writes, and
// also three digits of a fraction that end in zeros, since btp-packet always
// writes three (OER-45). All else is refused (OER-44). The leap second
// 23:59:60 is the first second of the next day (OER-43), the only reading that
// a time.Time has room for. The result is in UTC. The error is always the same
// value and wraps [ErrTimestamp].
func ParseGeneralizedTime(b []byte) (time.Time, error) {
	const whole = len("YYYYMMDDHHmmSS")
	if len(b) <= whole || len(b) > whole+len(".fffZ") || b[len(b)-1] != 'Z' {
		return time.Time{}, errText
	}
	fixed := [TimestampSize]byte{whole: '0', '0', '0'}
	copy(fixed[:], b[:whole])
	if fraction := b[whole : len(b)-1]; len(fraction) > 0 {
		last := fraction[len(fraction)-1]
		if fraction[0] != '.' || len(fraction) == 1 || last == '0' && len(fraction) < len(".fff") {
			return time.Time{}, errText
		}
		copy(fixed[whole:], fraction[1:])
	}
	leap := string(fixed[8:whole]) == "235960"
	if leap {
		copy(fixed[whole-2:], "59")
	}
	t, err := ParseTimestamp(fixed[:])
	if err != nil {
		return time.Time{}, errText
	}
	if leap {
		t = t.Add(time.Second)
		if t.Year() > 9999 {
			return time.Time{}, errText
		}
	}
	return t, nil
}
