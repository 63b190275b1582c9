// SPDX-License-Identifier: MIT
// websocketpp as a contender: its processor alone, without endpoint and connection, which
// would only add to it.
#include <websocketpp/config/core.hpp>
#include <websocketpp/processors/hybi13.hpp>
#include <websocketpp/utf8_validator.hpp>

#include <cstring>

#include "speed.h"

namespace frame = websocketpp::frame;

struct cheap_random {
    uint32_t seed = 1;
    uint32_t operator()() { return speed_random(&seed); }
};

struct settings : websocketpp::config::core {
    typedef cheap_random rng_type;
    static const size_t max_message_size = size_t(1) << 30;
};

typedef websocketpp::processor::hybi13<settings> processor;
typedef settings::con_msg_manager_type manager;

static int decode(job *j)
{
    static uint8_t in[CUT_MAX];
    cheap_random random;
    processor reader(false, true, std::make_shared<manager>(), random);
    websocketpp::lib::error_code error;
    reader.set_max_message_size(settings::max_message_size);
    for (size_t at = 0, n; at < j->in_size; at += n) {
        n = speed_piece(j->in_size - at, j->cut);
        std::memcpy(in, j->in + at, n);
        for (size_t used = 0; used < n;) {
            used += reader.consume(in + used, n - used, error);
            if (error)
                return -1;
            if (reader.ready()) {
                auto message = reader.get_message();
                speed_take(j, message->get_payload().data(), message->get_payload().size(), 1);
            }
        }
    }
    return 0;
}

static int encode(job *j)
{
    cheap_random random;
    auto messages = std::make_shared<manager>();
    processor writer(false, !j->is_client, messages, random);
    auto message = messages->get_message(frame::opcode::binary, j->in_size);
    message->append_payload(j->in, j->in_size);
    for (size_t i = 0; i < j->count; i++) {
        auto out = messages->get_message();
        if (writer.prepare_data_frame(message, out))
            return -1;
        const std::string &header = out->get_header(), &payload = out->get_payload();
        std::memcpy(j->out, header.data(), header.size());
        std::memcpy(j->out + header.size(), payload.data(), payload.size());
        j->out_size = header.size() + payload.size();
    }
    return 0;
}

static int accept_one(job *j)
{
    cheap_random random;
    processor server(false, true, std::make_shared<manager>(), random);
    settings::request_type request;
    settings::response_type answer;
    request.consume(reinterpret_cast<const char *>(j->in), j->in_size);
    if (!request.ready() || !websocketpp::processor::is_websocket_handshake(request) ||
        websocketpp::processor::get_websocket_version(request) != 13)
        return -1;
    if (server.validate_handshake(request) || server.process_handshake(request, "", answer))
        return -1;
    answer.set_version("HTTP/1.1");
    answer.set_status(websocketpp::http::status_code::switching_protocols);
    std::string raw = server.get_raw(answer);
    std::memcpy(j->out, raw.data(), raw.size());
    j->out_size = raw.size();
    return 0;
}

static int handshake(job *j)
{
    for (size_t i = 0; i < j->count; i++)
        if (accept_one(j) != 0)
            return -1;
    return 0;
}

static int mask(job *j)
{
    frame::masking_key_type key;
    std::memcpy(key.c, j->key, 4);
    for (size_t i = 0; i < j->count; i++)
        frame::word_mask_circ(j->out, j->out_size, frame::prepare_masking_key(key));
    return 0;
}

static int check(job *j)
{
    bool is_good = true;
    for (size_t i = 0; i < j->count; i++) {
        websocketpp::utf8_validator::validator validator;
        for (size_t at = 0, n; at < j->in_size; at += n) {
            n = speed_piece(j->in_size - at, j->cut);
            is_good = validator.decode(j->in + at, j->in + at + n) && is_good;
        }
        is_good = validator.complete() && is_good;
    }
    return is_good ? 0 : -1;
}

const contender speed_websocketpp[] = {
    {"websocketpp", DECODE, decode, nullptr, 0}, {"websocketpp", ENCODE, encode, nullptr, 0},
    {"websocketpp", MASK, mask, nullptr, 0},     {"websocketpp", CHECK, check, nullptr, 0},
    {"websocketpp", HANDSHAKE, handshake, nullptr, 0},
    {nullptr, 0, nullptr, nullptr, 0},
};
