package inproc_test

import (
	"testing"

	"github.com/interledger-go/connector/plugin"
	"github.com/interledger-go/connector/plugin/inproc"
	"github.com/interledger-go/connector/plugin/plugintest"
)

var options = plugintest.Options{
	New: func(testing.TB) (first, second plugin.Plugin, stop func()) {
		a, b := inproc.Pipe()
		return a, b, nil
	},
	Symmetric: true,
	Money:     true,
}

func TestConformance(t *testing.T) {
	plugintest.Run(t, options)
}

func TestConformanceInBubble(t *testing.T) {
	inBubble := options
	inBubble.Bubble = true
	plugintest.Run(t, inBubble)
}

func BenchmarkPipe(b *testing.B) { plugintest.Bench(b, options) }
