package telemetry

import (
	"math"
	"math/big"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/interledger-go/connector/histogram"
)

// samples are the figures of one scrape. Those with the same labels are added
// up, so that none is shown twice, which would spoil the scrape.
type samples struct {
	values map[sampleKey]*sample
	order  []*sample
}

type sampleKey struct {
	metric *metric
	labels string
}

type sample struct {
	metric *metric
	labels []string
	value  float64
	counts histogram.Snapshot
}

func newSamples() *samples { return &samples{values: make(map[sampleKey]*sample)} }

func (s *samples) at(m *metric, labels []string) *sample {
	key := sampleKey{m, strings.Join(labels, "\xff")} // which is not in valid UTF-8
	v := s.values[key]
	if v == nil {
		v = &sample{metric: m, labels: labels}
		s.values[key] = v
		s.order = append(s.order, v)
	}
	return v
}

func (s *samples) add(m *metric, value float64, labels ...string) { s.at(m, labels).value += value }

// largest keeps the largest of the values.
func (s *samples) largest(m *metric, value float64, labels ...string) {
	v := s.at(m, labels)
	v.value = max(v.value, value)
}

func (s *samples) addHistogram(m *metric, counts histogram.Snapshot, labels ...string) {
	s.at(m, labels).counts.Add(counts)
}

func (s *samples) send(to chan<- prometheus.Metric) {
	for _, v := range s.order {
		to <- v.export()
	}
}

func (v *sample) export() prometheus.Metric {
	switch v.metric.kind {
	case counter:
		return prometheus.MustNewConstMetric(v.metric.desc, prometheus.CounterValue, v.value, v.labels...)
	case gauge:
		return prometheus.MustNewConstMetric(v.metric.desc, prometheus.GaugeValue, v.value, v.labels...)
	case durations:
		// Nothing takes less than a microsecond or is worth knowing below it.
		return v.histogram(uint64(time.Microsecond), math.MaxUint64, float64(time.Second))
	default:
		return v.histogram(1, 1e6, 1)
	}
}

// histogram shows the buckets whose bounds are from least to most, in units of
// unit.
func (v *sample) histogram(least, most uint64, unit float64) prometheus.Metric {
	buckets := make(map[float64]uint64)
	var count uint64
	for i, n := range v.counts.Counts {
		count += n
		bound := histogram.Bound(i)
		if bound >= least && bound <= most && i < histogram.Buckets-1 {
			buckets[float64(bound)/unit] = count
		}
	}
	return prometheus.MustNewConstHistogram(v.metric.desc, count, float64(v.counts.Sum)/unit, buckets, v.labels...)
}

// float is for showing alone: money is never counted with it.
func float(n *big.Int) float64 {
	f, _ := new(big.Float).SetInt(n).Float64()
	return f
}
