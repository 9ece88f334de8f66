package telemetry_test

import (
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/interledger-go/connector"
	"github.com/interledger-go/connector/internal/testenv"
	"github.com/interledger-go/connector/telemetry"
)

// described are the labels of all metrics, by name, as Prometheus has them: a
// histogram is three.
func described(t *testing.T) map[string][]string {
	t.Helper()
	collector, err := telemetry.NewCollector(telemetry.Options{Connector: newWorld(t, observed()).c})
	if err != nil {
		t.Fatal(err)
	}
	descs := make(chan *prometheus.Desc)
	go func() {
		defer close(descs)
		collector.Describe(descs)
	}()
	form := regexp.MustCompile(`fqName: "([^"]+)".*variableLabels: \{([^}]*)\}`)
	all := make(map[string][]string)
	for d := range descs {
		match := form.FindStringSubmatch(d.String())
		if match == nil {
			t.Fatalf("a description reads %s", d)
		}
		labels := append(strings.FieldsFunc(match[2], func(r rune) bool { return r == ',' }), "instance", "job")
		name := match[1]
		all[name] = labels
		if strings.HasSuffix(name, "_duration_seconds") || strings.HasPrefix(name, "ilp_connector_ledger_commit_") {
			all[name+"_bucket"] = append(slices.Clone(labels), "le")
			all[name+"_sum"], all[name+"_count"] = labels, labels
		}
	}
	return all
}

var (
	selectorForm = regexp.MustCompile(`\bilp_connector_[a-z0-9_]+(\{[^}]*\})?`)
	matcherForm  = regexp.MustCompile(`([a-z_]+)\s*(=~|!~|!=|=)\s*"`)
	groupForm    = regexp.MustCompile(`\b(?:by|on|without|ignoring)\s*\(([^)]*)\)`)
	legendForm   = regexp.MustCompile(`\{\{\s*(?:\$labels\.)?([a-z_]+)\s*\}\}`)
)

// checkQuery fails the test if a query, or the text beside it, names a metric
// or a label that there is not.
func checkQuery(t *testing.T, all map[string][]string, where, query string, texts ...string) {
	t.Helper()
	var labels []string
	selectors := selectorForm.FindAllString(query, -1)
	if len(selectors) == 0 {
		t.Errorf("%s: %q has no metric of ours", where, query)
	}
	for _, selector := range selectors {
		name, matchers, _ := strings.Cut(selector, "{")
		has, ok := all[name]
		if !ok {
			t.Errorf("%s: there is no metric %s", where, name)
			continue
		}
		labels = append(labels, has...)
		for _, m := range matcherForm.FindAllStringSubmatch(matchers, -1) {
			if !slices.Contains(has, m[1]) {
				t.Errorf("%s: %s has no label %s", where, name, m[1])
			}
		}
	}
	var named []string
	for _, group := range groupForm.FindAllStringSubmatch(query, -1) {
		named = append(named, strings.FieldsFunc(group[1], func(r rune) bool { return r == ',' || r == ' ' })...)
	}
	for _, text := range texts {
		for _, m := range legendForm.FindAllStringSubmatch(text, -1) {
			named = append(named, m[1])
		}
	}
	for _, label := range named {
		if !slices.Contains(labels, label) {
			t.Errorf("%s: none of the metrics has the label %s", where, label)
		}
	}
}

// The alert rules name metrics and labels that there are.
func TestAlertRulesFitTheMetrics(t *testing.T) {
	rules, err := os.ReadFile("../contrib/prometheus/alerts.yml")
	if err != nil {
		t.Fatal(err)
	}
	all := described(t)
	checked := 0
	for rule := range strings.SplitSeq(string(rules), "- alert: ") {
		name, body, _ := strings.Cut(rule, "\n")
		_, expr, ok := strings.Cut(body, "expr: ")
		if !ok {
			continue
		}
		expr, rest, _ := strings.Cut(expr, "\n")
		checkQuery(t, all, "alert "+name, expr, rest)
		checked++
	}
	if n := strings.Count(string(rules), "- alert:"); checked != n || n < 10 {
		t.Errorf("checked %d of %d rules", checked, n)
	}
}

// The dashboard names metrics and labels that there are.
func TestDashboardFitsTheMetrics(t *testing.T) {
	file, err := os.ReadFile("../contrib/grafana/connector.json")
	if err != nil {
		t.Fatal(err)
	}
	var dashboard struct {
		Panels []struct {
			Title   string
			Targets []struct{ Expr, LegendFormat string }
		}
		Templating struct {
			List []struct{ Name, Query string }
		}
	}
	if err := json.Unmarshal(file, &dashboard); err != nil {
		t.Fatal(err)
	}
	all := described(t)
	checked := 0
	for _, panel := range dashboard.Panels {
		for _, target := range panel.Targets {
			checkQuery(t, all, "panel "+panel.Title, target.Expr, target.LegendFormat)
			checked++
		}
	}
	for _, variable := range dashboard.Templating.List {
		if strings.Contains(variable.Query, "label_values") {
			query, label, _ := strings.Cut(strings.TrimSuffix(variable.Query, ")"), ", ")
			checkQuery(t, all, "variable "+variable.Name, query, "{{"+label+"}}")
		}
	}
	if checked < 20 {
		t.Errorf("only %d queries were found", checked)
	}
}

// The check itself finds what does not fit.
func TestQueryCheckFinds(t *testing.T) {
	all := described(t)
	if len(all) < 40 {
		t.Fatalf("only %v are described", slices.Sorted(maps.Keys(all)))
	}
	for name, labels := range all {
		if len(labels) < 2 {
			t.Errorf("%s has the labels %v", name, labels)
		}
	}
	if !slices.Contains(all["ilp_connector_packet_duration_seconds_bucket"], "le") || !slices.Contains(all["ilp_connector_balance"], "scale") {
		t.Error("labels are read wrongly")
	}
}

// Prometheus itself takes the rules, and what a connector writes for it.
func TestPromtool(t *testing.T) {
	promtool := testenv.NeedCommand(t, "promtool", "apt-get install prometheus")
	if out, err := exec.Command(promtool, "check", "rules", "../contrib/prometheus/alerts.yml").CombinedOutput(); err != nil {
		t.Errorf("the alert rules: %v\n%s", err, out)
	}
	if out, err := exec.Command(promtool, "test", "rules", "testdata/alerts_test.yml").CombinedOutput(); err != nil {
		t.Errorf("when alerts are raised: %v\n%s", err, out)
	}
	w := newWorld(t, observed())
	for _, id := range []string{"a", "b"} {
		w.add(connector.Account{ID: id, Relation: connector.Child})
	}
	w.run()
	w.send(t.Context(), "a", 10, "test.connie.b")
	recorder := httptest.NewRecorder()
	promhttp.HandlerFor(w.registry(telemetry.Options{}), promhttp.HandlerOpts{}).ServeHTTP(recorder, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	check := exec.Command(promtool, "check", "metrics")
	check.Stdin = recorder.Body
	out, err := check.CombinedOutput()
	// The reference's names are what they are.
	references := regexp.MustCompile(`^ilp_connector_(incoming|outgoing|rate_limited)_(ilp_packets|ilp_packet_value|money) counter metrics should have "_total" suffix$`)
	for line := range strings.Lines(string(out)) {
		if line = strings.TrimSpace(line); line != "" && !references.MatchString(line) {
			t.Error(line)
		}
	}
	if _, ok := errors.AsType[*exec.ExitError](err); err != nil && !ok {
		t.Error(err)
	}
}
