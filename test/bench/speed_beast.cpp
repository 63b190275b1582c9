// SPDX-License-Identifier: MIT
// Boost.Beast as a contender: its blocking calls, on a stream in memory.
#define BOOST_ERROR_CODE_HEADER_ONLY
#include <boost/asio/io_context.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/websocket.hpp>

#include <algorithm>
#include <cstring>

#include "speed.h"

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace websocket = beast::websocket;
using beast::error_code;

static asio::io_context context(1);

// Octets to read, in pieces of cut, and room for what is written.
struct memory {
    typedef asio::io_context::executor_type executor_type;

    const uint8_t *in = nullptr, *end = nullptr;
    size_t cut = CUT_MAX, left = CUT_MAX; // of the current piece
    uint8_t *out = nullptr;
    size_t written = 0;
    void (*on_empty)(memory &) = nullptr; // called once when there is nothing to read

    executor_type get_executor() { return context.get_executor(); }

    void give(const uint8_t *data, size_t n, size_t piece)
    {
        in = data;
        end = data + n;
        cut = left = piece;
    }

    template <class Buffers> size_t read_some(const Buffers &to, error_code &error)
    {
        if (in == end && on_empty != nullptr) {
            on_empty(*this);
            on_empty = nullptr;
        }
        if (in == end) {
            error = asio::error::eof;
            return 0;
        }
        error = {};
        size_t n = asio::buffer_copy(to, asio::const_buffer(in, std::min<size_t>(left, end - in)));
        in += n;
        left = left > n ? left - n : cut;
        return n;
    }

    template <class Buffers> size_t write_some(const Buffers &from, error_code &error)
    {
        error = {};
        size_t n = asio::buffer_copy(asio::mutable_buffer(out + written, size_t(1) << 30), from);
        written += n;
        return n;
    }

    template <class Buffers> size_t read_some(const Buffers &to)
    {
        error_code error;
        return read_some(to, error);
    }

    template <class Buffers> size_t write_some(const Buffers &from)
    {
        error_code error;
        return write_some(from, error);
    }
};

void teardown(beast::role_type, memory &, error_code &error)
{
    error = {};
}

typedef websocket::stream<memory, false> stream; // permessage-deflate is not compiled in

static const char request[] = "GET / HTTP/1.1\r\nHost: example.com\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
                              "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

// The answer of a server to the request that a client has written.
static void answer(memory &client)
{
    static uint8_t octets[1024];
    stream server{};
    server.next_layer().give(client.out, client.written, CUT_MAX);
    server.next_layer().out = octets;
    server.accept();
    client.give(octets, server.next_layer().written, CUT_MAX);
}

static void open_server(stream &server, const uint8_t *head, size_t size, uint8_t *out)
{
    server.next_layer().give(head, size, CUT_MAX);
    server.next_layer().out = out;
    server.accept();
}

static void begin_decode(stream &server, const job *j)
{
    static uint8_t unused[1024];
    open_server(server, reinterpret_cast<const uint8_t *>(request), sizeof request - 1, unused);
    server.read_message_max(0);
    server.next_layer().give(j->in, j->in_size, j->cut);
}

static int decode(job *j)
{
    stream server{};
    beast::flat_buffer message;
    error_code error;
    begin_decode(server, j);
    for (;;) {
        server.read(message, error);
        if (error)
            return error == asio::error::eof ? 0 : -1;
        speed_take(j, message.data().data(), message.size(), 1);
        message.clear();
    }
}

static int decode_pieces(job *j)
{
    static uint8_t piece[CUT_MAX];
    stream server{};
    error_code error;
    begin_decode(server, j);
    for (;;) {
        size_t n = server.read_some(asio::buffer(piece), error);
        if (error)
            return error == asio::error::eof ? 0 : -1;
        speed_take(j, piece, n, server.is_message_done());
    }
}

static int send_all(stream &sender, job *j)
{
    error_code error;
    sender.binary(true);
    sender.auto_fragment(false);
    sender.write_buffer_bytes(std::max<size_t>(4096, std::min<size_t>(CUT_MAX, j->in_size)));
    sender.next_layer().out = j->out;
    for (size_t i = 0; i < j->count && !error; i++) {
        sender.next_layer().written = 0;
        sender.write(asio::const_buffer(j->in, j->in_size), error);
    }
    j->out_size = sender.next_layer().written;
    return error ? -1 : 0;
}

// The masks of a client come from the cheap one of its two sources of randomness.
static int encode(job *j)
{
    static uint8_t head[1024];
    stream sender{};
    if (j->is_client) {
        sender.next_layer().out = head;
        sender.next_layer().on_empty = answer;
        sender.secure_prng(false);
        sender.handshake("example.com", "/");
    } else {
        open_server(sender, reinterpret_cast<const uint8_t *>(request), sizeof request - 1, head);
    }
    return send_all(sender, j);
}

static int handshake(job *j)
{
    for (size_t i = 0; i < j->count; i++) {
        stream server{};
        open_server(server, j->in, j->in_size, j->out);
        j->out_size = server.next_layer().written;
    }
    return 0;
}

static int mask(job *j)
{
    for (size_t i = 0; i < j->count; i++) {
        websocket::detail::prepared_key key{{j->key[0], j->key[1], j->key[2], j->key[3]}};
        websocket::detail::mask_inplace(asio::mutable_buffer(j->out, j->out_size), key);
    }
    return 0;
}

static int check(job *j)
{
    bool is_good = true;
    for (size_t i = 0; i < j->count; i++) {
        websocket::detail::utf8_checker checker;
        for (size_t at = 0, n; at < j->in_size; at += n) {
            n = speed_piece(j->in_size - at, j->cut);
            is_good = checker.write(j->in + at, n) && is_good;
        }
        is_good = checker.finish() && is_good;
    }
    return is_good ? 0 : -1;
}

const contender speed_beast[] = {
    {"Beast", DECODE, decode, nullptr, 0},       {"Beast, read_some", DECODE, decode_pieces, nullptr, 0},
    {"Beast", ENCODE, encode, nullptr, 0},       {"Beast", MASK, mask, nullptr, 0},
    {"Beast", CHECK, check, nullptr, 0},         {"Beast", HANDSHAKE, handshake, nullptr, 0},
    {nullptr, 0, nullptr, nullptr, 0},
};
