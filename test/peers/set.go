// SPDX-License-Identifier: MIT

// The messages of messages.txt, and what the peers in Go share.
package main

import (
	"bytes"
	"fmt"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
)

// This code is the server's to send: wait for it.
const goingAway = 1001

type message struct {
	kind   string
	data   []byte
	pieces [][]byte
}

const wide = "\xf0\x9f\x98\x00\xc2\x00\xe2\x82\x00"

func octet(pattern string, n, i int) byte {
	switch {
	case pattern == "letters":
		return byte(97 + (n+i)%26)
	case pattern == "octets":
		return byte(n + i + i/256 + i/65536)
	case wide[i%9] != 0:
		return wide[i%9]
	}
	return byte(128 + (n+i)%64)
}

// make one message of a line of the file.
func build(words []string, n int) message {
	m := message{kind: words[1]}
	ends := []int{0}
	for _, word := range words[3:] {
		ends = append(ends, ends[len(ends)-1]+number(word))
	}
	m.data = make([]byte, ends[len(ends)-1])
	for i := range m.data {
		m.data[i] = octet(words[2], n, i)
	}
	for i, end := range ends[1:] {
		m.pieces = append(m.pieces, m.data[ends[i]:end])
	}
	return m
}

// The messages of each line.
func readSet(path string) [][]message {
	file, err := os.ReadFile(path)
	check(err)
	var lines [][]message
	n := 0
	for _, text := range strings.Split(string(file), "\n") {
		words := strings.Fields(text)
		if len(words) == 0 || words[0] == "#" {
			continue
		}
		var line []message
		for count := number(words[0]); count > 0; count-- {
			line = append(line, build(words, n))
			n++
		}
		lines = append(lines, line)
	}
	return lines
}

// What came back as it was sent.
type score struct{ messages, octets, pings int }

func (s *score) back(m message, kind string, data []byte) {
	if kind != m.kind || !bytes.Equal(data, m.data) {
		check(fmt.Errorf("expected %s of %d, actual: %s of %d, or other octets", m.kind, len(m.data), kind, len(data)))
	}
	if kind == "ping" {
		s.pings++
		return
	}
	s.messages++
	s.octets += len(data)
}

func (s *score) report(code int, reason string) {
	fmt.Println("closed", code, reason)
	fmt.Printf("echoed %d messages, %d octets, %d pings\n", s.messages, s.octets, s.pings)
}

func number(word string) int {
	n, err := strconv.Atoi(word)
	check(err)
	return n
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// usage: PROGRAM server, or PROGRAM client PORT MESSAGES CODE REASON
func run(client func(url string, lines [][]message, code int, reason string) int, server http.HandlerFunc) {
	if os.Args[1] == "client" {
		code := number(os.Args[4])
		if client("ws://127.0.0.1:"+os.Args[2]+"/echo", readSet(os.Args[3]), code, os.Args[5]) != code {
			os.Exit(1)
		}
		return
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	check(err)
	fmt.Printf("listening on %s\n", listener.Addr())
	check(http.Serve(listener, server))
}
