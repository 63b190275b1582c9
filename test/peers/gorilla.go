// SPDX-License-Identifier: MIT

// The peer gorilla/websocket.
package main

import (
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/gorilla/websocket"
)

var kinds = map[string]int{"text": websocket.TextMessage, "binary": websocket.BinaryMessage}
var names = map[int]string{websocket.TextMessage: "text", websocket.BinaryMessage: "binary"}

// A client cuts messages only where its buffer is full.
func send(ws *websocket.Conn, m message) {
	if m.kind == "ping" {
		check(ws.WriteControl(websocket.PingMessage, m.data, time.Now().Add(time.Second)))
		return
	}
	writer, err := ws.NextWriter(kinds[m.kind])
	check(err)
	for _, piece := range m.pieces {
		_, err := writer.Write(piece)
		check(err)
	}
	check(writer.Close())
}

func closed(err error) (int, string) {
	var end *websocket.CloseError
	if !errors.As(err, &end) {
		check(fmt.Errorf("expected a Close, actual: %v", err))
	}
	return end.Code, end.Text
}

// Pongs are seen while a message is awaited: at the latest with the one behind.
func client(url string, lines [][]message, code int, reason string) int {
	var total score
	var pings []message
	dialer := websocket.Dialer{EnableCompression: true}
	ws, _, err := dialer.Dial(url, nil)
	check(err)
	ws.SetPongHandler(func(data string) error {
		if len(pings) == 0 {
			return errors.New("a Pong that was not expected")
		}
		total.back(pings[0], "ping", []byte(data))
		pings = pings[1:]
		return nil
	})
	for _, line := range lines {
		for _, m := range line {
			send(ws, m)
		}
		for _, m := range line {
			if m.kind == "ping" {
				pings = append(pings, m)
				continue
			}
			kind, data, err := ws.ReadMessage()
			check(err)
			total.back(m, names[kind], data)
		}
	}
	if code == goingAway {
		fmt.Println("waiting")
	} else {
		body := websocket.FormatCloseMessage(code, reason)
		check(ws.WriteControl(websocket.CloseMessage, body, time.Now().Add(time.Second)))
	}
	_, _, err = ws.ReadMessage()
	got, text := closed(err)
	if len(pings) > 0 {
		check(errors.New("a ping without its Pong"))
	}
	ws.Close()
	total.report(got, text)
	return got
}

func server(w http.ResponseWriter, r *http.Request) {
	upgrader := websocket.Upgrader{EnableCompression: true}
	ws, err := upgrader.Upgrade(w, r, nil)
	if err != nil {
		return
	}
	defer ws.Close()
	for {
		kind, data, err := ws.ReadMessage()
		if err != nil {
			code, text := closed(err)
			fmt.Println("closed", code, text)
			return
		}
		if ws.WriteMessage(kind, data) != nil {
			return
		}
	}
}

func main() { run(client, server) }
