// SPDX-License-Identifier: MIT
// tenon from Node.js over koffi: the pull form of tenon.h.
//
// The shared library is TENON_LIBRARY of the environment, or libtenon.so.0 beside this
// file, or wherever the system's loader finds it; koffi is KOFFI_MODULE, or the package.
//
//   const connection = new tenon.Connection(new tenon.Config('server'));
//   connection.recv(octets);
//   for (let event = connection.next(); event; event = connection.next()) {
//       if (event.type === tenon.EV_REQUEST) connection.accept();
//       if (event.type === tenon.EV_DATA) connection.send(event.opcode, event.data);
//   }
//   socket.write(connection.takeOutput());
//
// A call that fails throws a TenonError whose code is the library's name of it. All that
// the library borrows lies in an ArrayBuffer of its own, which does not move, and which the
// connection holds on to; an event is a copy. So nothing of the program's can be left
// without its memory.
'use strict';

const crypto = require('crypto');
const fs = require('fs');
const path = require('path');

const koffi = require(process.env.KOFFI_MODULE || 'koffi');

const numbers = require('./numbers.js');
const { structs, functions } = require('./declarations.js')(koffi);

function findLibrary() {
    if (process.env.TENON_LIBRARY) return path.resolve(process.env.TENON_LIBRARY);
    const beside = path.join(__dirname, 'libtenon.so.0');
    return fs.existsSync(beside) ? beside : 'libtenon.so.0';
}

