package redisstore_test

import (
	"context"
	"log"

	"github.com/redis/rueidis"

	"github.com/interledger-go/connector/store"
	"github.com/interledger-go/connector/store/redisstore"
)

func Example() {
	ctx := context.Background()
	client, err := rueidis.NewClient(rueidis.ClientOption{InitAddress: []string{"127.0.0.1:6379"}})
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()
	s, err := redisstore.Open(ctx, client, redisstore.Options{})
	if err != nil {
		log.Fatal(err) // It says which setting may lose writes, for example.
	}
	defer func() { _ = s.Close() }()

	var b store.Batch
	b.Put("account/alice", []byte("-500"))
	if err := s.Write(ctx, &b); err != nil {
		log.Fatal(err)
	}
}
