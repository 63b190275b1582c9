// SPDX-License-Identifier: MIT
// The client of the npm package ws against the echo server.
'use strict';

const crypto = require('crypto');
const { STEP_MS, WebSocket, withServer, within, same, check, main, once } = require('./harness.js');

const MIB = 1 << 20;
const UNICODE = ['plain', '\u00a2\u20ac\u{1f600}', '\0\x7f\u0080\u07ff\u0800\uffff', '\ufeffmark\ufffd\ufffe',
    '\ud7ff\ue000\u{10ffff}', 'e\u0301 \u05d0\u05d1 \u6f22\u5b57', '\u{1f468}\u200d\u{1f469}'.repeat(50)];

// An open client whose messages wait in a queue until asked for.
async function open(url, options = {}) {
    const ws = new WebSocket(url, options);
    const queue = [];
    const wanted = [];
    ws.on('message', (data, binary) => {
        const message = binary ? data : data.toString();
        if (wanted.length > 0) wanted.shift()(message); else queue.push(message);
    });
    ws.on('error', () => {});
    ws.next = () => within(STEP_MS,
        queue.length > 0 ? Promise.resolve(queue.shift()) : new Promise((take) => wanted.push(take)), 'a message');
    ws.ended = once(ws, 'close').then(([code, reason]) => [code, reason.toString()]);
    await within(STEP_MS, once(ws, 'open'), 'an open connection');
    return ws;
}

function ended(ws) {
    return within(STEP_MS, ws.ended, 'the end of the connection');
}

async function back(ws, data, what) {
    ws.send(data);
    same(await ws.next(), data, what);
}

async function sizes(ws, numbers) {
    for (const size of numbers) {
        await back(ws, 'x'.repeat(size), `text of ${size}`);
        await back(ws, crypto.randomBytes(size), `binary of ${size}`);
    }
}

async function withClient(words, body, options = {}) {
    await withServer(words, async (url, server) => {
        const ws = await open(url, options);
        await body(ws, url, server);
        ws.terminate();
    });
}

function test_ws_sizes() {
    return withClient([], async (ws) => {
        same(ws.extensions, '', 'extensions, though one was offered');
        await sizes(ws, [0, 1, 125, 126, 127, 65535, 65536, 65537]);
    });
}

function test_ws_large() {
    return withClient(['--max-message', 16 * MIB], (ws) => sizes(ws, [MIB, 16 * MIB]), { maxPayload: 0 });
}

function parts(ws, pieces, binary) {
    pieces.forEach((piece, i) => ws.send(piece, { binary, fin: i === pieces.length - 1 }));
}

function test_ws_fragments() {
    return withClient([], async (ws) => {
        const cases = [['one'], ['', 'middle', ''], ['', ''], [...'letters'], Array(8).fill('a'.repeat(65536))];
        for (const pieces of cases) {
            parts(ws, pieces, false);
            same(await ws.next(), pieces.join(''), `text of ${pieces.length} parts`);
            parts(ws, pieces, true);
            same(await ws.next(), Buffer.from(pieces.join('')), `binary of ${pieces.length} parts`);
        }
    });
}

// A code point in two frames, with a Ping in between.
function test_ws_code_point_in_two_frames() {
    return withClient([], async (ws) => {
        ws.send(Buffer.from([0xe2, 0x82]), { binary: false, fin: false });
        ws.ping('between');
        const [pong] = await within(STEP_MS, once(ws, 'pong'), 'a Pong within the message');
        same(pong.toString(), 'between', 'Pong');
        ws.send(Buffer.from([0xac]), { binary: false, fin: true });
        same(await ws.next(), '\u20ac', 'the message');
    });
}