const library = koffi.load(findLibrary());
const lib = {};
for (const text of functions) {
    const name = /tenon_(\w+)\(/.exec(text)[1];
    lib[name] = library.func(text);
}

// ------------------------------------------------------------------- errors

// A call that was refused, and has changed nothing.
class TenonError extends Error {
    constructor(status) {
        const name = lib.status_name(status);
        super(name);
        this.status = status;
        this.code = name;
    }
}

function check(status) {
    if (status < 0) throw new TenonError(status);
    return status;
}

// ------------------------------------------------------------------- memory

// Octets that do not move: small typed arrays without a buffer of their own would.
function memory(size) {
    return size > 0 ? new Uint8Array(new ArrayBuffer(size)) : null;
}

// A struct in memory of its own; its fields by name.
class Struct {
    constructor(name, values = {}) {
        this.type = structs[name];
        this.octets = memory(koffi.sizeof(this.type));
        this.view = new DataView(this.octets.buffer);
        this.held = [];
        for (const [field, value] of Object.entries(values)) this.set(field, value);
    }

    static size(name) {
        return koffi.sizeof(structs[name]);
    }

    // A number, or memory for a pointer, which lives as long as this does.
    set(field, value) {
        const at = koffi.offsetof(this.type, field);
        const size = koffi.sizeof(this.type.members[field].type);
        if (value instanceof Uint8Array) {
            this.held.push(value);
            this.put(at, size, koffi.address(value));
        } else {
            this.put(at, size, BigInt(value || 0));
        }
    }

    put(at, size, value) {
        if (value < 0n || value >> BigInt(8 * size) !== 0n) throw new TenonError(-3); // it would be cut short
        if (size === 8) this.view.setBigUint64(at, value, little);
        else if (size === 4) this.view.setUint32(at, Number(value), little);
        else if (size === 2) this.view.setUint16(at, Number(value), little);
        else this.view.setUint8(at, Number(value));
    }

    get(field) {
        const at = koffi.offsetof(this.type, field);
        const size = koffi.sizeof(this.type.members[field].type);
        if (size === 8) return this.view.getBigUint64(at, little);
        if (size === 4) return this.view.getUint32(at, little);
        return size === 2 ? this.view.getUint16(at, little) : this.view.getUint8(at);
    }
}

const little = new Uint8Array(new Uint16Array([1]).buffer)[0] === 1;

// A copy of size octets at an address; null where there is nothing.
function copy(address, size) {
    if (!address) return null;
    return size > 0 ? Buffer.from(new Uint8Array(koffi.view(address, Number(size)))) : Buffer.alloc(0);
}

// The slice that a tenon_str at offset at of a struct stands for.
function slice(struct, at) {
    return copy(struct.view.getBigUint64(at, little), struct.view.getBigUint64(at + 8, little));
}

function octetsOf(data) {
    return typeof data === 'string' ? Buffer.from(data) : data || Buffer.alloc(0);
}

// Octets in memory of their own with NUL behind them: a size of 0 has the library read up
// to NUL. null for none.
function text(value) {
    if (value === undefined || value === null) return null;
    const octets = octetsOf(value);
    const held = memory(octets.length + 1);
    held.set(octets);
    return held;
}

// The same for what goes without a size: the library would not see what is behind a NUL.
function string(value) {
    const held = text(value);
    if (held && held.indexOf(0) !== held.length - 1) throw new TenonError(-3);
    return held;
}

function pointers(list) {
    const held = memory(8 * list.length);
    const view = held && new DataView(held.buffer);
    list.forEach((one, i) => view.setBigUint64(8 * i, koffi.address(one), little));
    return held;
}

// Header fields, [name, value] each, as an array of tenon_header.
function headersInto(struct, list = []) {
    const size = Struct.size('tenon_header');
    const array = memory(size * list.length);
    list.forEach(([name, value], i) => {
        const held = [text(name), text(value)];
        const one = new Struct('tenon_header', {
            name: held[0], value: held[1], name_size: held[0].length - 1, value_size: held[1].length - 1,
        });
        array.set(one.octets, i * size);
        struct.held.push(...held);
    });
    struct.set('headers', array);
    struct.set('header_count', list.length);
}

// ------------------------------------------------------------ configuration

const RANDOM = koffi.pointer(koffi.proto('int tenon_random_fn(void *user, void *out, size_t n)'));

function systemRandom(n) {
    return crypto.randomBytes(n);
}

// What connections have in common: limits by their names in tenon_config, and random for
// a client, a function that gives n octets (null: none). It stays as it was made.
class Config {
    constructor(role, { random = systemRandom, ...limits } = {}) {
        this.struct = new Struct('tenon_config');
        const { octets } = this.struct;
        if (role === 'server') check(lib.config_server(octets, octets.length));
        else check(lib.config_client(octets, octets.length));
        for (const [name, value] of Object.entries(limits)) {
            if (!(name in this.struct.type.members)) throw new TypeError(`no limit of tenon_config: ${name}`);
            this.struct.set(name, value);
        }
        if (random && role !== 'server') this.setRandom(random);
    }

    setRandom(source) {
        const fill = (_user, out, n) => {
            try {
                const octets = source(Number(n));
                if (octets.length !== Number(n)) return 1;
                new Uint8Array(koffi.view(out, Number(n))).set(octets);
                return 0;
            } catch {
                return 1; // without random octets the connection ends
            }
        };
        this.random = koffi.register(fill, RANDOM);
        this.struct.set('random', koffi.address(this.random));
        released.register(this, this.random);
    }
}

// Callbacks are few, and given back when their config is gone.
const released = new FinalizationRegistry((callback) => koffi.unregister(callback));

// --------------------------------------------------------------- connection

// One connection. Its methods are the calls of tenon.h.
class Connection {
    constructor(config, { rx = 65536, tx = 65536 } = {}) {
        this.config = config;
        this.storage = memory(numbers.STORAGE_SIZE);
        this.event = new Struct('tenon_event');
        this.pieces = memory(16 * Struct.size('tenon_iov'));
        this.count = memory(8);
        this.place = memory(8);
        this.references = new Map(); // by cookie: what is lent, and what the program calls it
        this.cookies = 0n;
        check(lib.init(this.storage, this.storage.length, config.struct.octets, this.place));
        this.raw = new DataView(this.place.buffer).getBigUint64(0, little);
        this.lend(rx, tx);
    }

    lend(rx, tx) {
        const [one, two] = [memory(rx), memory(tx)];
        check(lib.lend(this.raw, one, rx, two, tx));
        [this.rx, this.tx] = [one, two];
    }

    lendRx(size) {
        const rx = memory(size);
        check(lib.lend_rx(this.raw, rx, size));
        this.rx = rx;
    }

    // Lends a larger rx if one is asked for; whether it did.
    lendWanted() {
        const need = lib.rx_needed(this.raw);
        if (!(this.wants & numbers.WANTS_RX) || need <= (this.rx ? this.rx.length : 0)) return false;
        this.lendRx(Number(need));
        return true;
    }

    get state() {
        return lib.state(this.raw);
    }

    get wants() {
        return lib.wants(this.raw);
    }

    get queued() {
        return Number(lib.queued(this.raw));
    }

    // In milliseconds of the clock of tick, or null.
    get deadline() {
        const at = lib.deadline(this.raw);
        return BigInt(at) === numbers.NEVER ? null : Number(at);
    }

    tick(ms) {
        check(lib.tick(this.raw, Math.floor(ms)));
    }

    // Received octets: copied to memory that stays until they are used up.
    recv(octets) {
        const lent = memory(octets.length);
        if (lent) lent.set(octets);
        check(lib.recv(this.raw, lent, octets.length));
        if (lent) this.lent = lent;
    }

    eof() {
        check(lib.eof(this.raw));
    }

    shut() {
        check(lib.shut(this.raw));
    }

    abort(cause = numbers.LOCAL) {
        check(lib.abort(this.raw, cause));
    }

    // The next event, or null.
    next() {
        if (check(lib.next(this.raw, this.event.octets)) !== numbers.EVENT) return null;
        return this.told();
    }

    // A copy of the current event.
    told() {
        const event = {};
        for (const name of ['type', 'flags', 'opcode', 'cause', 'rule', 'code', 'sent_code', 'received_code', 'rtt_ms']) {
            event[name] = this.event.get(name);
        }
        event.offset = Number(this.event.get('offset'));
        event.frame_size = Number(this.event.get('frame_size'));
        event.data = copy(this.event.get('data'), this.event.get('size'));
        event.cookie = null;
        if (event.type === numbers.EV_RELEASED) event.cookie = this.takeBack(this.event.get('cookie'));
        if ([numbers.EV_OPEN, numbers.EV_RESPONSE, numbers.EV_CLOSED].includes(event.type)) this.request = null;
        return event;
    }

    takeBack(cookie) {
        const found = this.references.get(cookie);
        if (found) {
            this.references.delete(cookie);
            this.last = found.cookie; // it may be told again
        }
        return this.last;
    }

    // The last event comes again.
    again() {
        check(lib.again(this.raw));
    }

    // All that is to be sent, as sent.
    takeOutput() {
        const taken = [];
        const counted = new DataView(this.count.buffer);
        const view = new DataView(this.pieces.buffer);
        for (;;) {
            check(lib.out(this.raw, this.pieces, 16, this.count));
            const count = Number(counted.getBigUint64(0, little));
            if (count === 0) return Buffer.concat(taken);
            let size = 0;
            for (let i = 0; i < count; i += 1) {
                taken.push(copy(view.getBigUint64(16 * i, little), view.getBigUint64(16 * i + 8, little)));
                size += taken[taken.length - 1].length;
            }
            check(lib.sent(this.raw, size));
        }
    }

    // A whole message, copied.
    send(opcode, data, flags = 0) {
        const octets = octetsOf(data);
        check(lib.send(this.raw, opcode, octets, octets.length, flags));
    }

    // A whole message that the library reads from until RELEASED brings the cookie.
    sendRef(opcode, data, flags = 0, cookie = null) {
        const octets = octetsOf(data);
        const held = memory(octets.length + 1);
        held.set(octets);
        const key = this.cookies + 1n;
        check(lib.send_ref(this.raw, opcode, held, octets.length, flags, key));
        this.cookies = key;
        this.references.set(key, { held, cookie });
    }

    ping(data) {
        const octets = octetsOf(data);
        check(lib.ping(this.raw, octets, octets.length));
    }

    close(code = numbers.CLOSE_NORMAL, reason = '') {
        const octets = octetsOf(reason);
        check(lib.close(this.raw, code, octets.length > 0 ? octets : null, octets.length));
    }

    // The head that is readable now: copies, fields as pairs in order.
    head() {
        const struct = new Struct('tenon_head');
        check(lib.head_get(this.raw, struct.octets));
        const head = { status: struct.get('status'), version: struct.get('version'), fields: [] };
        for (const name of ['method', 'target', 'authority', 'origin', 'reason']) {
            head[name] = slice(struct, koffi.offsetof(struct.type, name));
        }
        const fields = struct.octets.subarray(koffi.offsetof(struct.type, 'fields'));
        const position = memory(8);
        const field = new Struct('tenon_header');
        while (check(lib.header_next(fields, position, field.octets)) === numbers.OK) {
            head.fields.push([copy(field.get('name'), field.get('name_size')).toString('latin1'),
                copy(field.get('value'), field.get('value_size'))]);
        }
        return head;
    }

    accept({ subprotocol, extensions, headers } = {}) {
        const answer = new Struct('tenon_answer', { size: Struct.size('tenon_answer') });
        for (const [name, value] of [['subprotocol', text(subprotocol)], ['extensions', text(extensions)]]) {
            answer.set(name, value);
            answer.set(`${name}_size`, value ? value.length - 1 : 0);
        }
        headersInto(answer, headers);
        check(lib.accept(this.raw, answer.octets));
    }

    reject(status, { reason, headers, body } = {}) {
        const refusal = new Struct('tenon_refusal', { size: Struct.size('tenon_refusal'), status, flags: numbers.COPY });
        const [why, content] = [text(reason), text(body || '')];
        refusal.set('reason', why);
        refusal.set('reason_size', why ? why.length - 1 : 0);
        refusal.set('body', content);
        refusal.set('body_size', content.length - 1);
        headersInto(refusal, headers);
        check(lib.reject(this.raw, refusal.octets));
    }

    connect({ uri, authority, target, origin, subprotocols = [], extensions, headers }) {
        const request = new Struct('tenon_request', { size: Struct.size('tenon_request') });
        for (const [name, value] of Object.entries({ uri, authority, target, origin, extensions })) {
            request.set(name, string(value));
        }
        const names = subprotocols.map(string);
        request.held.push(...names);
        request.set('subprotocols', pointers(names));
        request.set('subprotocol_count', names.length);
        headersInto(request, headers);
        check(lib.connect(this.raw, request.octets));
        this.request = request; // borrowed until OPEN, RESPONSE or CLOSED
    }
}

// Where a ws: or wss: URI leads.
function parseUri(uri) {
    const octets = string(uri);
    if (octets === null || octets.length === 1) throw new TenonError(-14); // a size of 0 would mean: up to NUL
    const struct = new Struct('tenon_uri');
    check(lib.uri_parse(octets, octets.length - 1, struct.octets, null));
    const host = slice(struct, koffi.offsetof(struct.type, 'host')).toString();
    return { host, port: struct.get('port'), secure: struct.get('secure') === 1 };
}

// --------------------------------------------------------------- self-check

// Whether this is the library that the declarations are for: its version, the sizes that
// it tells, and the last event of a connection that ends at once.
function selfCheck() {
    const judge = (good, what) => {
        if (!good) throw new Error(`tenon: not the library that this module is for: ${what}`);
    };
    judge(lib.version() >>> 8 === 1, `version ${lib.version()}`);
    judge(Number(lib.conn_size()) <= numbers.STORAGE_SIZE, 'storage');
    judge(koffi.sizeof('void *') === 8 && koffi.sizeof('size_t') === 8, 'a system of 64 bits is wanted');
    const config = new Config('server');
    judge(config.struct.get('size') === config.struct.octets.length, 'config');
    const connection = new Connection(config, { rx: 256, tx: 512 });
    connection.recv(Buffer.from('GE'));
    judge(connection.next() === null, 'input');
    connection.abort(numbers.REMOTE);
    const event = connection.next();
    const seen = [event.type, event.code, event.rule, event.cause, event.offset, event.data].join();
    judge(seen === [numbers.EV_CLOSED, numbers.CLOSE_ABNORMAL, 111, numbers.REMOTE, 2, null].join(), `event ${seen}`);
}

selfCheck();

module.exports = {
    ...numbers,
    lib, koffi, structs, memory, Struct, check, TenonError, Config, Connection, parseUri,
    ruleName: lib.rule_name,
    ruleText: lib.rule_text,
    eventName: lib.event_name,
    closeName: lib.close_name,
};
