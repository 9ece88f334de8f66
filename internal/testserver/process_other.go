//go:build !linux

package testserver

import (
	"errors"
	"os/exec"
)

func supported() error { return errors.New("servers for tests are started on Linux alone") }

func giveAway(string) error { return supported() }

func restrict(*exec.Cmd) {}

func startOnOwnThread(*exec.Cmd) (wait func() error, err error) { return nil, supported() }

func (p *process) pause() error { return supported() }

func (p *process) resume() error { return supported() }

func (p *process) kill() {}
