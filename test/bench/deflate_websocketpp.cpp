// SPDX-License-Identifier: MIT
// An echo server on websocketpp, with permessage-deflate. Its level is zlib's default,
// 6, and its memory level 4: neither can be set.
#include <websocketpp/config/asio_no_tls.hpp>
#include <websocketpp/extensions/permessage_deflate/enabled.hpp>
#include <websocketpp/server.hpp>

#include <iostream>

namespace asio = websocketpp::lib::asio;

struct settings : websocketpp::config::asio {
    struct permessage_deflate_config {};
    typedef websocketpp::extensions::permessage_deflate::enabled<permessage_deflate_config> permessage_deflate_type;
};
typedef websocketpp::server<settings> server;

int main()
{
    server end;
    asio::error_code error;
    end.clear_access_channels(websocketpp::log::alevel::all);
    end.clear_error_channels(websocketpp::log::elevel::all);
    end.init_asio();
    end.set_tcp_post_init_handler([&](websocketpp::connection_hdl who) {
        end.get_con_from_hdl(who)->get_raw_socket().set_option(asio::ip::tcp::no_delay(true));
    });
    end.set_message_handler([&](websocketpp::connection_hdl who, server::message_ptr message) {
        end.send(who, message->get_payload(), message->get_opcode());
    });
    end.listen(asio::ip::tcp::endpoint(asio::ip::address_v4::loopback(), 0));
    end.start_accept();
    std::cout << "listening on 127.0.0.1:" << end.get_local_endpoint(error).port() << std::endl;
    end.run();
}
