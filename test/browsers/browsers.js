// SPDX-License-Identifier: MIT
// The page of the chat, and WebSocket from pages, in real browsers.
//
// usage: node browsers.js [test_NAME...]        with TENON_BUILD: the build directory
'use strict';

const { spawn } = require('child_process');
const fs = require('fs');
const http = require('http');
const net = require('net');
const path = require('path');
const { Chromium, Firefox } = require('./drivers.js');

const BUILD = path.resolve(process.env.TENON_BUILD || 'build');
const SHOTS = path.join(BUILD, 'browsers');
const STEP_MS = 15000;
const TEST_MS = 60000;
const PING_MS = 300;
const MEBI = 1 << 20;

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
        const found = await until('a port', () => /listening on 127\.0\.0\.1:(\d+)/.exec(this.output)
            || (!this.running && ['', 'none']));
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

    chat(port = 0) {
        return this.serve('chat_server', '--port', port, '--ping-interval', PING_MS, '--lines-per-second', 0);
    }

    async profile() {
        const profile = await this.driver.profile();
        this.profiles.push(profile);
        return profile;
    }

    // A page of the chat, open, in a profile of its own unless one is given.
    async visit(url, { width = 1000, height = 700, name = 'Ann', profile = null } = {}) {
        const page = await (profile || await this.profile()).page(width, height);
        this.pages.push(page);
        await page.goto(url);
        await page.evaluate((value) => {
            document.getElementById('name').value = value;
            localStorage.setItem('name', value);
        }, name);
        await page.goto(url); // with the name from the start
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

const at = (server) => `http://127.0.0.1:${server.port}/`;

// -------------------------------------------------------------------- on the page

const state = (page) => page.evaluate(() => document.getElementById('state').dataset.state);
const words = (page) => page.evaluate(() => document.getElementById('words').textContent);

function isState(page, wanted, ms) {
    return until(`the state ${wanted}`, async () => await state(page) === wanted, ms);
}

// The lines shown: [text, own, pending].
const lines = (page) => page.evaluate(() => [...document.querySelectorAll('#log li:not(.note)')].map((item) => [
    item.querySelector('.text').textContent, item.classList.contains('own'), item.classList.contains('pending')]));

function shows(page, expected) {
    return until(`the lines ${JSON.stringify(expected).slice(0, 200)}`,
        async () => JSON.stringify(await lines(page)) === JSON.stringify(expected));
}

async function say(page, text) {
    await page.evaluate(() => document.getElementById('line').focus());
    await page.keyboard.type(text);
    await page.keyboard.press('Enter');
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

async function openSocket(page, url, protocol = '') {
    await page.evaluate(new Function('url', `(${socketProgram})(url, ${JSON.stringify(protocol ? [protocol] : [])})`), url);
    await until('an open socket', () => page.evaluate(() => window.probe.heard.opened));
}

// One page says a line as long as a line may be; a bare socket in the other hears it.
async function longLine(speaker, hearer, server) {
    await openSocket(hearer, `ws://127.0.0.1:${server.port}/chat`, 'chat.tenon');
    await hearer.evaluate(() => window.probe.socket.send('hello bare-socket-in-a-page 0 bare'));
    await until('a welcome', () => hearer.evaluate(() => window.probe.heard.messages.some((one) => one.startsWith('welcome'))));
    await speaker.evaluate((size) => { document.getElementById('line').value = 'y'.repeat(size); }, MEBI);
    await speaker.keyboard.press('Enter');
    await until('its acknowledgement', async () => (await lines(speaker)).some(([, own, pending]) => own && !pending));
    const shown = await until('a button', () => hearer.evaluate(() => (document.querySelector('.more') || {}).textContent));
    same(/1.?048.?576/.test(shown), true, `the length on the button (${shown})`);
    return hearer.evaluate((size) => window.probe.heard.messages.some((one) => one.endsWith(`\n${'y'.repeat(size)}`)), MEBI);
}

const closedAs = (page) => until('a close event', () => page.evaluate(() => window.probe.heard.closed));

// -------------------------------------------------------------------------- tests

const tests = {
    async test_talk(stage) {
        const server = await stage.chat();
        const ann = await stage.visit(at(server)), bob = await stage.visit(at(server), { name: 'Bob' });
        await say(ann, 'hello <b>there</b>');
        await shows(bob, [['hello <b>there</b>', false, false]]);
        await say(bob, 'and hello to you');
        await shows(ann, [['hello <b>there</b>', true, false], ['and hello to you', false, false]]);
        await shows(bob, [['hello <b>there</b>', false, false], ['and hello to you', true, false]]);
        const fact = (page, id) => page.evaluate((name) => document.getElementById(name).textContent, id);
        await until('a round-trip time', async () => /^round trip \d+ ms$/.test(await fact(ann, 'rtt')));
        await until('two people', async () => await fact(ann, 'people') === '2 people here');
        same(await ann.evaluate(() => document.querySelector('#log b').textContent), 'Ann', 'the name');
    },

    async test_server_killed(stage) {
        const first = await stage.chat();
        const ann = await stage.visit(at(first)), bob = await stage.visit(at(first), { name: 'Bob' });
        await say(ann, 'before');
        await shows(bob, [['before', false, false]]);
        await first.end('SIGKILL');
        await isState(ann, 'waiting');
        if (!/lost \(1006\)/.test(await words(ann))) throw new Error(`the words: ${await words(ann)}`);
        await say(ann, 'while away');
        await shows(ann, [['before', true, false], ['while away', true, true]]);
        await stage.chat(first.port);
        await isState(ann, 'open');
        await isState(bob, 'open');
        await shows(ann, [['before', true, false], ['while away', true, false]]);
        await shows(bob, [['before', false, false], ['while away', false, false]]);
        await say(bob, 'and on');
        await shows(ann, [['before', true, false], ['while away', true, false], ['and on', false, false]]);
    },

    async test_server_restarted(stage) {
        const first = await stage.chat();
        const ann = await stage.visit(at(first));
        await first.end();
        const heard = await until('the words', async () => /restarting \(1001\)/.exec(await words(ann)));
        same(heard[0], 'restarting (1001)', 'the words');
        await stage.chat(first.port);
        await isState(ann, 'open');
    },

    async test_line_survives_a_reload(stage) {
        const first = await stage.chat();
        const ann = await stage.visit(at(first));
        // A server that takes the page's request and nothing else: it comes up, the chat does not.
        await first.end('SIGKILL');
        await isState(ann, 'waiting');
        await say(ann, 'kept');
        await shows(ann, [['kept', true, true]]);
        const page = http.createServer((_, answer) => {
            answer.setHeader('content-type', 'text/html; charset=utf-8');
            answer.end(fs.readFileSync(path.join(__dirname, '../../examples/chat/page.html')));
        });
        page.on('upgrade', (_, socket) => socket.destroy());
        await new Promise((resolve) => { page.listen(first.port, '127.0.0.1', resolve); });
        await ann.goto(at(first));
        await shows(ann, [['kept', true, true]]);
        page.closeAllConnections();
        await new Promise((resolve) => { page.close(resolve); });
        await stage.chat(first.port);
        await isState(ann, 'open');
        await shows(ann, [['kept', true, false]]);
        const bob = await stage.visit(at(first), { name: 'Bob' });
        await shows(bob, [['kept', false, false]]);
    },

    async test_duplicated_tab(stage) {
        const server = await stage.chat(), profile = await stage.profile();
        const one = await stage.visit(at(server), { profile }), two = await stage.visit(at(server), { profile });
        const token = await one.evaluate(() => sessionStorage.getItem('token'));
        await two.evaluate((value) => sessionStorage.setItem('token', value), token);
        await two.goto(at(server));
        await isState(two, 'open');
        if (await two.evaluate(() => sessionStorage.getItem('token')) === token) throw new Error('two tabs, one token');
        await say(one, 'from one');
        await say(two, 'from two');
        await shows(one, [['from one', true, false], ['from two', false, false]]);
        await one.goto(at(server)); // a reload keeps its own
        same(await one.evaluate(() => sessionStorage.getItem('token')), token, 'token of the reloaded page');
    },

    async test_mebibyte(stage) {
        const server = await stage.chat(), echo = await stage.serve('echo_server', '--port', 0);
        const ann = await stage.visit(at(server)), bob = await stage.visit(at(server), { name: 'Bob' });
        await openSocket(ann, `ws://127.0.0.1:${echo.port}/`);
        const verdict = await within(STEP_MS, ann.evaluate(async (size) => {
            const octets = new Uint8Array(size).map((_, index) => (index * 31 + (index >> 8)) & 255);
            const text = '€ß𝄞x'.repeat(size / 10);
            window.probe.socket.send(octets);
            window.probe.socket.send(text);
            for (let number = 0; number < 500; number++) window.probe.socket.send(`small ${number}`);
            while (window.probe.heard.messages.length < 502) await new Promise((resolve) => { setTimeout(resolve, 10); });
            const [first, second, ...small] = window.probe.heard.messages;
            const got = new Uint8Array(first);
            return [got.length === size && got.every((octet, index) => octet === octets[index]), second === text,
                small.every((one, number) => one === `small ${number}`)];
        }, MEBI), 'the echoes');
        same(verdict, [true, true, true], 'binary, text and small messages');
        same(await within(STEP_MS, longLine(ann, bob, server), 'the long line'), true, 'a line of a mebibyte');
    },

    async test_close_codes(stage) {
        const server = await stage.chat(), page = await stage.visit(at(server));
        const echo = await stage.serve('echo_server', '--port', 0, '--trace');
        const url = `ws://127.0.0.1:${echo.port}/`;
        await openSocket(page, url);
        await page.evaluate(() => window.probe.socket.close(3456, 'done, says the page'));
        same(await closedAs(page), { code: 3456, reason: '', wasClean: true }, 'an own code, echoed');
        await until('the code at the server', () => /client -> server {2}close 3456/.test(echo.output));
        await openSocket(page, url);
        await page.evaluate(() => window.probe.socket.close());
        same(await closedAs(page), { code: 1005, reason: '', wasClean: true }, 'no code');
        await openSocket(page, url);
        const killed = await stage.serve('echo_server', '--port', 0);
        await echo.end();
        same(await closedAs(page), { code: 1001, reason: '', wasClean: true }, 'the end of the server');
        await openSocket(page, `ws://127.0.0.1:${killed.port}/`);
        await killed.end('SIGKILL');
        same(await closedAs(page), { code: 1006, reason: '', wasClean: false }, 'a killed server');
    },

    async test_too_big(stage) {
        const server = await stage.chat(), page = await stage.visit(at(server));
        const echo = await stage.serve('echo_server', '--port', 0, '--max-message', 1000);
        await openSocket(page, `ws://127.0.0.1:${echo.port}/`);
        await page.evaluate(() => window.probe.socket.send('x'.repeat(1001)));
        same((await closedAs(page)).code, 1009, 'code');
    },

    async test_foreign_origin(stage) {
        const server = await stage.chat();
        const foreign = http.createServer((_, answer) => answer.setHeader('content-type', 'text/html').end('<!doctype html>'));
        stage.closing.push(() => { foreign.closeAllConnections(); foreign.close(); });
        await new Promise((resolve) => { foreign.listen(0, '127.0.0.1', resolve); });
        const page = await (await stage.profile()).page(600, 400);
        await page.goto(`http://127.0.0.1:${foreign.address().port}/`);
        await page.evaluate(new Function('url', `(${socketProgram})(url, 'chat.tenon')`), `ws://127.0.0.1:${server.port}/chat`);
        same(await closedAs(page), { code: 1006, reason: '', wasClean: false }, 'what the page sees');
        same(await server.metric('chat_refused_total{reason="origin"}'), '1', 'what the server counts');
    },

    async test_keyboard(stage) {
        const server = await stage.chat(), page = await stage.visit(at(server));
        const focus = () => page.evaluate(() => document.activeElement.id);
        same(await focus(), 'line', 'at the start');
        await page.keyboard.type('first');
        await page.keyboard.down('Shift');
        await page.keyboard.press('Enter');
        await page.keyboard.up('Shift');
        await page.keyboard.type('second');
        await page.keyboard.press('Enter');
        await shows(page, [['first\nsecond', true, false]]);
        same(await focus(), 'line', 'behind a line');
        await page.keyboard.press('Tab');
        same(await focus(), 'send', 'behind Tab');
        await page.keyboard.down('Shift');
        await page.keyboard.press('Tab');
        await page.keyboard.press('Tab');
        same(await focus(), 'name', 'two back');
        await page.keyboard.press('Tab');
        await page.keyboard.up('Shift');
        same(await focus(), 'log', 'three back');
        const ring = await page.evaluate(() => getComputedStyle(document.activeElement).outlineStyle);
        same(ring, 'solid', 'the ring around the focus');
        await page.keyboard.press('Tab');
        await page.keyboard.type('Zoë');
        await page.keyboard.press('Enter');
        same(await focus(), 'line', 'behind a new name');
        await isState(page, 'open');
        await say(page, 'third');
        await until('the new name', async () => (await page.evaluate(() => [...document.querySelectorAll('#log b')]
            .map((name) => name.textContent))).includes('Zoë'));
    },

    async test_silence(stage) {
        const server = await stage.chat();
        const pairs = [];
        const forwarder = net.createServer((near) => {
            const far = net.connect(server.port, '127.0.0.1');
            for (const [from, to] of [[near, far], [far, near]]) {
                from.pipe(to);
                from.on('error', () => to.destroy());
            }
            pairs.push(near, far);
        });
        stage.closing.push(() => { pairs.forEach((socket) => socket.destroy()); forwarder.close(); });
        await new Promise((resolve) => { forwarder.listen(0, '127.0.0.1', resolve); });
        const page = await stage.visit(`http://127.0.0.1:${forwarder.address().port}/`);
        await until('the interval', () => page.evaluate(() => document.getElementById('rtt').textContent));
        pairs.forEach((socket) => { socket.unpipe(); socket.pause(); }); // the path goes deaf, and nobody is told
        const since = Date.now();
        await until('the words', async () => /Nothing heard|Connecting/.test(await words(page)));
        const took = Date.now() - since;
        if (took > PING_MS * 2.5 + 5000) throw new Error(`it took ${took} ms`);
        await isState(page, 'open'); // over a new connection, which is forwarded
    },

    async test_narrow(stage) {
        const server = await stage.chat(), page = await stage.visit(at(server), { width: 320, height: 560 });
        await say(page, `${'wordwithoutend'.repeat(30)} and some more words to wrap`);
        await until('the line', async () => (await lines(page)).length === 1);
        const sizes = await page.evaluate(() => ({
            wide: Math.max(document.documentElement.scrollWidth, document.body.scrollWidth),
            letters: parseFloat(getComputedStyle(document.getElementById('line')).fontSize),
            field: document.getElementById('line').getBoundingClientRect().height,
            button: document.getElementById('send').getBoundingClientRect().height,
            bottom: document.getElementById('send').getBoundingClientRect().bottom,
        }));
        if (sizes.wide > 320) throw new Error(`it scrolls sideways: ${sizes.wide}`);
        if (sizes.letters < 16) throw new Error('letters so small that phones zoom in');
        if (sizes.field < 44 || sizes.button < 44) throw new Error(`too small to touch: ${JSON.stringify(sizes)}`);
        if (sizes.bottom > 560) throw new Error('the button is below the screen');
    },

    async test_screenshots(stage) {
        const server = await stage.chat(), short = stage.driver.constructor.name.toLowerCase();
        const sizes = { desktop: [1280, 800], phone: [390, 844] };
        for (const [kind, [width, height]] of Object.entries(sizes)) {
            const page = await stage.visit(at(server), { width, height, name: `On a ${kind}` });
            await say(page, kind === 'phone' ? 'Yes, and it fits onto a phone as well, with lines that wrap where they have to.'
                : 'Is anybody there?');
            await until('the line', async () => (await lines(page)).some(([, own, pending]) => own && !pending));
            await until('a time', () => page.evaluate(() => document.getElementById('rtt').textContent));
            const file = path.join(SHOTS, `${short}-${kind}.png`);
            await page.screenshot({ path: file });
            if (fs.statSync(file).size < 5000) throw new Error(`${file} is empty`);
        }
        const page = stage.pages[1];
        await server.end('SIGKILL');
        await isState(page, 'waiting');
        await say(page, 'typed while the server was away');
        await page.screenshot({ path: path.join(SHOTS, `${short}-waiting.png`) });
    },
};

// ------------------------------------------------------------------------- runner

async function attempt(driver, name) {
    const stage = new Stage(driver), since = Date.now(), label = `${driver.constructor.name}: ${name.slice(5).replace(/_/g, ' ')}`;
    let problem = null;
    try {
        await within(TEST_MS, tests[name](stage), 'an end of the test');
    } catch (error) {
        problem = error;
    }
    try {
        await within(STEP_MS, stage.end(problem !== null), 'the stage cleared');
    } catch (error) {
        problem = problem || error;
    }
    if (problem) console.log(`FAIL ${label} - ${problem.message.split('\n')[0]}`);
    else console.log(`OK ${label} - ${((Date.now() - since) / 1000).toFixed(1)} s`);
    return problem === null;
}

async function main() {
    const names = process.argv.slice(2).length ? process.argv.slice(2) : Object.keys(tests);
    let good = true;
    for (const Driver of [Chromium, Firefox]) {
        const driver = new Driver();
        try {
            await within(STEP_MS * 2, driver.start(), 'a browser');
        } catch (error) {
            console.log(`FAIL ${Driver.name} - it does not start: ${error.message.split('\n')[0]}`);
            good = false;
            continue;
        }
        console.log(`--- ${driver.name}`);
        for (const name of names) good = await attempt(driver, name) && good;
        await within(STEP_MS, driver.end(), 'the end of the browser');
    }
    process.exit(good ? 0 : 1);
}

main();
