package main

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/interledger-go/connector/ilp"
	"github.com/interledger-go/connector/plugin"
	"github.com/interledger-go/connector/plugin/ilphttp"
)

// serving are the options of the side that fulfils.
type serving struct {
	Token  string `json:"token"`
	Secure bool   `json:"secure"`
	Data   int    `json:"data"`
}

// load are the options of the side that sends.
type load struct {
	URL         string  `json:"url"`
	Token       string  `json:"token"`
	Certificate []byte  `json:"certificate,omitempty"` // of the server, where it has TLS
	Window      int     `json:"window"`
	Seconds     float64 `json:"seconds"`
	Data        int     `json:"data"`
}

// result is what the side that sends writes.
type result struct {
	Packets int     `json:"packets"`
	Seconds float64 `json:"seconds"`
	CPU     int64   `json:"cpu"` // microseconds

	server, client time.Duration // CPU for a packet
}

var fulfillment = ilp.Fulfillment{7, 7, 7}

// serve fulfils all packets. It writes its port as a line, and that of its
// certificate if it has one, and answers each line of its input with the
// microseconds of processor time it has taken.
func serve(in io.Reader, out io.Writer, options string) error {
	var o serving
	if err := json.Unmarshal([]byte(options), &o); err != nil {
		return err
	}
	srv := ilphttp.NewServer(ilphttp.ServerOptions{})
	link, err := srv.Account(ilphttp.AccountOptions{Incoming: ilphttp.Credentials{Tokens: []string{o.Token}}})
	if err != nil {
		return err
	}
	reply := &ilp.Fulfill{Fulfillment: fulfillment}
	if err := link.Open(context.Background(), plugin.HandlerFunc(func(context.Context, *ilp.Prepare) ilp.Reply { return reply })); err != nil {
		return err
	}
	defer link.Close()
	web := httptest.NewUnstartedServer(srv)
	web.Config = ilphttp.NewHTTPServer(srv)
	web.Listener = ilphttp.NewListener(web.Listener, web.Config, func(string) (*ilphttp.Server, string) { return srv, "" })
	if web.EnableHTTP2 = o.Secure; o.Secure {
		web.StartTLS()
	} else {
		web.Start()
	}
	defer web.Close()
	fmt.Fprintln(out, web.Listener.Addr().(*net.TCPAddr).Port)
	if o.Secure {
		if err := json.NewEncoder(out).Encode(web.Certificate().Raw); err != nil {
			return err
		}
	}
	for lines := bufio.NewScanner(in); lines.Scan(); {
		fmt.Fprintln(out, cpu())
	}
	return nil
}

func cpu() int64 {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return (u.Utime.Nano() + u.Stime.Nano()) / 1000
}

// send keeps a window of packets in flight and writes a result.
func send(out io.Writer, options string) error {
	var o load
	if err := json.Unmarshal([]byte(options), &o); err != nil {
		return err
	}
	client := ilphttp.ClientOptions{URL: o.URL, Token: o.Token}
	if o.Certificate != nil {
		certificate, err := x509.ParseCertificate(o.Certificate)
		if err != nil {
			return err
		}
		client.TLS = &tls.Config{RootCAs: x509.NewCertPool()}
		client.TLS.RootCAs.AddCert(certificate)
	}
	link := ilphttp.NewClient(client)
	if err := link.Open(context.Background(), plugin.HandlerFunc(nil)); err != nil {
		return err
	}
	defer link.Close()
	length := time.Duration(o.Seconds * float64(time.Second))
	if _, err := run(link, o, length/5); err != nil { // warm up
		return err
	}
	r, err := run(link, o, length)
	if err != nil {
		return err
	}
	return json.NewEncoder(out).Encode(r)
}

func run(link plugin.Plugin, o load, length time.Duration) (result, error) {
	s := &sending{link: link, start: time.Now(), length: length, prepare: ilp.Prepare{
		Amount: 1_000_000, Condition: fulfillment.Condition(),
		Destination: ilp.MustParseAddress("test.load.sink.wallet"), Data: make([]byte, o.Data),
	}}
	s.prepare.ExpiresAt = s.start.Add(length + 30*time.Second)
	before := cpu()
	s.slots.Add(o.Window)
	for range o.Window {
		s.send()
	}
	s.slots.Wait()
	r := result{Packets: int(s.packets.Load()), Seconds: time.Since(s.start).Seconds(), CPU: cpu() - before}
	if n := s.failed.Load(); n > 0 {
		return r, fmt.Errorf("%d packets of %d were not fulfilled", n, r.Packets)
	}
	return r, nil
}

// sending is one run. The next packet of a slot is sent when the former one is
// answered.
type sending struct {
	link            plugin.Plugin
	prepare         ilp.Prepare
	start           time.Time
	length          time.Duration
	slots           sync.WaitGroup
	packets, failed atomic.Int64
}

func (s *sending) send() {
	s.link.SendPrepare(context.Background(), &s.prepare, plugin.NewResponder(s, 0))
}

// Reply takes an answer. It implements plugin.Replier.
func (s *sending) Reply(_ context.Context, _ uint64, reply ilp.Reply, _ error) {
	s.packets.Add(1)
	if _, ok := reply.(*ilp.Fulfill); !ok {
		s.failed.Add(1)
	}
	if time.Since(s.start) < s.length && s.failed.Load() == 0 {
		s.send()
		return
	}
	s.slots.Done()
}

// measure runs both sides in processes of their own.
func (x implementation) measure(ctx context.Context, o load) (result, error) {
	var r result
	o.Token = "a token of thirty-two characters"
	options, err := json.Marshal(serving{o.Token, x.secure, o.Data})
	if err != nil {
		return r, err
	}
	server := x.side(ctx, "serve", string(options))
	in, err := server.StdinPipe()
	if err != nil {
		return r, err
	}
	pipe, err := server.StdoutPipe()
	if err != nil {
		return r, err
	}
	if err := server.Start(); err != nil {
		return r, err
	}
	r, err = x.sendTo(ctx, o, in, bufio.NewReader(pipe))
	return r, errors.Join(err, in.Close(), server.Wait())
}

// sendTo runs the side that sends, and asks the other one before and after.
func (x implementation) sendTo(ctx context.Context, o load, in io.Writer, out *bufio.Reader) (result, error) {
	var r result
	lines := json.NewDecoder(out) // numbers, and text in base64
	var port int
	if err := lines.Decode(&port); err != nil {
		return r, err
	}
	o.URL = fmt.Sprintf("http://127.0.0.1:%d/", port)
	if x.secure {
		o.URL = fmt.Sprintf("https://127.0.0.1:%d/", port)
		if err := lines.Decode(&o.Certificate); err != nil {
			return r, err
		}
	}
	options, err := json.Marshal(o)
	if err != nil {
		return r, err
	}
	text, err := x.side(ctx, "send", string(options)).Output()
	if err != nil {
		return r, err
	}
	if err := json.Unmarshal(text, &r); err != nil {
		return r, err
	}
	var after int64
	if _, err := io.WriteString(in, "\n"); err != nil {
		return r, err
	}
	if err := lines.Decode(&after); err != nil {
		return r, err
	}
	// The server has served the warm-up too, a fifth of the run.
	r.server = time.Duration(after) * time.Microsecond / time.Duration(max(r.Packets*6/5, 1))
	r.client = time.Duration(r.CPU) * time.Microsecond / time.Duration(max(r.Packets, 1))
	return r, nil
}
