// SPDX-License-Identifier: MIT
// The echo programs of the bindings and the npm package ws, on loopback.
//
//   node interop.js NAME COMMAND...     (without the role; WS_MODULE names the package)
//
// The same exchange, with the program as server and as client: messages, pings and closing
// handshakes from either side.
'use strict';

const { spawn } = require('child_process');
const { once, EventEmitter } = require('events');

const WebSocket = require(process.env.WS_MODULE);

const STEP_MS = 10000;
const MIB = 1 << 20;
const SIZES = [0, 1, 125, 126, 65535, 65536, MIB];
const TEXTS = ['plain', 'gr\u00fc\u00dfe \u2713', '\u00a2\u20ac\u{1f600}', '\0\x7f\u0080\u07ff\u0800\uffff', '\ud7ff\ue000\u{10ffff}'];
const REASON = 'gr\u00fc\u00dfe \u2713';

const [name, ...command] = process.argv.slice(2);

function short(value) {
    const text = Buffer.isBuffer(value) ? `${value.length} octets` : String(JSON.stringify(value));
    return text.length < 120 ? text : `${text.slice(0, 100)}... (${text.length} characters)`;
}

function same(actual, expected, what) {
    const equal = Buffer.isBuffer(expected) ? Buffer.isBuffer(actual) && actual.equals(expected)
        : JSON.stringify(actual) === JSON.stringify(expected);
    if (!equal) throw new Error(`${what}: expected ${short(expected)}, actual ${short(actual)}`);
}

