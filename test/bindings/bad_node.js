// SPDX-License-Identifier: MIT
// Bad input to the Node binding: an error with the library's name for it, and no crash.
'use strict';

const tenon = require('../../examples/bindings/node/tenon.js');

const { Config, Connection, Struct, check, lib, memory } = tenon;

const UPGRADE = Buffer.from('GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n'
    + 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n');
const server = new Config('server');

// A connection whose request waits for its decision.
function asked() {
    const connection = new Connection(server);
    connection.recv(UPGRADE);
    if (connection.next().type !== tenon.EV_REQUEST) throw new Error('no request');
    return connection;
}

function opened() {
    const connection = asked();
    connection.accept();
    if (connection.next().type !== tenon.EV_OPEN) throw new Error('not open');
    return connection;
}

function ended() {
    const connection = opened();
    connection.abort();
    if (connection.next().type !== tenon.EV_CLOSED) throw new Error('not closed');
    return connection;
}

function init({ size = 384, offset = 0, config = server.struct.octets, place = memory(8) } = {}) {
    check(lib.init(memory(512).subarray(offset), size, config, place));
}

function shorterConfig() {
    const { struct } = new Config('server');
    struct.set('size', struct.octets.length - 8);
    init({ config: struct.octets });
}

function unfilledConfig() {
    init({ config: new Struct('tenon_config', { size: Struct.size('tenon_config') }).octets });
}

function ask(request) {
    new Connection(new Config('client')).connect(request);
}

const BAD = [
    ['storage too small', 'SIZE', () => init({ size: 100 })],
    ['storage misaligned', 'SIZE', () => init({ offset: 1 })],
    ['storage NULL', 'NULL', () => check(lib.init(null, 384, server.struct.octets, memory(8)))],
    ['no place for the connection', 'NULL', () => init({ place: null })],
    ['config NULL', 'NULL', () => check(lib.config_server(null, 112))],
    ['config smaller than the library\'s', 'SIZE', () => check(lib.config_server(memory(112), 104))],
    ['config of another size', 'SIZE', shorterConfig],
    ['config that nothing has filled', 'ARG', unfilledConfig],
    ['limit that does not fit', 'ARG', () => new Config('server', { max_head: 2 ** 32 })],
    ['limit below 0', 'ARG', () => new Config('server', { max_head: -1 })],
    ['client without random', 'RANDOM', () => new Connection(new Config('client', { random: null }))],
    ['random that throws', 'RANDOM', () => new Connection(new Config('client', { random: () => { throw new Error('none'); } }))
        .connect({ uri: 'ws://a/' })],
    ['random that gives too little', 'RANDOM', () => new Connection(new Config('client', { random: () => Buffer.alloc(1) }))
        .connect({ uri: 'ws://a/' })],
    ['rx too small', 'SIZE', () => new Connection(server, { rx: 255 })],
    ['tx too small', 'SIZE', () => new Connection(server, { tx: 511 })],
    ['run without a callback', 'NULL', () => check(lib.run(opened().raw, null, null))],
    ['pump without its struct', 'NULL', () => check(lib.pump(opened().raw, null))],
    ['pump with a struct of another size', 'SIZE', () => check(lib.pump(opened().raw, memory(72)))],
    ['connection NULL', 'NULL', () => check(lib.next(null, memory(64)))],
    ['event NULL', 'NULL', () => check(lib.next(opened().raw, null))],
    ['data NULL', 'NULL', () => check(lib.send(opened().raw, tenon.TEXT, null, 5, 0))],
    ['acknowledged too much', 'ACK', () => { const one = opened(); one.takeOutput(); check(lib.sent(one.raw, 1)); }],
    ['opcode that is none', 'ARG', () => opened().send(7, 'x')],
    ['text that is not UTF-8', 'UTF8', () => opened().send(tenon.TEXT, Buffer.from([255]))],
    ['ping too long', 'CONTROL_SIZE', () => opened().ping('x'.repeat(126))],
    ['close code that must not be sent', 'CODE', () => opened().close(1006)],
    ['close reason too long', 'CONTROL_SIZE', () => opened().close(1000, 'x'.repeat(124))],
    ['answer without a request', 'STATE', () => opened().accept()],
    ['answer of another size', 'SIZE', () => check(lib.accept(asked().raw, memory(56)))],
    ['subprotocol not offered', 'SUBPROTOCOL', () => asked().accept({ subprotocol: 'chat' })],
    ['field with a line end', 'HEADER', () => asked().accept({ headers: [['A', 'b\r\nC: d']] })],
    ['field with a NUL', 'HEADER', () => asked().accept({ headers: [['A', 'b\0c']] })],
    ['field without a name', 'HEADER', () => asked().accept({ headers: [['', 'b']] })],
    ['status that refuses nothing', 'STATUS', () => asked().reject(101)],
    ['status that does not fit', 'ARG', () => asked().reject(65536 + 403)],
    ['URI of another scheme', 'URI', () => tenon.parseUri('ftp://a/')],
    ['URI that is empty', 'URI', () => tenon.parseUri('')],
    ['URI that is missing', 'URI', () => tenon.parseUri(undefined)],
    ['URI with a NUL', 'ARG', () => tenon.parseUri('ws://a/\0b')],
    ['request with a NUL', 'ARG', () => ask({ uri: 'ws://a/\0b' })],
    ['request by a server', 'STATE', () => new Connection(server).connect({ uri: 'ws://a/' })],
    ['input after the end', 'STATE', () => ended().recv(Buffer.from('x'))],
    ['send after the end', 'STATE', () => ended().send(tenon.TEXT, 'x')],
    ['the same event again, without one', 'STATE', () => new Connection(server).again()],
];

// A size of 0 beside a pointer means NUL: an empty value must not be read beyond.
function emptyValue() {
    const connection = asked();
    connection.accept({ headers: [['X-Empty', '']] });
    return connection.takeOutput().includes('\r\nX-Empty: \r\n\r\n');
}

function unknownLimit() {
    try {
        return new Config('server', { max_heads: 1 }) === null;
    } catch (problem) {
        return problem instanceof TypeError;
    }
}

// What the library has borrowed stays where it is while garbage is collected around it.
function keptWhileBorrowed() {
    const connection = opened();
    connection.takeOutput();
    const message = Buffer.alloc(300000, 'kept');
    connection.sendRef(tenon.BINARY, Buffer.from(message), 0, 'mine');
    for (let i = 0; i < 200; i += 1) Buffer.alloc(100000, i);
    if (global.gc) global.gc();
    const output = connection.takeOutput();
    const event = connection.next();
    return output.includes(message.subarray(0, 65536)) && event.type === tenon.EV_RELEASED && event.cookie === 'mine';
}

let failed = 0;

function tell(good, text) {
    console.log(`${good ? 'OK' : 'FAIL'} node, ${text}`);
    if (!good) failed += 1;
}

for (const [what, wanted, body] of BAD) {
    let got = 'nothing';
    try {
        body();
    } catch (problem) {
        got = problem.code || problem.message;
    }
    tell(got === `TENON_ERR_${wanted}`, `${what}: ${got}`);
}
tell(emptyValue(), 'empty value');
tell(unknownLimit(), 'unknown limit');
tell(keptWhileBorrowed(), 'kept while borrowed');
process.exitCode = failed > 0 ? 1 : 0;
