// SPDX-License-Identifier: MIT
// websocketpp as an echo server that compresses.
#include <websocketpp/config/asio_no_tls.hpp>
#include <websocketpp/extensions/permessage_deflate/enabled.hpp>
#include <websocketpp/server.hpp>

#include <cstdio>

struct config : websocketpp::config::asio {
    struct permessage_deflate_config {};
    typedef websocketpp::extensions::permessage_deflate::enabled<permessage_deflate_config> permessage_deflate_type;
};

typedef websocketpp::server<config> server;

int main()
{
    server s;
    s.clear_access_channels(websocketpp::log::alevel::all);
    s.clear_error_channels(websocketpp::log::elevel::all);
    s.init_asio();
    s.set_message_handler([&s](websocketpp::connection_hdl peer, server::message_ptr message) {
        message->set_compressed(true);
        s.send(peer, message);
    });
    s.listen(boost::asio::ip::tcp::endpoint(boost::asio::ip::address_v4::loopback(), 0));
    websocketpp::lib::asio::error_code error;
    std::printf("listening on 127.0.0.1:%d\n", s.get_local_endpoint(error).port());
    std::fflush(stdout);
    s.start_accept();
    s.run();
}
