package ilphttp

import (
	"bytes"
	"net/http"
)

// head is the head of a request that is as the clients of this protocol send
// it. Its slices are of the bytes that it was read from.
type head struct {
	path          []byte
	authorization []byte // empty: none
	length        int    // of the body
	size          int    // of the head
}

// verdict says what a number of bytes is.
type verdict int

const (
	headShort verdict = iota // the beginning of a head
	headPlain                // with a plain head
	headOther                // for net/http to make something of, or to refuse
)

// maxBodyDigits is how many digits a plain Content-Length has at most.
const maxBodyDigits = 7

var (
	crlf     = []byte("\r\n")
	headEnd  = []byte("\r\n\r\n")
	method   = []byte(http.MethodPost + " ")
	protocol = []byte(" HTTP/1.1")
)

// parse reads the head of a request, if it is plain: a POST of HTTP/1.1, each
// line ended by CRLF, with one Host and one Content-Length, the type of
// packets, no header twice, and no header but those that say nothing about
// where the request ends or what is to become of it. Two programs that read
// such a request agree on it. All else is headOther, also what is wrong.
func (h *head) parse(b []byte) verdict {
	*h = head{}
	end := bytes.Index(b, headEnd)
	if end < 0 {
		if len(b) >= len(method) && !bytes.HasPrefix(b, method) || hasBareLF(b) {
			return headOther
		}
		return headShort
	}
	h.size = end + len(headEnd)
	line, rest, _ := bytes.Cut(b[:end+len(crlf)], crlf)
	if !bytes.HasPrefix(line, method) || !bytes.HasSuffix(line, protocol) || len(line) < len(method)+len(protocol) {
		return headOther
	}
	h.path = line[len(method) : len(line)-len(protocol)]
	if len(h.path) == 0 || h.path[0] != '/' || !all(h.path, isPathByte) {
		return headOther
	}
	var seen header
	for len(rest) > 0 {
		if line, rest, _ = bytes.Cut(rest, crlf); !h.parseLine(line, &seen) {
			return headOther
		}
	}
	if seen&headerHost == 0 || seen&headerLength == 0 || seen&headerType == 0 {
		return headOther
	}
	return headPlain
}

// hasBareLF reports whether a line ends with LF alone. To net/http it is one,
// and the head may end there: no CRLF has to follow.
func hasBareLF(b []byte) bool {
	for at := 0; ; {
		i := bytes.IndexByte(b[at:], '\n')
		if i < 0 {
			return false
		}
		if at += i; at == 0 || b[at-1] != '\r' {
			return true
		}
		at++
	}
}

// header is a set of headers.
type header int

const (
	headerHost header = 1 << iota
	headerLength
	headerType
	headerAuthorization
	headerConnection
)

// parseLine reads a line of a plain head, and reports whether it is one.
func (h *head) parseLine(line []byte, seen *header) bool {
	colon := bytes.IndexByte(line, ':')
	if colon <= 0 {
		return false
	}
	name, value := line[:colon], bytes.Trim(line[colon+1:], " \t")
	if !all(value, isValueByte) {
		return false
	}
	var which header
	ok := true
	switch {
	case is(name, "host"):
		which, ok = headerHost, len(value) > 0 && all(value, isHostByte)
	case is(name, "content-length"):
		which = headerLength
		h.length, ok = decimal(value)
	case is(name, "content-type"):
		which, ok = headerType, isPacketType(value)
	case is(name, "authorization"):
		which, h.authorization, ok = headerAuthorization, value, len(value) > 0
	case is(name, "connection"):
		which, ok = headerConnection, is(value, "keep-alive")
	default:
		return isIdle(name)
	}
	twice := *seen&which != 0
	*seen |= which
	return ok && !twice
}

// idleHeaders are those that clients send and no Server looks at.
var idleHeaders = []string{"user-agent", "accept", "accept-encoding", "ilp-peer-name", "date", "x-forwarded-for", "x-forwarded-proto"}

func isIdle(name []byte) bool {
	for _, idle := range idleHeaders {
		if is(name, idle) {
			return true
		}
	}
	return false
}

// is compares with a text in lower case, as headers are compared.
func is(b []byte, lower string) bool {
	if len(b) != len(lower) {
		return false
	}
	for i, c := range b {
		if 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		if c != lower[i] {
			return false
		}
	}
	return true
}

func isPacketType(value []byte) bool {
	value, _, _ = bytes.Cut(value, []byte(";"))
	value = bytes.TrimRight(value, " \t")
	return is(value, mediaType) || is(value, oldMediaType)
}

// decimal reads a number that is not long.
func decimal(b []byte) (n int, ok bool) {
	if len(b) == 0 || len(b) > maxBodyDigits {
		return 0, false
	}
	for _, c := range b {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = n*10 + int(c-'0')
	}
	return n, true
}

func all(b []byte, holds func(byte) bool) bool {
	for _, c := range b {
		if !holds(c) {
			return false
		}
	}
	return true
}

// isPathByte leaves out the query, the fragment and everything encoded: what
// stands for itself, and for nothing else.
func isPathByte(c byte) bool {
	return isHostByte(c) && c != '[' && c != ']' || c == '/' || c == '~'
}

func isHostByte(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '.' || c == ':' || c == '-' || c == '_' || c == '[' || c == ']'
}

// isNameByte leaves out what headers of this world do not have, though they
// might.
func isNameByte(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '-' || c == '_'
}

// isValueByte leaves out what ends a line somewhere, and what is not ASCII.
func isValueByte(c byte) bool { return ' ' <= c && c <= '~' || c == '\t' }
