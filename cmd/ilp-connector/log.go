package main

import (
	"flag"
	"fmt"
	"log/slog"
	"strings"

	"github.com/interledger-go/connector/config"
)

// logOptions say what is logged, and how.
type logOptions struct {
	flagLevel, flagFormat string
	debug                 bool // DEBUG is set, as for the reference
	level                 slog.LevelVar
}

func logFlags(set *flag.FlagSet) *logOptions {
	o := &logOptions{}
	set.StringVar(&o.flagLevel, "log-level", "", "debug, info, warn or error, in the place of logLevel")
	set.StringVar(&o.flagFormat, "log-format", "", "text or json, in the place of logFormat")
	return o
}

// logger makes the logger, which writes to standard error.
func (o *logOptions) logger(p program, c config.Config) (*slog.Logger, error) {
	for _, variable := range p.environ {
		if pattern, ok := strings.CutPrefix(variable, "DEBUG="); ok && pattern != "" {
			o.debug = true
		}
	}
	var level slog.Level
	if o.flagLevel != "" && level.UnmarshalText([]byte(o.flagLevel)) != nil {
		return nil, fmt.Errorf("-log-level is %q: it must be debug, info, warn or error", o.flagLevel)
	}
	o.level.Set(o.levelOf(c))
	options := &slog.HandlerOptions{Level: &o.level}
	format := c.LogFormat
	if o.flagFormat != "" {
		format = o.flagFormat
	}
	switch format {
	case "text":
		return slog.New(slog.NewTextHandler(p.stderr, options)), nil
	case "json":
		return slog.New(slog.NewJSONHandler(p.stderr, options)), nil
	}
	return nil, fmt.Errorf("-log-format is %q: it must be text or json", format)
}

// levelOf is the level that the flag, DEBUG or the configuration says, in this
// order.
func (o *logOptions) levelOf(c config.Config) slog.Level {
	level := slog.LevelInfo
	switch {
	case o.flagLevel != "":
		level.UnmarshalText([]byte(o.flagLevel)) // looked at by logger
	case o.debug:
		level = slog.LevelDebug
	default:
		level.UnmarshalText([]byte(c.LogLevel)) // looked at by package config
	}
	return level
}
