// SPDX-License-Identifier: MIT
// What the browser tests share: waiting, servers, a network that fails, and pages.
'use strict';

const { spawn } = require('child_process');
const net = require('net');
const path = require('path');

const BUILD = path.resolve(process.env.TENON_BUILD || 'build');
const STEP_MS = 15000;
const PING_MS = 300;

// ------------------------------------------------------------------------ waiting

function same(actual, expected, what) {
    const [a, e] = [JSON.stringify(actual), JSON.stringify(expected)];
    if (a !== e) throw new Error(`${what}: expected ${e.slice(0, 300)}, actual ${String(a).slice(0, 300)}`);
}

const pause = (ms) => new Promise((resolve) => { setTimeout(resolve, ms); });

// Polls until the condition gives something true, and returns that.
async function until(what, condition, ms = STEP_MS) {
    const end = Date.now() + ms;
    for (;;) {
        const value = await condition();
        if (value) return value;
        if (Date.now() > end) throw new Error(`expected ${what} within ${ms} ms, actual: not so`);
        await pause(20);
    }
}

// The condition stays true for so long.
async function stays(what, condition, ms) {
    const end = Date.now() + ms;
    while (Date.now() < end) {
        if (!await condition()) throw new Error(`expected ${what} for ${ms} ms, actual: not so`);
        await pause(20);
    }
}

