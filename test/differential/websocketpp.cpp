// SPDX-License-Identifier: MIT
// Its processor; for a Close, what its connection does with one.
#include <websocketpp/close.hpp>
#include <websocketpp/config/core.hpp>
#include <websocketpp/processors/hybi13.hpp>

#include <string>
#include <vector>

#include "verdict.h"

struct no_random {
    uint32_t operator()() { return 1; }
};

struct settings : websocketpp::config::core {
    typedef no_random rng_type;
    static const size_t max_message_size = size_t(1) << 20;
};

typedef websocketpp::processor::hybi13<settings> processor;

static void take_close(verdict &v, const std::string &payload)
{
    websocketpp::lib::error_code error;
    v.ending = CLOSED_BY_PEER;
    v.code = websocketpp::close::extract_code(payload, error);
    if (!error)
        websocketpp::close::extract_reason(payload, error);
    if (error) {
        v.ending = FAILED;
        v.code = websocketpp::close::status::protocol_error;
    }
}

verdict judge_websocketpp(const uint8_t *octets, size_t n, int is_server)
{
    verdict v = {STILL_OPEN, 0, 0, 0};
    no_random random;
    processor reader(false, is_server != 0, std::make_shared<settings::con_msg_manager_type>(), random);
    websocketpp::lib::error_code error;
    std::vector<uint8_t> in(octets, octets + n);
    in.push_back(0);
    reader.set_max_message_size(settings::max_message_size);
    for (size_t used = 0; used < n && v.ending == STILL_OPEN;) {
        used += reader.consume(in.data() + used, n - used, error);
        if (error) {
            v.ending = FAILED;
            v.code = websocketpp::processor::error::to_ws(error);
            break;
        }
        if (!reader.ready())
            continue;
        auto message = reader.get_message();
        const std::string &payload = message->get_payload();
        if (message->get_opcode() == websocketpp::frame::opcode::CLOSE)
            take_close(v, payload);
        else
            verdict_add(&v, message->get_opcode(), payload.data(), payload.size());
    }
    return v;
}
