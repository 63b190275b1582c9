// SPDX-License-Identifier: MIT
// The peer websocketpp, on Boost.Asio.
//
//   websocketpp server
//   websocketpp client PORT MESSAGES CODE REASON
#include <websocketpp/client.hpp>
#include <websocketpp/config/asio_no_tls.hpp>
#include <websocketpp/config/asio_no_tls_client.hpp>
#include <websocketpp/extensions/permessage_deflate/enabled.hpp>
#include <websocketpp/server.hpp>

#include <cstdlib>
#include <iostream>
#include <stdexcept>

#include "set.h"

namespace opcode = websocketpp::frame::opcode;
using websocketpp::connection_hdl;

// The library's own configuration, with permessage-deflate.
template <typename Base> struct with_deflate : Base {
    struct permessage_deflate_config {};
    typedef websocketpp::extensions::permessage_deflate::enabled<permessage_deflate_config> permessage_deflate_type;
};
using server = websocketpp::server<with_deflate<websocketpp::config::asio>>;
using client = websocketpp::client<with_deflate<websocketpp::config::asio_client>>;

template <typename End> static void quiet(End &end)
{
    end.clear_access_channels(websocketpp::log::alevel::all);
    end.init_asio();
}

// ------------------------------------------------------------------- server

static int serve()
{
    server end;
    websocketpp::lib::asio::error_code error;
    quiet(end);
    end.set_message_handler([&](connection_hdl who, server::message_ptr message) {
        end.send(who, message->get_payload(), message->get_opcode());
    });
    end.set_close_handler([&](connection_hdl who) {
        auto connection = end.get_con_from_hdl(who);
        std::cout << "closed " << connection->get_remote_close_code() << " " << connection->get_remote_close_reason()
                  << std::endl;
    });
    end.listen(websocketpp::lib::asio::ip::tcp::endpoint(websocketpp::lib::asio::ip::address_v4::loopback(), 0));
    end.start_accept();
    std::cout << "listening on 127.0.0.1:" << end.get_local_endpoint(error).port() << std::endl;
    end.run();
    return 1;
}

// ------------------------------------------------------------------- client

struct conversation {
    client end;
    connection_hdl who;
    set messages;
    int code = 0;
    std::string reason;
    bool good = false;

    void send(const set_line &line, const std::string &data);
    void advance();
    void check(char kind, const std::string &data);
    void on_close();
};

// A text is checked frame by frame when it is sent, so it is cut between code points.
static std::size_t cut(const std::string &data, std::size_t at)
{
    while (at < data.size() && (data[at] & 0xc0) == 0x80)
        at--;
    return at;
}

void conversation::send(const set_line &line, const std::string &data)
{
    auto kind = line.kind == SET_TEXT ? opcode::text : opcode::binary;
    std::size_t at = 0, end_at = 0, from = 0;
    if (line.kind == SET_PING) {
        end.ping(who, data);
        return;
    }
    if (line.pieces == 1) {
        end.send(who, data, kind); // compressed, if that was agreed
        return;
    }
    for (unsigned i = 0; i < line.pieces; i++, from = at) {
        auto part = end.get_con_from_hdl(who)->get_message(i == 0 ? kind : opcode::continuation, line.piece[i]);
        end_at += line.piece[i];
        at = line.kind == SET_TEXT ? cut(data, end_at) : end_at;
        part->set_fin(i + 1 == line.pieces);
        part->set_payload(data.substr(from, at - from));
        end.send(who, part);
    }
}

// Sends the messages of the next line, or the Close behind the last one.
void conversation::advance()
{
    const set_line *line = set_now(&messages);
    if (line == NULL && code == SET_GOING_AWAY) {
        std::cout << "waiting" << std::endl;
        return;
    }
    if (line == NULL) {
        end.close(who, static_cast<websocketpp::close::status::value>(code), reason);
        return;
    }
    for (unsigned i = 0; i < line->count; i++) {
        std::string data(line->size, '\0');
        set_make(&messages, i, &data[0]);
        send(*line, data);
    }
}

void conversation::check(char kind, const std::string &data)
{
    int status = set_back(&messages, kind, data.data(), data.size());
    if (status < 0)
        throw std::runtime_error("not the echo");
    if (status > 0)
        advance();
}

void conversation::on_close()
{
    auto connection = end.get_con_from_hdl(who);
    std::cout << "closed " << connection->get_remote_close_code() << " " << connection->get_remote_close_reason()
              << std::endl;
    good = set_now(&messages) == NULL && connection->get_remote_close_code() == code;
}

static int converse(char **argv)
{
    static conversation it;
    websocketpp::lib::error_code error;
    if (set_read(&it.messages, argv[3]) != 0)
        return 2;
    it.code = std::atoi(argv[4]);
    it.reason = argv[5];
    quiet(it.end);
    it.end.set_open_handler([](connection_hdl who) { it.who = who, it.advance(); });
    it.end.set_message_handler([](connection_hdl, client::message_ptr message) {
        it.check(message->get_opcode() == opcode::text ? SET_TEXT : SET_BINARY, message->get_payload());
    });
    it.end.set_pong_handler([](connection_hdl, std::string data) { it.check(SET_PING, data); });
    it.end.set_close_handler([](connection_hdl) { it.on_close(); });
    it.end.connect(it.end.get_connection(std::string("ws://127.0.0.1:") + argv[2] + "/echo", error));
    it.end.run();
    set_report(&it.messages);
    return it.good ? 0 : 1;
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