function within(ms, promise, what) {
    let timer;
    const late = new Promise((_, reject) => {
        timer = setTimeout(() => reject(new Error(`expected ${what} within ${ms} ms, actual: still running`)), ms);
    });
    return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

// ----------------------------------------------------------------------- programs

// A server under test; ended with its test, and in order if the test did not end it.
class Server {
    constructor(name, ...options) {
        this.output = '';
        this.child = spawn(path.join(BUILD, 'examples', name), options.map(String), { stdio: ['ignore', 'pipe', 'inherit'] });
        this.child.stdout.setEncoding('utf8').on('data', (text) => { this.output += text; });
        this.ended = new Promise((resolve) => { this.child.once('close', (status, signal) => resolve(signal || status)); });
        this.running = true;
        this.ended.then(() => { this.running = false; });
    }

    async ready() {
        const found = await until('a port', () => /listening on 127\.0\.0\.1:(\d+)/.exec(this.output) || !this.running);
        if (found === true) throw new Error(`expected a server, actual: it ended with ${await this.ended}`);
        this.port = Number(found[1]);
        return this;
    }

    async end(signal = 'SIGTERM') {
        if (!this.running) return;
        this.child.kill(signal);
        same(await within(STEP_MS, this.ended, 'the end of the server'), signal === 'SIGKILL' ? signal : 0, 'exit status');
    }

    async metric(name) {
        const text = await (await fetch(`http://127.0.0.1:${this.port}/metrics`)).text();
        return (text.split('\n').find((line) => line.startsWith(`${name} `)) || '').split(' ')[1];
    }
}

// A listener on a port, whatever it does with its connections.
async function listen(server, port = 0) {
    await new Promise((resolve, reject) => { server.once('error', reject).listen(port, '127.0.0.1', resolve); });
    return server.address().port;
}

// A path to a port that can go deaf in either direction without telling anyone.
class Forwarder {
    constructor(port) {
        this.frozen = { up: false, down: false };
        this.pairs = new Set();
        this.server = net.createServer((near) => this.join(near, net.connect(port, '127.0.0.1')));
    }

    join(near, far) {
        const pair = { near, far };
        this.pairs.add(pair);
        for (const [from, to, way] of [[near, far, 'up'], [far, near, 'down']]) {
            from.on('data', (data) => { to.write(data); });
            from.on('end', () => to.end());
            from.on('error', () => to.destroy());
            from.on('close', () => { to.destroy(); this.pairs.delete(pair); });
            if (this.frozen[way]) from.pause();
        }
    }

    // Stops forwarding, also for those that come; or goes on.
    freeze(up, down) {
        this.frozen = { up, down };
        for (const { near, far } of this.pairs) {
            near[up ? 'pause' : 'resume']();
            far[down ? 'pause' : 'resume']();
        }
    }

    // Ends what is connected now, hard.
    cut() {
        for (const { near, far } of this.pairs) {
            near.resetAndDestroy();
            far.resetAndDestroy();
        }
    }

    async start() {
        this.port = await listen(this.server);
        return this;
    }

    end() {
        this.server.close();
        this.cut();
    }
}

// What a test may start; all of it ends with the test.
class Stage {
    constructor(driver) {
        Object.assign(this, { driver, servers: [], profiles: [], pages: [], closing: [] });
    }

    async serve(name, ...options) {
        const server = new Server(name, ...options);
        this.servers.push(server);
        return server.ready();
    }

    chat(port = 0, ping = PING_MS) {
        return this.serve('chat_server', '--port', port, '--ping-interval', ping, '--lines-per-second', 0);
    }

    async forwarder(server) {
        const forwarder = await new Forwarder(server.port).start();
        this.closing.push(() => forwarder.end());
        return forwarder;
    }

    // A server of the test's own that is in the way, or in the place, of one under test.
    async stand(server, port = 0) {
        const end = () => new Promise((resolve) => {
            server.close(resolve);
            if (server.closeAllConnections) server.closeAllConnections();
        });
        this.closing.push(end);
        return { port: await listen(server, port), end };
    }

    async profile(options) {
        const profile = await this.driver.profile(options);
        this.profiles.push(profile);
        return profile;
    }

    async page(width = 1000, height = 700, options = {}) {
        const page = await (await this.profile(options)).page(width, height);
        this.pages.push(page);
        return page;
    }

    // A page of the chat, open, in a profile of its own. before: runs ahead of the page's script.
    async visit(target, { width, height, name = 'Ann', dark = false, before = null } = {}) {
        const page = await this.page(width, height, { dark });
        await page.first(before || (() => {}));
        await page.goto(typeof target === 'string' ? target : at(target));
        await isState(page, 'open');
        await rename(page, name);
        await isState(page, 'open');
        return page;
    }

    async end(failed) {
        const complaints = this.pages.flatMap((page) => page.complaints);
        for (const profile of this.profiles) await profile.close();
        for (const close of this.closing) close();
        for (const server of this.servers) {
            if (failed) server.child.kill('SIGKILL');
            else await server.end();
        }
        if (!failed) same(complaints, [], 'complaints of the pages');
    }
}

// -------------------------------------------------------------------- on the page

const at = (server) => `http://127.0.0.1:${server.port}/`;

const read = (page, id) => page.evaluate((name) => document.getElementById(name).textContent, id);
const words = (page) => read(page, 'words');
const state = (page) => page.evaluate(() => document.getElementById('state').dataset.state);
const focus = (page, id) => page.evaluate((name) => document.getElementById(name).focus(), id);

function isState(page, wanted, ms) {
    return until(`the state ${wanted}`, async () => await state(page) === wanted, ms);
}

// The lines shown: [text, own, pending].
const lines = (page) => page.evaluate(() => [...document.querySelectorAll('#log li:not(.note)')].map((item) => [
    item.querySelector('.text').textContent, item.classList.contains('own'), item.classList.contains('pending')]));

const notes = (page) => page.evaluate(() => [...document.querySelectorAll('#log .note')].map((item) => item.textContent));

async function shows(page, expected) {
    let found;
    try {
        await until('the lines', async () => {
            found = JSON.stringify(await lines(page));
            return found === JSON.stringify(expected);
        });
    } catch {
        throw new Error(`the lines: expected ${JSON.stringify(expected).slice(0, 200)}, actual ${found.slice(0, 200)}`);
    }
}

async function say(page, text) {
    await focus(page, 'line');
    await page.keyboard.type(text);
    await page.keyboard.press('Enter');
}

async function rename(page, name) {
    await page.evaluate((value) => {
        const field = document.getElementById('name');
        field.value = value;
        field.dispatchEvent(new Event('change'));
    }, name);
}

async function pressed(page, held, key) {
    await page.keyboard.down(held);
    await page.keyboard.press(key);
    await page.keyboard.up(held);
}

// Runs in a page: a socket, and all that it heard.
function socketProgram(url, protocols) {
    const heard = { opened: false, messages: [], closed: null };
    const socket = new WebSocket(url, protocols);
    socket.binaryType = 'arraybuffer';
    socket.onopen = () => { heard.opened = true; };
    socket.onmessage = (event) => { heard.messages.push(event.data); };
    socket.onclose = ({ code, reason, wasClean }) => { heard.closed = { code, reason, wasClean }; };
    window.probe = { socket, heard };
}

const beginSocket = (page, url, protocol = '') => page.evaluate(
    new Function('url', `(${socketProgram})(url, ${JSON.stringify(protocol ? [protocol] : [])})`), url);

async function openSocket(page, url, protocol) {
    await beginSocket(page, url, protocol);
    await until('an open socket', () => page.evaluate(() => window.probe.heard.opened));
}

// A bare socket in a page that has come into the chat.
async function enter(page, server, name) {
    await openSocket(page, `ws://127.0.0.1:${server.port}/chat`, 'chat.tenon');
    await page.evaluate((who) => window.probe.socket.send(`hello bare-socket-in-a-page 0 ${who}`), name);
    await until('a welcome', () => page.evaluate(() => window.probe.heard.messages.some((one) => one.startsWith('welcome'))));
}

const closedAs = (page) => until('a close event', () => page.evaluate(() => window.probe.heard.closed));

module.exports = { BUILD, STEP_MS, PING_MS, same, until, stays, within, Stage, at, read, words, state, focus, isState, lines,
    notes, shows, say, rename, pressed, beginSocket, openSocket, enter, closedAs };
