// SPDX-License-Identifier: MIT
// The echo client against the server of the npm package ws.
'use strict';

const crypto = require('crypto');
const http = require('http');
const { STEP_MS, WebSocket, Program, within, same, check, main, once } = require('./harness.js');

// Runs the client against a server that hands each connection to the body;
// returns exit status and output.
async function against(words, body, options = {}) {
    const server = new WebSocket.Server({ host: '127.0.0.1', port: 0, maxPayload: 0, ...options });
    await within(STEP_MS, once(server, 'listening'), 'a listening server');
    let served = Promise.resolve();
    server.on('connection', (ws) => {
        served = run(ws, body);
        served.catch(() => {}); // told where it is awaited
    });
    const client = new Program('examples/echo_client', ...words, `ws://127.0.0.1:${server.address().port}/`);
    try {
        const status = await client.status();
        await served;
        return [status, client.output];
    } catch (problem) {
        console.log(client.output.trim());
        throw problem;
    } finally {
        client.kill();
        server.clients.forEach((ws) => ws.terminate());
        server.close();
    }
}

async function run(ws, body) {
    const queue = [];
    const wanted = [];
    ws.on('error', () => {});
    ws.on('message', (data, binary) => {
        const message = binary ? data : data.toString();
        if (wanted.length > 0) wanted.shift()(message); else queue.push(message);
    });
    ws.next = () => within(STEP_MS,
        queue.length > 0 ? Promise.resolve(queue.shift()) : new Promise((take) => wanted.push(take)), 'a message');
    ws.ended = once(ws, 'close').then(([code, reason]) => [code, reason.toString()]);
    try {
        await body(ws);
    } finally {
        if (ws.readyState === WebSocket.OPEN) ws.close(1000);
    }
}

async function succeeds(words, body, options) {
    const [status, output] = await against(words, body, options);
    same(status, 0, `exit status; ${output}`);
    return output;
}

async function fails(words, body, word, options) {
    const [status, output] = await against(words, body, options);
    check(status > 0 && status < 64 && output.includes(word), `a failure with "${word}"`, [status, output]);
}

async function echoed(ws, data, what) {
    ws.send(data);
    same(await ws.next(), data, what);
}

function test_client_ws_sends_its_text() {
    return succeeds(['--send', 'Gr\u00fc\u00dfe \u{1f600}'], async (ws) => {
        same(await ws.next(), 'Gr\u00fc\u00dfe \u{1f600}', 'the message of --send');
    });
}

async function test_client_ws_prints_what_comes() {
    const output = await succeeds(['--send', 'hello there'], async (ws) => {
        ws.send(await ws.next());
        ws.send('something else');
    });
    check(output.includes('something else'), 'the message in what it prints', output);
}

function test_client_ws_echoes() {
    return succeeds([], async (ws) => {
        same(ws.extensions, '', 'extensions');
        for (const size of [0, 1, 125, 126, 127, 65535, 65536, 1 << 20]) {
            await echoed(ws, 'x'.repeat(size), `text of ${size}`);
            await echoed(ws, crypto.randomBytes(size), `binary of ${size}`);
        }
    }, { perMessageDeflate: true });
}

function test_client_ws_fragments_and_pings() {
    return succeeds([], async (ws) => {
        ws.send('frag', { fin: false });
        ws.ping('between');
        const [pong] = await within(STEP_MS, once(ws, 'pong'), 'a Pong within the message');
        same(pong.toString(), 'between', 'Pong');
        ws.send('ments', { fin: true });
        same(await ws.next(), 'fragments', 'the message');
    });
}

function test_client_ws_burst_keeps_its_order() {
    return succeeds([], async (ws) => {
        for (let i = 0; i < 1000; i += 1) ws.send(String(i));
        for (let i = 0; i < 1000; i += 1) same(await ws.next(), String(i), 'echo of the burst');
    });
}

async function test_client_ws_close_is_answered() {
    const output = await succeeds([], async (ws) => {
        ws.close(1000, 'done');
        same((await within(STEP_MS, ws.ended, 'the end'))[0], 1000, 'Close of the client');
    });
    check(output.includes('done'), 'the reason in what it prints', output);
}

function test_client_ws_connection_dropped() {
    return fails([], async (ws) => { ws.terminate(); }, '');
}

async function test_client_ws_refused() {
    for (const status of [401, 403]) {
        const verifyClient = (_info, answer) => answer(false, status, http.STATUS_CODES[status]);
        await fails(['--send', 'never'], async () => {}, String(status), { verifyClient });
    }
}

main({
    test_client_ws_sends_its_text,
    test_client_ws_prints_what_comes,
    test_client_ws_echoes,
    test_client_ws_fragments_and_pings,
    test_client_ws_burst_keeps_its_order,
    test_client_ws_close_is_answered,
    test_client_ws_connection_dropped,
    test_client_ws_refused,
});
