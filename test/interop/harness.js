// SPDX-License-Identifier: MIT
// What the node scripts share: the runner, programs, and waiting for events.
'use strict';

const { spawn } = require('child_process');
const { once, EventEmitter } = require('events');
const fs = require('fs');
const path = require('path');

const BUILD = process.env.TENON_INTEROP_BUILD || 'build';
const TEST_MS = 20000;
const STEP_MS = 10000;

// The package is installed beside the programs, not in the source tree.
const WebSocket = require(path.join(path.resolve(BUILD), 'npm', 'node_modules', 'ws'));

function short(value) {
    const text = Buffer.isBuffer(value) ? `${value.length} octets` : JSON.stringify(value) || String(value);
    return text.length <= 200 ? text : `${text.slice(0, 160)}... (${text.length} characters)`;
}

function same(actual, expected, what) {
    const equal = Buffer.isBuffer(actual) && Buffer.isBuffer(expected)
        ? actual.equals(expected) : JSON.stringify(actual) === JSON.stringify(expected);
    if (!equal) throw new Error(`${what}: expected ${short(expected)}, actual ${short(actual)}`);
}

function check(condition, expected, actual) {
    if (!condition) throw new Error(`expected ${expected}, actual ${short(actual)}`);
}

// Settles as the promise does, or fails after so long.
function within(ms, promise, what) {
    let timer;
    const late = new Promise((_, reject) => {
        timer = setTimeout(() => reject(new Error(`expected ${what} within ${ms} ms, actual: nothing`)), ms);
    });
    return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

// ---------------------------------------------------------------- programs

// A program under test; what it prints is kept, and each line is an event.
class Program extends EventEmitter {
    constructor(name, ...words) {
        super();
        this.output = '';
        this.name = name;
        this.child = spawn(path.join(BUILD, name), words.map(String), { stdio: ['ignore', 'pipe', 'pipe'] });
        this.ended = once(this.child, 'close').then(([status, signal]) => (signal === null ? status : signal));
        this.ended.catch(() => {});
        for (const stream of [this.child.stdout, this.child.stderr]) {
            stream.setEncoding('utf8').on('data', (text) => this.take(text));
        }
    }

    take(text) {
        this.output += text;
        this.emit('output');
    }

    // What the pattern finds in the output, once it does.
    async find(pattern) {
        for (;;) {
            const found = pattern.exec(this.output);
            if (found) return found;
            await within(STEP_MS, Promise.race([once(this, 'output'), this.ended]), `${pattern} from ${this.name}`);
            if (this.child.exitCode !== null && !pattern.test(this.output)) {
                throw new Error(`expected ${pattern} from ${this.name}, actual ${short(this.output)}`);
            }
        }
    }

    status() {
        return within(STEP_MS, this.ended, `the exit of ${this.name}`);
    }

    kill() {
        if (this.child.exitCode === null && this.child.signalCode === null) this.child.kill('SIGKILL');
    }
}

// Runs the body with the URL of an echo server, which must end well afterwards.
async function withServer(words, body) {
    const server = new Program('examples/echo_server', '--port', 0, ...words);
    try {
        const [, port] = await server.find(/^listening on 127\.0\.0\.1:(\d+)\n/);
        await body(`ws://127.0.0.1:${port}/`, server);
        server.child.kill('SIGTERM');
        same(await server.status(), 0, 'exit status of the server after SIGTERM');
    } catch (problem) {
        console.log(server.output.trim());
        throw problem;
    } finally {
        server.kill();
    }
}

// ------------------------------------------------------------------ runner

async function attempt(name, test) {
    try {
        await within(TEST_MS, test(), 'the end of the test');
    } catch (problem) {
        console.log(`FAIL ${name}: ${problem.message}\n${problem.stack}`);
        return;
    }
    console.log(`OK ${name}`);
    if (process.env.TENON_INTEROP_LOG) fs.appendFileSync(process.env.TENON_INTEROP_LOG, `OK ${name}\n`);
}

async function main(tests) {
    process.exitCode = 1; // unless the end below is reached
    const wanted = process.argv.slice(2);
    for (const [name, test] of Object.entries(tests)) {
        if (wanted.length === 0 || wanted.includes(name)) await attempt(name, test);
    }
    process.exit(0);
}

module.exports = { STEP_MS, WebSocket, Program, withServer, within, same, check, main, once };
