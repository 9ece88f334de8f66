package ratefeed_test

import (
	"errors"
	"reflect"
	"testing"
	"testing/synctest"
	"time"

	"github.com/interledger-go/connector/internal/ratefeed"
)

// atMost is longer than the time between two fetches, and shorter than two.
const atMost = 70 * time.Second

const doubted = "has jumped and is not confirmed"

func TestRateWithinTheBandIsTaken(t *testing.T) {
	for _, test := range []struct {
		band, price string
		taken       bool
	}{
		{"", "0.99", true},
		{"", "0.990001", false},
		{"", "0.82", true},
		{"", "0.8181", false}, // below ten elevenths
		{"0.5", "1.35", true},
		{"0.5", "1.36", false},
		{"0.5", "0.6", true},
		{"0.5", "0.59", false},
		{"1/9", "1", true},
		{"1e9", "900", true},
	} {
		synctest.Test(t, func(t *testing.T) {
			s := euros()
			r := run(t, ratefeed.Feed{Name: "s", Fetch: s.fetch, Band: test.band})
			s.price("USD", test.price)
			r.pass(atMost)
			if test.taken {
				r.want("USD", "EUR", test.price)
			} else {
				r.want("USD", "EUR", doubted)
			}
			r.want("JPY", "EUR", "0.006") // others are not concerned
		})
	}
}

func TestJumpThatWasAMistake(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := euros()
		r := run(t, ratefeed.Feed{Name: "s", Fetch: s.fetch})
		s.price("USD", "90")
		r.pass(atMost)
		r.want("USD", "EUR", doubted)
		if s := r.b.Feeds()[0]; s.RejectedJumps != 1 || !reflect.DeepEqual(s.Doubtful, []string{"USD"}) || s.Currencies != 1 {
			t.Errorf("%+v", s)
		}
		s.price("USD", "0.91")
		r.pass(atMost)
		r.want("USD", "EUR", "0.91")
		r.logged("a rate has jumped:", 1)
		r.logged("the doubt about a rate is over", 1)
		if s := r.b.Feeds()[0]; s.RejectedJumps != 1 || s.Doubtful != nil || s.Currencies != 2 {
			t.Errorf("%+v", s)
		}
	})
}

func TestJumpThatIsRepeated(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := euros()
		r := run(t, ratefeed.Feed{Name: "s", Fetch: s.fetch, Confirmations: 3})
		for _, price := range []string{"1.8", "1.85", "1.75"} { // near one another
			s.price("USD", price)
			r.next(s)
			r.want("USD", "EUR", doubted)
		}
		s.price("USD", "1.8")
		r.next(s)
		r.want("USD", "EUR", "1.8")
		r.logged("a rate has jumped:", 1)
		r.logged("by=repeated", 1)
	})
}

// A source that jumps about confirms nothing.
func TestJumpsThatContradictEachOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := euros()
		r := run(t, ratefeed.Feed{Name: "s", Fetch: s.fetch, MaxAge: time.Hour})
		for i := range 10 {
			s.price("USD", []string{"1.8", "18"}[i%2])
			r.next(s)
			r.want("USD", "EUR", doubted)
		}
		if s := r.b.Feeds()[0]; s.RejectedJumps != 10 {
			t.Errorf("%d jumps; want 10", s.RejectedJumps)
		}
		r.logged("a rate has jumped:", 1)
	})
}

// The same table fetched again is one opinion.
func TestJumpInADatedTable(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := euros()
		s.time = time.Now()
		r := run(t, ratefeed.Feed{Name: "s", Fetch: s.fetch, Refresh: time.Hour, MaxAge: 132 * time.Hour})
		publish := func(price string) {
			s.set(func(s *source) { s.time, s.prices["USD"] = time.Now(), price })
			r.pass(24 * time.Hour)
		}
		publish("1.8")
		r.want("USD", "EUR", doubted)
		if n := s.count(); n > 30 {
			t.Errorf("asked %d times in a day", n)
		}
		publish("1.8")
		r.want("USD", "EUR", doubted)
		publish("1.82")
		r.want("USD", "EUR", "1.82")
	})
}

func TestJumpThatAnOperatorConfirms(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := euros()
		s.time = time.Now()
		r := run(t, ratefeed.Feed{Name: "s", Fetch: s.fetch, MaxAge: time.Hour})
		if err := r.b.Confirm("USD"); err == nil {
			t.Error("there was nothing to confirm")
		}
		r.pass(time.Minute)
		s.set(func(s *source) { s.time, s.prices["USD"] = time.Now(), "1.8" })
		r.pass(atMost)
		r.want("USD", "EUR", doubted)
		if err := r.b.Confirm("XXX"); err == nil {
			t.Error("nobody knows XXX")
		}
		if err := r.b.Confirm("USD"); err != nil {
			t.Error(err)
		}
		r.want("USD", "EUR", "1.8")
		r.logged("by=operator", 1)
		r.pass(time.Hour - time.Minute) // its age counts from its table
		r.want("USD", "EUR", "too old")
	})
}

