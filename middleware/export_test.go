package middleware

import (
	"math/big"
	"time"
)

// Bucket is the bucket of RateLimit.
type Bucket = bucket

// NewBucket makes a Bucket.
var NewBucket = newBucket

// Take is take.
func (b *bucket) Take(n uint64, now time.Time) bool { return b.take(n, now) }

// Level is how many tokens there are, the begun one included.
func (b *bucket) Level() *big.Rat {
	b.mu.Lock()
	defer b.mu.Unlock()
	part := new(big.Rat).SetFrac(new(big.Int).SetUint64(b.part), new(big.Int).SetUint64(b.period))
	return part.Add(part, new(big.Rat).SetInt(new(big.Int).SetUint64(b.tokens)))
}

// CodeIndex tells which counter a code has; OtherCode is that of codes without
// a name.
var CodeIndex = codeIndex

// OtherCode is the place of the codes that no RFC names.
const OtherCode = otherCode

// Entries gives how many entries the table of a Deduplicate stage has made.
func Entries(s Stage) int { return int(s.(*deduplicateStage).recent.made) }