function test_ws_pings() {
    return withClient([], async (ws) => {
        const got = [];
        ws.on('pong', (data) => got.push(data.toString('hex')));
        const sent = [Buffer.alloc(0), Buffer.from('payload'), Buffer.from('00fffefd', 'hex'), Buffer.alloc(125, 'x')];
        for (let i = 0; i < 10; i += 1) sent.push(Buffer.from(`payload-${i}`));
        sent.forEach((data) => ws.ping(data));
        await back(ws, 'after', 'text behind the Pings');
        same(got, sent.map((data) => data.toString('hex')), 'Pongs, in order');
    });
}

function test_ws_unicode() {
    return withClient([], async (ws) => {
        for (const words of UNICODE) await back(ws, words, 'unicode');
    });
}

function test_ws_close_codes() {
    return withServer([], async (url) => {
        for (const code of [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4999]) {
            for (const reason of ['', 'bye', '\u2026'.repeat(41)]) {
                const ws = await open(url);
                ws.close(code, reason);
                same((await ended(ws))[0], code, `Close ${code} echoed`);
            }
        }
    });
}

function test_ws_close_without_code() {
    return withClient([], async (ws) => {
        ws.close();
        same(await ended(ws), [1005, ''], 'Close without a code');
    });
}

function test_ws_message_beyond_the_limit() {
    return withClient(['--max-message', 1000], async (ws, url) => {
        await sizes(ws, [1000]);
        ws.send('x'.repeat(1001));
        same((await ended(ws))[0], 1009, 'code');
        const another = await open(url);
        await back(another, 'another', 'text of another client');
        another.terminate();
    });
}

function test_ws_many_clients() {
    return withServer([], async (url) => {
        const clients = await Promise.all(Array.from({ length: 200 }, () => open(url)));
        await Promise.all(clients.map((ws, i) => back(ws, `number ${i}`, 'text')));
        clients.forEach((ws) => ws.close(1000, 'done'));
        for (const ws of clients) same((await ended(ws))[0], 1000, 'closed');
    });
}

function test_ws_burst_keeps_its_order() {
    return withClient([], async (ws) => {
        for (let i = 0; i < 1000; i += 1) ws.send(String(i));
        for (let i = 0; i < 1000; i += 1) same(await ws.next(), String(i), 'message of the burst');
    });
}

function test_ws_killed_client() {
    return withClient([], async (other, url) => {
        for (let i = 0; i < 10; i += 1) {
            const ws = await open(url);
            ws.send('x'.repeat(100000));
            ws._socket.resetAndDestroy();
            await ended(ws);
            await back(other, 'unharmed', 'text of the other client');
        }
    });
}

// Resolves once the transport takes no more, or all is taken.
async function stalled(ws) {
    for (let before = -1; ws.bufferedAmount !== before;) {
        before = ws.bufferedAmount;
        await new Promise((tick) => { setTimeout(tick, 100); });
    }
}

function test_ws_slow_reader() {
    return withClient([], async (ws) => {
        ws.pause();
        const messages = Array.from({ length: 32 }, () => crypto.randomBytes(MIB / 4));
        messages.forEach((message) => ws.send(message));
        await within(STEP_MS, stalled(ws), 'a transport that stalls or has taken all');
        ws.resume();
        for (const message of messages) same(await ws.next(), message, 'message');
    });
}

function test_ws_sigterm() {
    return withServer([], async (url, server) => {
        const clients = await Promise.all(Array.from({ length: 20 }, () => open(url)));
        await Promise.all(clients.map((ws) => back(ws, 'here', 'text')));
        server.child.kill('SIGTERM');
        for (const ws of clients) same((await ended(ws))[0], 1001, 'code after SIGTERM');
        check(await server.status() === 0, 'exit status 0', server.output);
    });
}

main({
    test_ws_sizes,
    test_ws_large,
    test_ws_fragments,
    test_ws_code_point_in_two_frames,
    test_ws_pings,
    test_ws_unicode,
    test_ws_close_codes,
    test_ws_close_without_code,
    test_ws_message_beyond_the_limit,
    test_ws_many_clients,
    test_ws_burst_keeps_its_order,
    test_ws_killed_client,
    test_ws_slow_reader,
    test_ws_sigterm,
});
