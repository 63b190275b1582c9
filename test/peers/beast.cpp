// SPDX-License-Identifier: MIT
// The peer Boost.Beast, by its blocking calls.
//
//   beast server
//   beast client PORT MESSAGES CODE REASON
#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/websocket.hpp>

#include <cstdlib>
#include <iostream>
#include <stdexcept>
#include <vector>

#include "set.h"

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace websocket = beast::websocket;
using tcp = asio::ip::tcp;
using stream = websocket::stream<tcp::socket>;

static const tcp::endpoint loopback(asio::ip::address_v4::loopback(), 0);

// Offers permessage-deflate as a client, takes it as a server.
static void enable_deflate(stream &ws)
{
    websocket::permessage_deflate options;
    options.client_enable = options.server_enable = true;
    ws.set_option(options);
}

static void print_closed(const stream &ws)
{
    std::cout << "closed " << ws.reason().code << " " << ws.reason().reason << std::endl;
}

// ------------------------------------------------------------------- server

// Echoes until the client has closed, or something is wrong.
static void echo(tcp::socket socket)
{
    stream ws(std::move(socket));
    beast::flat_buffer buffer;
    beast::error_code error;
    enable_deflate(ws);
    ws.accept(error);
    while (!error) {
        ws.read(buffer, error);
        if (error)
            break;
        ws.text(ws.got_text());
        ws.write(buffer.data(), error);
        buffer.clear();
    }
    if (error == websocket::error::closed)
        print_closed(ws);
    else
        std::cerr << error.message() << std::endl;
}

static int serve()
{
    asio::io_context context;
    tcp::acceptor acceptor(context, loopback);
    std::cout << "listening on 127.0.0.1:" << acceptor.local_endpoint().port() << std::endl;
    for (;;)
        echo(acceptor.accept());
}

// ------------------------------------------------------------------- client

static void send(stream &ws, const set_line &line, const std::vector<char> &data)
{
    std::size_t at = 0;
    if (line.kind == SET_PING) {
        ws.ping(websocket::ping_data(data.data(), line.size));
        return;
    }
    ws.binary(line.kind == SET_BINARY);
    if (line.pieces == 1) {
        ws.write(asio::buffer(data));
        return;
    }
    for (unsigned i = 0; i < line.pieces; at += line.piece[i++])
        ws.write_some(i + 1 == line.pieces, asio::buffer(data.data() + at, line.piece[i]));
}

// A Pong is seen only while something else is read, so pings are not waited for.
static void exchange(stream &ws, set &all)
{
    const set_line &line = *set_now(&all);
    for (unsigned i = 0; i < line.count; i++) {
        std::vector<char> data(line.size);
        set_make(&all, i, data.data());
        send(ws, line, data);
    }
    if (line.kind == SET_PING) {
        set_skip(&all);
        return;
    }
    for (unsigned i = line.count; i > 0; i--) {
        beast::flat_buffer buffer;
        ws.read(buffer);
        if (set_back(&all, ws.got_text() ? SET_TEXT : SET_BINARY, buffer.data().data(), buffer.size()) < 0)
            throw std::runtime_error("not the echo");
    }
}

// Compares each Pong with the next ping of the file.
static void on_control(websocket::frame_type kind, beast::string_view data, set &pings)
{
    if (kind != websocket::frame_type::pong)
        return;
    set_to_ping(&pings);
    if (set_back(&pings, SET_PING, data.data(), data.size()) < 0)
        throw std::runtime_error("not the Pong");
}

// Reads up to the answer to the Close.
static void finish(stream &ws)
{
    beast::flat_buffer buffer;
    beast::error_code error;
    while (!error)
        ws.read(buffer, error);
}

static int converse(char **argv)
{
    asio::io_context context;
    stream ws(context);
    set all, pings;
    const int code = std::atoi(argv[4]);
    if (set_read(&all, argv[3]) != 0)
        return 2;
    pings = all;
    enable_deflate(ws);
    ws.control_callback([&](websocket::frame_type kind, beast::string_view data) { on_control(kind, data, pings); });
    ws.next_layer().connect({asio::ip::address_v4::loopback(), static_cast<unsigned short>(std::atoi(argv[2]))});
    ws.handshake(std::string("127.0.0.1:") + argv[2], "/echo");
    while (set_now(&all) != NULL)
        exchange(ws, all);
    if (code == SET_GOING_AWAY)
        std::cout << "waiting" << std::endl;
    else
        ws.close({static_cast<websocket::close_code>(code), argv[5]});
    finish(ws);
    print_closed(ws);
    all.pings = pings.pings;
    set_report(&all);
    set_to_ping(&pings);
    return ws.reason().code == code && set_now(&pings) == NULL ? 0 : 1;
}

int main(int argc, char **argv)
{
    try {
        return argc == 6 ? converse(argv) : serve();
    } catch (const std::exception &problem) {
        std::cerr << problem.what() << std::endl;
        return 1;
    }
}