function within(promise, what) {
    let timer;
    const late = new Promise((_, reject) => {
        timer = setTimeout(() => reject(new Error(`${what} did not come within ${STEP_MS} ms`)), STEP_MS);
    });
    return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

// The echo program; its lines are waited for, one by one.
class Program extends EventEmitter {
    constructor(...words) {
        super();
        this.output = '';
        this.errors = '';
        this.child = spawn(command[0], [...command.slice(1), ...words], { stdio: ['ignore', 'pipe', 'pipe'] });
        this.exit = once(this.child, 'close').then(([status]) => status);
        this.child.stdout.setEncoding('utf8').on('data', (text) => {
            this.output += text;
            this.emit('more');
        });
        this.child.stderr.setEncoding('utf8').on('data', (text) => { this.errors += text; });
    }

    async line() {
        while (!this.output.includes('\n')) {
            const over = this.exit.then((status) => { throw new Error(`${name} ended with ${status}: ${this.errors}`); });
            await within(Promise.race([once(this, 'more'), over]), `a line of ${name}`);
        }
        const [line, ...rest] = this.output.split('\n');
        this.output = rest.join('\n');
        return line;
    }

    end() {
        if (this.child.exitCode === null && this.child.signalCode === null) this.child.kill('SIGKILL');
    }
}

// What an open socket of ws receives, in a queue.
function watch(ws) {
    const queue = [];
    const waiting = [];
    const put = (one) => { (waiting.length > 0 ? waiting.shift() : (item) => queue.push(item))(one); };
    ws.on('error', () => {});
    ws.on('message', (data, binary) => put(binary ? data : data.toString()));
    ws.on('ping', (data) => put(['ping', data.toString()]));
    ws.on('pong', (data) => put(['pong', data.toString()]));
    ws.ended = once(ws, 'close').then(([code, reason]) => [code, reason.toString()]);
    ws.next = (what) => within(queue.length > 0 ? Promise.resolve(queue.shift())
        : new Promise((take) => { waiting.push(take); }), what);
    return ws;
}

// ------------------------------------------------------------- the exchange

async function messages(ws) {
    for (const size of SIZES) {
        for (const data of ['x'.repeat(size), Buffer.alloc(size, `${size}`), '\u00fc'.repeat(size / 2)]) {
            ws.send(data);
            same(await ws.next(`an echo of ${size}`), data, `echo of ${size}`);
        }
    }
    for (const text of TEXTS) {
        ws.send(text);
        same(await ws.next('an echo of text'), text, 'text');
    }
}

async function fragments(ws) {
    ['frag', '', 'ments'].forEach((piece, i) => ws.send(piece, { fin: i === 2 }));
    ws.ping('between');
    const found = [await ws.next('the echo or the Pong'), await ws.next('the other one')];
    same(found.filter((one) => typeof one === 'string'), ['fragments'], 'message in fragments');
    same(found.filter((one) => Array.isArray(one)), [['pong', 'between']], 'Pong');
}

// More than any buffer holds, so that the program has to wait for room.
async function burst(ws) {
    const sent = Array.from({ length: 16 }, (_, i) => Buffer.alloc(MIB / 4, String(i)));
    sent.forEach((data) => ws.send(data));
    for (const data of sent) same(await ws.next('an echo of the burst'), data, 'echo of the burst');
}

async function pings(ws) {
    for (const payload of ['', 'p', 'x'.repeat(125)]) {
        ws.ping(payload);
        same(await ws.next('a Pong'), ['pong', payload], 'Pong');
    }
    ws.send('ping own');
    same(await ws.next('a Ping'), ['ping', 'own'], 'Ping of the program');
}

async function closedByPeer(ws, program, code, reason) {
    ws.close(code, reason);
    same((await within(ws.ended, 'the end'))[0], code, 'the code that answers');
    same((await program.line()).split(' ').slice(0, 2), ['closed', String(code)], 'what the program prints');
}

async function closedByProgram(ws, program, code) {
    ws.send(`close ${code} ${REASON}`);
    same(await within(ws.ended, 'the end'), [code, REASON], 'the Close of the program');
    same((await program.line()).split(' ').slice(0, 2), ['closed', String(code)], 'what the program prints');
}

async function closedWithoutCode(ws, program) {
    ws.close();
    same(await within(ws.ended, 'the end'), [1005, ''], 'Close without a code');
    same((await program.line()).split(' ').slice(0, 2), ['closed', '1005'], 'what the program prints');
}

async function dropped(ws, program) {
    ws.terminate();
    same((await program.line()).split(' ').slice(0, 2), ['closed', '1006'], 'what the program prints');
}

async function exchange(ws) {
    await messages(ws);
    await fragments(ws);
    await burst(ws);
    await pings(ws);
}

const ENDINGS = [
    ['close 1000', (ws, program) => closedByPeer(ws, program, 1000, '')],
    ['close 1001', (ws, program) => closedByPeer(ws, program, 1001, REASON)],
    ['close 3456', (ws, program) => closedByPeer(ws, program, 3456, REASON)],
    ['close without a code', closedWithoutCode],
    ['own close 1000', (ws, program) => closedByProgram(ws, program, 1000)],
    ['own close 4999', (ws, program) => closedByProgram(ws, program, 4999)],
    ['dropped', dropped],
];

// --------------------------------------------------------------- both roles

// Each part with a connection of its own to one server.
async function asServer(attempt) {
    const program = new Program('server', '0');
    try {
        const [, port] = /^listening on 127\.0\.0\.1:(\d+)$/.exec(await program.line());
        const part = (what, body) => attempt(`as server: ${what}`, async () => {
            const ws = watch(new WebSocket(`ws://127.0.0.1:${port}/`));
            try {
                await within(once(ws, 'open'), 'an open connection');
                await body(ws, program);
            } finally {
                ws.terminate();
            }
        });
        await part('messages, fragments, a burst, pings, a close', async (ws) => {
            await exchange(ws);
            await closedByPeer(ws, program, 1000, '');
        });
        for (const [what, body] of ENDINGS) await part(what, body);
        await part('still there', async (ws) => {
            await pings(ws);
            await closedByPeer(ws, program, 1000, 'done');
        });
    } finally {
        program.end();
    }
}

// Each part with a client of its own, which must end well.
async function asClient(attempt) {
    const part = (what, body) => attempt(`as client: ${what}`, async () => {
        const server = new WebSocket.Server({ port: 0, host: '127.0.0.1' });
        await once(server, 'listening');
        const program = new Program('client', `ws://127.0.0.1:${server.address().port}/`);
        try {
            const over = program.exit.then((status) => { throw new Error(`ended with ${status}: ${program.errors}`); });
            over.catch(() => {});
            const [ws] = await within(Promise.race([once(server, 'connection'), over]), 'a client');
            await body(watch(ws), program);
            same(await within(program.exit, 'the end of the client'), 0, `exit status; ${program.errors}`);
        } finally {
            server.clients.forEach((ws) => ws.terminate());
            server.close();
            program.end();
        }
    });
    await part('messages, fragments, a burst, pings, a close', async (ws, program) => {
        await exchange(ws);
        await closedByPeer(ws, program, 1000, '');
    });
    for (const [what, body] of ENDINGS) await part(what, body);
}

async function main() {
    let failed = 0;
    const attempt = async (what, body) => {
        try {
            await body();
            console.log(`OK ${name} ${what}`);
        } catch (problem) {
            failed += 1;
            console.log(`FAIL ${name} ${what}: ${problem.message}`);
        }
    };
    await asServer(attempt).catch((problem) => attempt('as server', () => { throw problem; }));
    await asClient(attempt);
    process.exit(failed > 0 ? 1 : 0);
}

main();
