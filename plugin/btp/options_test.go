package btp_test

import "github.com/interledger-go/connector/plugin/btp"

var serverOptions = btp.ServerOptions{}
