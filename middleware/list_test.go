package middleware_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/interledger-go/connector/middleware"
)

func names(list []middleware.Middleware) []string {
	var all []string
	for _, m := range list {
		all = append(all, m.Name())
	}
	return all
}

func wantNames(t *testing.T, list []middleware.Middleware, want ...string) {
	t.Helper()
	if got := names(list); !slices.Equal(got, want) {
		t.Errorf("the list is %v, want %v", got, want)
	}
}

func abc() []middleware.Middleware {
	return []middleware.Middleware{custom{name: "a"}, custom{name: "b"}, custom{name: "c"}}
}

// The order of the reference.
func TestStandardOrder(t *testing.T) {
	list := middleware.Standard()
	wantNames(t, list, "errorHandler", "rateLimit", "maxPacketAmount", "throughput", "balance", "deduplicate", "echo", "expire", "validateFulfillment", "stats", "alert")
	if err := middleware.Validate(list); err != nil {
		t.Error(err)
	}
	first, _ := middleware.Find[*middleware.Stats](list)
	second, _ := middleware.Find[*middleware.Stats](middleware.Standard())
	if first == second {
		t.Error("two lists share their Stats")
	}
}

func TestInsert(t *testing.T) {
	x, y := custom{name: "x"}, custom{name: "y"}
	for _, c := range []struct {
		name   string
		insert func(list []middleware.Middleware, name string, m ...middleware.Middleware) ([]middleware.Middleware, error)
		at     string
		want   []string
	}{
		{"before the first", middleware.InsertBefore, "a", []string{"x", "y", "a", "b", "c"}},
		{"before the last", middleware.InsertBefore, "c", []string{"a", "b", "x", "y", "c"}},
		{"after the first", middleware.InsertAfter, "a", []string{"a", "x", "y", "b", "c"}},
		{"after the last", middleware.InsertAfter, "c", []string{"a", "b", "c", "x", "y"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			list := append(make([]middleware.Middleware, 0, 8), abc()...) // with room for more
			got, err := c.insert(list, c.at, x, y)
			if err != nil {
				t.Fatal(err)
			}
			wantNames(t, got, c.want...)
			wantNames(t, list, "a", "b", "c")
			if list[:4][3] != nil {
				t.Error("the room behind the given list was written to")
			}
		})
	}
}

func TestWithout(t *testing.T) {
	list := abc()
	got, err := middleware.Without(list, "c", "a")
	if err != nil {
		t.Fatal(err)
	}
	wantNames(t, got, "b")
	wantNames(t, list, "a", "b", "c")
	if got, err = middleware.Without(list); err != nil || len(got) != 3 {
		t.Errorf("without nothing the list is %v, %v", names(got), err)
	}
}

// A name that is not there is an error, which says which ones are.
func TestListNamesUnknownEntry(t *testing.T) {
	for name, f := range map[string]func(list []middleware.Middleware) ([]middleware.Middleware, error){
		"InsertBefore": func(l []middleware.Middleware) ([]middleware.Middleware, error) {
			return middleware.InsertBefore(l, "z")
		},
		"InsertAfter": func(l []middleware.Middleware) ([]middleware.Middleware, error) {
			return middleware.InsertAfter(l, "z")
		},
		"Without": func(l []middleware.Middleware) ([]middleware.Middleware, error) {
			return middleware.Without(l, "a", "z")
		},
		"Without, twice": func(l []middleware.Middleware) ([]middleware.Middleware, error) {
			return middleware.Without(l, "z", "z")
		},
	} {
		t.Run(name, func(t *testing.T) {
			// A nil entry is Validate's to refuse, and no reason to panic here.
			got, err := f(append(abc(), nil))
			if err == nil || got != nil {
				t.Fatalf("got %v, %v, want an error", got, err)
			}
			if !strings.Contains(err.Error(), `"z"`) || !strings.Contains(err.Error(), "b, c") {
				t.Errorf("the error is %q, want it to name the entry and those that there are", err)
			}
		})
	}
}

func TestWithoutTakesEachEntryOnce(t *testing.T) {
	if got, err := middleware.Without(abc(), "a", "a"); err == nil {
		t.Errorf("a list without its only a, twice, is %v, want an error", names(got))
	}
}

func TestFind(t *testing.T) {
	stats := middleware.NewStats()
	list := append(abc(), nil, stats, middleware.NewStats())
	if got, ok := middleware.Find[*middleware.Stats](list); !ok || got != stats {
		t.Errorf("Find = %v, %v, want the first Stats", got, ok)
	}
	if got, ok := middleware.Find[*middleware.Stats](abc()); ok || got != nil {
		t.Errorf("Find = %v, %v in a list that has none", got, ok)
	}
	if got, ok := middleware.Find[custom](list); !ok || got.name != "a" {
		t.Errorf("Find = %v, %v, want a", got, ok)
	}
}

func TestValidate(t *testing.T) {
	for _, c := range []struct {
		name string
		list []middleware.Middleware
		want []string // parts of the error; none: no error
	}{
		{"nil", nil, nil},
		{"good", abc(), nil},
		{"a nil entry", append(abc(), nil), []string{"entry 3 is nil"}},
		{"a name twice", append(abc(), custom{name: "b"}), []string{`"b"`, "names must differ"}},
		{"all at once", append(abc(), nil, custom{name: "a"}, nil), []string{"entry 3 is nil", `"a"`, "entry 5 is nil"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			err := middleware.Validate(c.list)
			if (err != nil) != (c.want != nil) {
				t.Fatalf("Validate = %v, want an error: %v", err, c.want != nil)
			}
			for _, part := range c.want {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("the error %q does not say %q", err, part)
				}
			}
		})
	}
}