// The doubt is over when the old rate is too old to be held against the new.
func TestJumpThatOutlivesTheOldRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := euros()
		r := run(t, ratefeed.Feed{Name: "s", Fetch: s.fetch, Confirmations: 1000})
		s.price("USD", "1.8")
		r.pass(4 * time.Minute)
		r.want("USD", "EUR", doubted)
		r.pass(2*time.Minute + 30*time.Second)
		r.want("USD", "EUR", "1.8")
	})
}

// A feed in doubt is asked again within about a minute.
func TestFeedInDoubtIsAskedSooner(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := euros()
		r := run(t, ratefeed.Feed{Name: "s", Fetch: s.fetch, Refresh: time.Hour, MaxAge: 10 * time.Hour})
		s.price("USD", "1.8")
		for s.count() < 2 {
			r.pass(time.Minute)
		}
		r.want("USD", "EUR", doubted)
		r.pass(3 * time.Minute)
		r.want("USD", "EUR", "1.8")
		asked := s.count()
		r.pass(30 * time.Minute)
		if s.count() != asked {
			t.Errorf("asked %d times more although the doubt is over", s.count()-asked)
		}
	})
}

func TestMerging(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := euros()
		dollars := &source{base: "USD", prices: map[string]string{"XRP": "0.5", "JPY": "77", "EUR": "88"}}
		r := run(t, ratefeed.Feed{Name: "s", Fetch: s.fetch, MaxAge: 20 * time.Minute}, ratefeed.Feed{Name: "d", Fetch: dollars.fetch})
		r.want("XRP", "USD", "0.5")
		r.want("XRP", "EUR", "0.45")
		r.want("XRP", "JPY", "75")
		r.want("JPY", "EUR", "0.006") // the first feed's

		dollars.fail(errors.New("gone"))
		r.pass(7 * time.Minute)
		r.want("XRP", "EUR", "the last rate of d is of")
		r.want("USD", "EUR", "0.9")
		dollars.fail(nil)
		r.pass(2 * time.Minute)
		r.want("XRP", "EUR", "0.45")

		s.price("USD", "9") // and in doubt so is everything in dollars
		r.pass(atMost)
		r.want("XRP", "EUR", "the rate of d is in USD, which has none")
		r.want("XRP", "USD", "currency=XRP")
		s.price("USD", "0.9")
		r.pass(atMost)
		r.want("XRP", "EUR", "0.45")

		s.fail(errors.New("gone"))
		r.pass(21 * time.Minute)
		r.want("USD", "EUR", "the last rate of s is of")
		r.want("XRP", "EUR", "in USD, which has none")
	})
}

// A second feed in the base of the first does not wait for the first.
func TestSecondFeedAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		first, second := euros(), &source{base: "EUR", prices: map[string]string{"XRP": "0.45"}}
		first.fail(errors.New("down"))
		r := run(t, ratefeed.Feed{Name: "first", Base: "EUR", Fetch: first.fetch}, ratefeed.Feed{Name: "second", Fetch: second.fetch})
		r.want("XRP", "EUR", "0.45")
		r.want("XRP", "USD", "no rates of first have been fetched yet")
		if feeds := r.b.Feeds(); len(feeds) != 2 || feeds[0].Name != "first" || feeds[0].Err == nil || feeds[1].Name != "second" || feeds[1].Err != nil {
			t.Errorf("%+v", feeds)
		}
	})
}

func TestNewRefuses(t *testing.T) {
	good := ratefeed.Feed{Name: "s", Fetch: euros().fetch, Refresh: time.Minute, MaxAge: time.Hour}
	for name, change := range map[string]func(*ratefeed.Options){
		"spread 1":         func(o *ratefeed.Options) { o.Spread = "1" },
		"refresh -1s":      func(o *ratefeed.Options) { o.Feeds[0].Refresh = -time.Second },
		"refresh 0s":       func(o *ratefeed.Options) { o.Feeds[0].Refresh = 0 },
		"greatest age 1m":  func(o *ratefeed.Options) { o.Feeds[0].MaxAge = time.Minute },
		"band \"0\"":       func(o *ratefeed.Options) { o.Feeds[0].Band = "0" },
		"band \"-1\"":      func(o *ratefeed.Options) { o.Feeds[0].Band = "-1" },
		"-1 confirmations": func(o *ratefeed.Options) { o.Feeds[0].Confirmations = -1 },
	} {
		_ = name
		opts := ratefeed.Options{Name: "test", Feeds: []ratefeed.Feed{good}}
		change(&opts)
		if b, err := ratefeed.New(opts); err == nil || b != nil {
			t.Errorf("%s: %v, %v", name, b, err)
		}
	}
}
