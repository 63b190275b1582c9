// SPDX-License-Identifier: MIT

// The peer nhooyr.io/websocket.
package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"nhooyr.io/websocket"
)

var kinds = map[string]websocket.MessageType{"text": websocket.MessageText, "binary": websocket.MessageBinary}
var names = map[websocket.MessageType]string{websocket.MessageText: "text", websocket.MessageBinary: "binary"}

// What Read returned.
type arrival struct {
	kind websocket.MessageType
	data []byte
	err  error
}

// Reads all the time, for Ping and Close need it.
func read(ws *websocket.Conn, arrivals chan<- arrival) {
	for {
		kind, data, err := ws.Read(context.Background())
		arrivals <- arrival{kind, data, err}
		if err != nil {
			return
		}
	}
}

// A ping has a payload of the library's own, and returns when its Pong is there.
func send(ws *websocket.Conn, m message) {
	ctx := context.Background()
	if m.kind == "ping" {
		check(ws.Ping(ctx))
		return
	}
	if len(m.pieces) == 1 {
		check(ws.Write(ctx, kinds[m.kind], m.data))
		return
	}
	writer, err := ws.Writer(ctx, kinds[m.kind])
	check(err)
	for _, piece := range m.pieces {
		_, err := writer.Write(piece)
		check(err)
	}
	check(writer.Close())
}

func closed(err error) (int, string) {
	var end websocket.CloseError
	if !errors.As(err, &end) {
		check(fmt.Errorf("expected a Close, actual: %v", err))
	}
	return int(end.Code), end.Reason
}

func client(url string, lines [][]message, code int, reason string) int {
	var total score
	ws, _, err := websocket.Dial(context.Background(), url, nil)
	check(err)
	ws.SetReadLimit(2 << 20)
	arrivals := make(chan arrival)
	go read(ws, arrivals)
	for _, line := range lines {
		for _, m := range line {
			send(ws, m)
		}
		for _, m := range line {
			if m.kind == "ping" {
				total.pings++
				continue
			}
			got := <-arrivals
			check(got.err)
			total.back(m, names[got.kind], got.data)
		}
	}
	if code == goingAway {
		fmt.Println("waiting")
	} else {
		go ws.Close(websocket.StatusCode(code), reason)
	}
	last := <-arrivals
	got, text := closed(last.err)
	total.report(got, text)
	return got
}

func server(w http.ResponseWriter, r *http.Request) {
	ws, err := websocket.Accept(w, r, nil)
	if err != nil {
		return
	}
	ws.SetReadLimit(2 << 20)
	for {
		kind, data, err := ws.Read(context.Background())
		if err != nil {
			code, text := closed(err)
			fmt.Println("closed", code, text)
			return
		}
		if ws.Write(context.Background(), kind, data) != nil {
			return
		}
	}
}

func main() { run(client, server) }
