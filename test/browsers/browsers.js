// SPDX-License-Identifier: MIT
// The page of the chat, and WebSocket from pages, in real browsers.
//
// usage: node browsers.js [test_NAME...]        with TENON_BUILD: the build directory
'use strict';

const fs = require('fs');
const http = require('http');
const path = require('path');
const { Chromium, Firefox } = require('./drivers.js');
const { NAME, allTerms, offer, answer, Tap, texts, messages, converse } = require('./terms.js');
const { BUILD, STEP_MS, PING_MS, same, until, stays, within, Stage, at, read, words, state, focus, isState, lines, notes,
    shows, say, rename, pressed, beginSocket, openSocket, enter, closedAs } = require('./stage.js');

const SHOTS = path.join(BUILD, 'browsers');
const TEST_MS = 60000;
const MEBI = 1 << 20;
const DEAF_MS = PING_MS * 2.5;

const names = (page) => page.evaluate(() => [...document.querySelectorAll('#log b')].map((name) => name.textContent));
const token = (page) => page.evaluate(() => JSON.parse(sessionStorage.getItem('chat')).token);
const isSilent = async (page) => (await notes(page)).some((note) => /^Nothing heard/.test(note));

// Polls for a page that is open and has told its round-trip time.
const timed = (page) => until('a round-trip time', async () => /^\d+ ms$/.test(await read(page, 'rtt')));

// A bare socket says many lines to the chat.
const sayMany = (page, count) => page.evaluate((n) => {
    for (let seq = 1; seq <= n; seq++) window.probe.socket.send(`say ${seq} number ${seq}`);
}, count);

// ------------------------------------------------------- what a page does in pieces

// One page says a line as long as a line may be; a bare socket in the other hears it.
async function longLine(speaker, hearer, server) {
    await enter(hearer, server, 'bare');
    await speaker.evaluate((size) => { document.getElementById('line').value = 'y'.repeat(size); }, MEBI);
    await focus(speaker, 'line');
    await speaker.keyboard.press('Enter');
    await until('its acknowledgement', async () => (await lines(speaker)).some(([, own, pending]) => own && !pending));
    await until('the button', () => hearer.evaluate(() => document.querySelector('.more') !== null));
    await hearer.evaluate(() => document.querySelector('.more').click());
    return hearer.evaluate((size) => [document.querySelector('.text').textContent === 'y'.repeat(size),
        window.probe.heard.messages.some((one) => one.endsWith(`\n${'y'.repeat(size)}`))], MEBI);
}

// In the browser: an echo of a large binary message, a large text and many small ones.
async function echoes(size) {
    const octets = new Uint8Array(size).map((_, index) => (index * 31 + (index >> 8)) & 255);
    const text = '€ß𝄞x'.repeat(size / 10);
    const { socket, heard } = window.probe;
    socket.send(octets);
    socket.send(text);
    for (let number = 0; number < 500; number++) socket.send(`small ${number}`);
    while (heard.messages.length < 502) await new Promise((resolve) => { setTimeout(resolve, 10); });
    const [first, second, ...small] = heard.messages;
    const got = new Uint8Array(first);
    return [got.length === size && got.every((octet, index) => octet === octets[index]), second === text,
        small.every((one, number) => one === `small ${number}`)];
}

// A line whose acknowledgement the network swallowed, with others behind it: seen once
// on both sides when the connection is back.
async function acknowledgementLost(stage, others) {
    const server = await stage.chat(0, 60000), way = await stage.forwarder(server);
    const ann = await stage.visit(`http://127.0.0.1:${way.port}/`), bob = await stage.visit(server, { name: 'Bob' });
    way.freeze(false, true);
    await say(ann, 'once');
    await shows(bob, [['once', false, false]]);
    await shows(ann, [['once', true, true]]);
    await enter(bob, server, 'chatterbox');
    await sayMany(bob, others);
    await until('them all', async () => (await lines(bob)).length === others + 1);
    way.cut();
    way.freeze(false, false);
    await isState(ann, 'open');
    await say(ann, 'and on');
    const seen = others > 50 ? 49 : others; // the history that the server gives has fifty lines
    for (const page of [ann, bob]) {
        await until('the last line', async () => (await lines(page)).some(
            ([text, , pending]) => text === 'and on' && !pending));
        await until('no pending line', async () => (await lines(page)).every(([, , pending]) => !pending));
        const texts = (await lines(page)).map(([text]) => text);
        same(texts.filter((text) => text === 'once').length, 1, 'how often the line is there');
        same(new Set(texts).size, texts.length, 'different lines among those shown');
        same(texts.length >= seen + 2, true, 'whether the other lines are there');
    }
}

// Lines that others and the server say come late, when the test says so.
function delayLines() {
    const Real = WebSocket;
    window.WebSocket = class extends Real {
        set onmessage(hear) {
            super.onmessage = hear && ((event) => {
                if (window.isSlow && event.data.startsWith('said ')) setTimeout(hear, 1000, event);
                else hear(event);
            });
        }
    };
}

// What the page sends while the network takes nothing: how much lies in the browser at most.
function watchBuffer() {
    const send = WebSocket.prototype.send;
    window.sends = [];
    WebSocket.prototype.send = function (data) {
        window.sends.push(this.bufferedAmount);
        return send.call(this, data);
    };
}

// Counts what the page tries. (Firefox holds a new connection back by itself for a while
// if the last one failed: so a listener would not see it at once.)
function watchTries() {
    const Real = WebSocket;
    window.tries = 0;
    window.WebSocket = class extends Real {
        constructor(...words) {
            super(...words);
            window.tries++;
        }
    };
}

// In the browser: the pairs of colours that lie too near to each other; names have any hue.
function weakContrasts() {
    const canvas = document.createElement('canvas').getContext('2d', { willReadFrequently: true });
    const luminance = (colour) => {
        canvas.fillStyle = colour;
        canvas.fillRect(0, 0, 1, 1);
        const [r, g, b] = [...canvas.getImageData(0, 0, 1, 1).data].map((value) => value / 255)
            .map((value) => (value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4));
        return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    const contrast = (one, other) => {
        const [low, high] = [luminance(one), luminance(other)].sort((a, b) => a - b);
        return (high + 0.05) / (low + 0.05);
    };
    const root = getComputedStyle(document.documentElement), value = (name) => root.getPropertyValue(`--${name}`).trim();
    const pairs = [['ink', 'page', 4.5], ['ink', 'sheet', 4.5], ['ink', 'own', 4.5], ['soft', 'page', 4.5], ['soft', 'sheet', 4.5],
        ['on-wood', 'wood', 4.5], ['wood', 'sheet', 4.5], ['wood', 'own', 4.5], ['wood', 'page', 3], ['field', 'page', 3],
        ['field', 'sheet', 3], ['good', 'page', 3], ['bad', 'page', 3], ['bad', 'sheet', 3]];
    const weak = pairs.map(([one, other, least]) => [one, other, contrast(value(one), value(other)), least]);
    for (let hue = 0; hue < 360; hue++)
        weak.push([`name of hue ${hue}`, 'page', contrast(`oklch(${value('name')} .12 ${hue})`, value('page')), 4.5]);
    const placeholder = getComputedStyle(document.getElementById('line'), '::placeholder').color;
    weak.push(['placeholder', 'sheet', contrast(placeholder, value('sheet')), 4.5]);
    return weak.filter(([, , is, least]) => !(is >= least)).map(([one, other, is]) => `${one} on ${other}: ${is.toFixed(2)}`);
}

const tries = (page) => page.evaluate(() => window.tries);

const shotLines = ['Is anybody there?', 'Yes, and it fits onto a phone as well, with lines that wrap where they have to.',
    'averylongwordthathasnospaces'.repeat(6), 'int main(void)\n{\n    return tenon_version() == 0;\n}'];

// What people write who are not like that.
const oddLines = [Array.from({ length: 60 }, (_, index) => `point ${index + 1}`).join('\n'), 'שלום לכולם! (האם זה עובד?)',
    'مرحبا، هذا سطر طويل بعض الشيء ليلتف على هاتف صغير. tenon 1.0!', '👩‍👩‍👧‍👦🎉 👍🏽',
    'https://example.org/a/path/without/any/end?and=a&query=with&many=parameters&and=more&of=them#and-a-fragment', 'x'];

const sizes = { desktop: [1280, 800], phone: [390, 844], small: [320, 568] };

async function take(stage, page, kind, what) {
    const file = path.join(SHOTS, `${stage.driver.constructor.name.toLowerCase()}-${kind}-${what}.png`);
    await page.screenshot({ path: file });
    const png = fs.readFileSync(file);
    same([png.readUInt32BE(16), png.readUInt32BE(20)], sizes[kind], `the size of ${file}`);
}

// Sends a line at once, as if it had been typed, and waits until all have it.
async function sayToAll(speaker, text, pages) {
    await speaker.evaluate((value) => { document.getElementById('line').value = value; }, text);
    await focus(speaker, 'line');
    const counts = [];
    for (const page of pages) counts.push((await lines(page)).length);
    await speaker.keyboard.press('Enter');
    for (const [index, page] of pages.entries()) {
        await until('the line', async () => {
            const found = await lines(page);
            return found.length > counts[index] && found.every(([, , pending]) => !pending);
        });
    }
}

// One page of each size and scheme; then the same without a server.
async function shots(stage, server, dark) {
    const scheme = dark ? 'dark' : 'light', pages = [];
    for (const [kind, [width, height]] of Object.entries(sizes)) {
        const page = await stage.visit(server, { width, height, dark, name: `On a ${kind}` });
        pages.push([kind, page]);
        const [paper, ink] = await page.evaluate(() => ['backgroundColor', 'color'].map((what) =>
            getComputedStyle(document.body)[what].match(/\d+/g).slice(0, 3).reduce((sum, part) => sum + Number(part), 0)));
        same(paper < ink, dark, 'whether the writing is lighter than the page');
    }
    const all = pages.map(([, page]) => page);
    await until('all of them there', async () => await read(all[0], 'people') === `${all.length} people`);
    for (const [kind, page] of pages) await take(stage, page, kind, `${scheme}-empty`);
    for (const [index, text] of shotLines.entries()) await sayToAll(all[index % 2], text, all);
    for (const [kind, page] of pages) {
        await timed(page);
        await take(stage, page, kind, `${scheme}-open`);
    }
    await rename(all[0], 'W'.repeat(64));
    await rename(all[1], 'שם בעברית \u202egnol');
    for (const page of all) await isState(page, 'open');
    for (const [index, text] of oddLines.entries()) await sayToAll(all[index % 2], text, all);
    for (const [kind, page] of pages) await take(stage, page, kind, `${scheme}-odd`);
    await server.end('SIGKILL');
    for (const [kind, page] of pages) {
        await isState(page, 'waiting');
        await say(page, 'typed while the server was away');
        await take(stage, page, kind, `${scheme}-waiting`);
    }
}

// In the browser: where things are.
function measure() {
    const [log, line, name] = ['log', 'line', 'name'].map((id) => document.getElementById(id));
    const box = (id) => document.getElementById(id).getBoundingClientRect(), field = box('name');
    const isOver = (id) => box(id).right > field.left && box(id).bottom > field.top && box(id).top < field.bottom;
    return {
        width: innerWidth, height: innerHeight,
        wide: Math.max(...[document.documentElement, document.body, log].map((element) => element.scrollWidth)),
        right: Math.max(...['name', 'send', 'now'].map((id) => box(id).right)),
        letters: Math.min(...[line, name].map((element) => parseFloat(getComputedStyle(element).fontSize))),
        touch: Math.min(...['line', 'name', 'send'].map((id) => Math.min(box(id).height, box(id).width))),
        now: box('now').height, bottom: box('send').bottom, log: box('log').height,
        over: ['state', 'rtt', 'people'].filter(isOver),
    };
}

// room: for the lines, at least; now: the height of the button that tries again, at least.
function judge(sizes, room, now = 0) {
    const all = JSON.stringify(sizes);
    if (sizes.wide > sizes.width) throw new Error(`it scrolls sideways: ${all}`);
    if (sizes.right > sizes.width - 8) throw new Error(`something reaches over the edge: ${all}`);
    if (sizes.letters < 16) throw new Error(`letters so small that phones zoom in: ${all}`);
    if (sizes.touch < 44 || sizes.now < now) throw new Error(`too small to touch: ${all}`);
    if (sizes.bottom > sizes.height) throw new Error(`the button is below the screen: ${all}`);
    if (sizes.log < room) throw new Error(`no room for lines: ${all}`);
    if (sizes.over.length > 0) throw new Error(`the state is written over the name: ${all}`);
}

// -------------------------------------------------------------------------- tests

const tests = {
    async test_talk(stage) {
        const server = await stage.chat();
        const ann = await stage.visit(server), bob = await stage.visit(server, { name: 'Bob' });
        await say(ann, 'hello <b>there</b>');
        await shows(bob, [['hello <b>there</b>', false, false]]);
        await say(bob, 'and hello to you');
        await shows(ann, [['hello <b>there</b>', true, false], ['and hello to you', false, false]]);
        await shows(bob, [['hello <b>there</b>', false, false], ['and hello to you', true, false]]);
        await timed(ann);
        await timed(bob);
        await until('two people', async () => await read(ann, 'people') === '2 people');
        same(await names(ann), ['Ann', 'Bob'], 'names');
        same(await read(ann, 'state'), 'connected', 'the state in words');
    },

    async test_server_killed(stage) {
        const first = await stage.chat();
        const ann = await stage.visit(first), bob = await stage.visit(first, { name: 'Bob' });
        await say(ann, 'before');
        await shows(bob, [['before', false, false]]);
        await shows(ann, [['before', true, false]]); // acknowledged: so a new server is not told again
        await first.end('SIGKILL');
        await isState(ann, 'waiting');
        same((await notes(ann)).at(-1), 'The connection was lost (1006).', 'the reason');
        await say(ann, 'while away');
        await shows(ann, [['before', true, false], ['while away', true, true]]);
        await stage.chat(first.port);
        await isState(ann, 'open');
        await isState(bob, 'open');
        await shows(ann, [['before', true, false], ['while away', true, false]]);
        await shows(bob, [['before', false, false], ['while away', false, false]]);
        await say(bob, 'and on');
        await shows(ann, [['before', true, false], ['while away', true, false], ['and on', false, false]]);
        await shows(bob, [['before', false, false], ['while away', false, false], ['and on', true, false]]);
    },

    async test_server_restarted(stage) {
        const first = await stage.chat();
        const pages = [await stage.visit(first), await stage.visit(first, { name: 'Bob' })];
        await first.end();
        for (const page of pages) {
            await until('the reason', async () => /restarting \(1001\)\.$/.test((await notes(page)).at(-1)));
            same((await words(page)).length > 0, true, 'whether the bar says something');
        }
        await say(pages[0], 'meanwhile');
        await shows(pages[0], [['meanwhile', true, true]]);
        await stage.chat(first.port);
        for (const page of pages) await isState(page, 'open');
        await shows(pages[0], [['meanwhile', true, false]]);
        await shows(pages[1], [['meanwhile', false, false]]);
        same(/\(1001\)\. Back after \d+ s\.$/.test((await notes(pages[0])).at(-1)), true, 'a remark about the cut');
    },

    test_acknowledgement_lost: (stage) => acknowledgementLost(stage, 3),
    test_acknowledgement_lost_and_much_said: (stage) => acknowledgementLost(stage, 60),

    // The page does not wait long for lines that were said while it was away; they may be late.
    async test_acknowledgement_lost_and_late(stage) {
        const server = await stage.chat(0, 60000), way = await stage.forwarder(server);
        const ann = await stage.visit(`http://127.0.0.1:${way.port}/`, { before: delayLines });
        const bob = await stage.visit(server, { name: 'Bob' });
        way.freeze(false, true);
        await say(ann, 'once');
        await shows(bob, [['once', false, false]]);
        await ann.evaluate(() => { window.isSlow = true; });
        way.cut();
        way.freeze(false, false);
        await shows(ann, [['once', true, false]]);
        await say(bob, 'and on');
        await until('what Bob said', async () => (await lines(ann)).some(([text]) => text === 'and on'));
        await shows(ann, [['once', true, false], ['and on', false, false]]);
    },

    async test_line_survives_a_reload(stage) {
        const first = await stage.chat();
        const ann = await stage.visit(first);
        await first.end('SIGKILL');
        await isState(ann, 'waiting');
        await say(ann, 'kept');
        await shows(ann, [['kept', true, true]]);
        // A server that gives the page and nothing else: it comes up, the chat does not.
        const page = http.createServer((_, answer) => {
            answer.setHeader('content-type', 'text/html; charset=utf-8');
            answer.end(fs.readFileSync(path.join(__dirname, '../../examples/chat/page.html')));
        });
        page.on('upgrade', (_, socket) => socket.destroy());
        const stand = await stage.stand(page, first.port);
        await ann.reload();
        await shows(ann, [['kept', true, true]]);
        await stand.end();
        await stage.chat(first.port);
        await isState(ann, 'open');
        await shows(ann, [['kept', true, false]]);
        const bob = await stage.visit(first, { name: 'Bob' });
        await shows(bob, [['kept', false, false]]);
    },

    // The copy of a tab has a copy of its storage, and must not count lines for the same token.
    async test_copied_tab(stage) {
        const server = await stage.chat(), one = await stage.visit(server), mine = await token(one);
        await one.reload();
        await isState(one, 'open');
        same(await token(one), mine, 'token of the reloaded page');
        await one.evaluate(() => {
            sessionStorage.setItem('mark', 'copied');
            window.copy = window.open(location.href);
        });
        const inCopy = (script) => one.evaluate(`(() => { const document = window.copy.document; return ${script}; })()`);
        await until('an open copy', () => inCopy('document.getElementById("state")?.dataset.state === "open"'));
        same(await inCopy('window.copy.sessionStorage.getItem("mark")'), 'copied', 'a copy of the storage');
        const its = await inCopy('JSON.parse(window.copy.sessionStorage.getItem("chat")).token');
        same(its === mine, false, 'whether the tokens are one');
        await say(one, 'from the first');
        await shows(one, [['from the first', true, false]]);
        await inCopy('(document.getElementById("line").value = "from the copy", document.getElementById("send").click())');
        await shows(one, [['from the first', true, false], ['from the copy', false, false]]);
    },

    // Without locks (a page that came over http): kept over a reload, and only so.
    async test_copied_tab_without_locks(stage) {
        const server = await stage.chat();
        const before = () => Object.defineProperty(navigator, 'locks', { value: undefined });
        const page = await stage.visit(server, { before });
        const mine = await token(page);
        await page.reload();
        await isState(page, 'open');
        same(await token(page), mine, 'token of the reloaded page');
        await page.goto('about:blank');
        await page.goto(at(server));
        await isState(page, 'open');
        same(await token(page) === mine, false, 'whether a page that was not reloaded has it');
    },

    async test_mebibyte(stage) {
        const server = await stage.chat(), echo = await stage.serve('echo_server', '--port', 0);
        const ann = await stage.visit(server), bob = await stage.visit(server, { name: 'Bob' });
        await openSocket(ann, `ws://127.0.0.1:${echo.port}/`);
        const echoed = await within(STEP_MS, ann.evaluate(echoes, MEBI), 'the echoes');
        same(echoed, [true, true, true], 'binary, text and small messages');
        const said = await within(STEP_MS, longLine(ann, bob, server), 'the long line');
        same(said, [true, true], 'a line of a mebibyte, shown and heard');
        await ann.evaluate((size) => { document.getElementById('line').value = 'y'.repeat(size + 1); }, MEBI);
        await focus(ann, 'line');
        await ann.keyboard.press('Enter');
        await until('the refusal', async () => /megabyte/.test((await notes(ann)).at(-1)));
        same((await lines(ann)).length, 1, 'lines, when one was too long');
    },

    // The browser's own permessage-deflate, with each kind of agreement. Firefox tells the
    // page no terms, and does not let a server limit its window: then there is none.
    async test_compressed(stage) {
        const page = await stage.visit(await stage.chat()), isChromium = stage.driver instanceof Chromium;
        const kinds = [[[], /^permessage-deflate/],
            [['--no-takeover'], isChromium ? /server_no_context_takeover; client_no_context_takeover/ : /^permessage-deflate$/],
            [['--window-bits', 9], isChromium ? /client_max_window_bits=9/ : /^$/]];
        for (const [options, terms] of kinds) {
            const echo = await stage.serve('echo_server', '--port', 0, '--deflate', ...options);
            await openSocket(page, `ws://127.0.0.1:${echo.port}/`);
            const agreed = await page.evaluate(() => window.probe.socket.extensions);
            same(terms.test(agreed), true, `${terms} in the agreement '${agreed}'`);
            same(await within(STEP_MS, page.evaluate(echoes, MEBI), 'the echoes'), [true, true, true], `echoes with '${agreed}'`);
        }
    },

    // Every combination of terms that this browser takes: they are agreed on, and what is on
    // the wire keeps to them, both ways. Firefox lets nobody limit its own window.
    async test_compressed_on_all_terms(stage) {
        const page = await stage.visit(await stage.chat()), isChromium = stage.driver instanceof Chromium;
        const echo = await stage.serve('echo_server', '--port', 0, '--deflate'), tap = new Tap(echo.port), said = messages();
        const { port } = await stage.stand(tap.server), all = [...allTerms(isChromium)];
        for (const [index, terms] of all.entries()) {
            const words = offer(terms, isChromium);
            const [agreed, isGood] = await page.evaluate(converse, { port, words, said });
            same([agreed, isGood], [isChromium ? answer(terms) : NAME, true], `the agreement and the echoes for '${words}'`);
            const { up, down } = tap.streams(index);
            for (const [way, stream, isReset, bits] of [['up', up, terms.clientReset, terms.clientBits || 15],
                ['down', down, terms.serverReset, terms.serverBits || 15]]) {
                const found = texts(stream, isReset, bits);
                same(found.texts === said.join(''), true, `what went ${way} by '${words}', inflated with ${bits} bits`);
                same(found.sizes[1] < found.sizes[0] / 2, !isReset, `whether it refers back, ${way} by '${words}'`);
            }
        }
        const { up } = tap.streams(0);
        let problem = null;
        try { texts(up, false, 9); } catch (error) { problem = error.message; }
        same(problem, 'invalid distance too far back', 'what a window of 9 bits says to one of 15');
    },

    // A network that takes nothing more fills the page's own queue, not the browser's.
    async test_slow_network(stage) {
        const server = await stage.chat(0, 60000), slow = await stage.forwarder(server), count = 8;
        const page = await stage.visit(`http://127.0.0.1:${slow.port}/`, { before: watchBuffer });
        slow.freeze(true, false);
        await page.evaluate((n) => {
            window.sends = [];
            for (let i = 0; i < n; i++) {
                document.getElementById('line').value = String(i).repeat(250000);
                document.getElementById('send').click();
            }
        }, count);
        const sent = await page.evaluate(() => window.sends);
        same(sent.length < count, true, `whether lines were held back (${sent})`);
        slow.freeze(false, false);
        await until('all lines said', async () => {
            const all = await lines(page);
            return all.length === count && all.every(([, , pending]) => !pending);
        });
        const most = Math.max(...await page.evaluate(() => window.sends));
        same(most <= 1 << 18, true, `whether little lay in the browser when more was sent (${most})`);
    },

    async test_close_codes(stage) {
        const page = await stage.visit(await stage.chat());
        const echo = await stage.serve('echo_server', '--port', 0, '--trace');
        const url = `ws://127.0.0.1:${echo.port}/`;
        await openSocket(page, url);
        await page.evaluate(() => window.probe.socket.close(3456, 'done, says the page'));
        same(await closedAs(page), { code: 3456, reason: '', wasClean: true }, 'an own code, echoed');
        await until('the code at the server', () => /client -> server {2}close 3456 "?done, says the page/.test(echo.output));
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

    async test_close_codes_of_the_server(stage) {
        const server = await stage.chat(), page = await stage.visit(server);
        const echo = await stage.serve('echo_server', '--port', 0, '--max-message', 1000, '--trace');
        await openSocket(page, `ws://127.0.0.1:${echo.port}/`);
        await page.evaluate(() => window.probe.socket.send('x'.repeat(1001)));
        same((await closedAs(page)).code, 1009, 'a message beyond the limit');
        await until('the code at the server', () => /server -> client {2}close 1009/.test(echo.output));
        await enter(page, server, 'bare');
        await page.evaluate(() => window.probe.socket.send(new Uint8Array(3)));
        same(await closedAs(page), { code: 1003, reason: 'this chat takes text', wasClean: true }, 'a binary message');
    },

    async test_foreign_origin(stage) {
        const server = await stage.chat();
        const foreign = await stage.stand(http.createServer((_, answer) => {
            answer.setHeader('content-type', 'text/html').end('<!doctype html><link rel=icon href=data:,>');
        }));
        const page = await stage.page();
        await page.goto(at(foreign));
        await beginSocket(page, `ws://127.0.0.1:${server.port}/chat`, 'chat.tenon');
        same(await closedAs(page), { code: 1006, reason: '', wasClean: false }, 'what the page sees');
        same(await server.metric('chat_refused_total{reason="origin"}'), '1', 'what the server counts');
        await page.goto(at(server));
        await openSocket(page, `ws://127.0.0.1:${server.port}/chat`, 'chat.tenon'); // the same from its own page
    },

    async test_keyboard(stage) {
        const server = await stage.chat(), page = await stage.visit(server);
        const focused = () => page.evaluate(() => document.activeElement.id);
        await page.reload();
        await isState(page, 'open');
        same(await focused(), 'line', 'at the start');
        await page.keyboard.type('first');
        await pressed(page, 'Shift', 'Enter');
        await page.keyboard.type('second');
        await page.keyboard.press('Enter');
        await shows(page, [['first\nsecond', true, false]]);
        same(await focused(), 'line', 'behind a line');
        await page.keyboard.press('Tab');
        for (const wanted of ['send', 'line', 'log', 'name']) {
            same(await focused(), wanted, 'where the focus is');
            const ring = await page.evaluate(() => getComputedStyle(document.activeElement).outlineStyle);
            same(ring, 'solid', `the ring around ${wanted}`);
            if (wanted !== 'name') await pressed(page, 'Shift', 'Tab');
        }
        await page.keyboard.type('someone else');
        await page.keyboard.press('Escape');
        same(await focused(), 'line', 'behind Escape');
        same(await page.evaluate(() => document.getElementById('name').value), 'Ann', 'a name not taken');
    },

    async test_new_name(stage) {
        const server = await stage.chat(), page = await stage.visit(server);
        await say(page, 'before');
        await shows(page, [['before', true, false]]);
        await focus(page, 'name');
        await page.evaluate(() => document.getElementById('name').select());
        await page.keyboard.type('Zoë');
        await page.keyboard.press('Enter');
        same(await page.evaluate(() => document.activeElement.id), 'line', 'the focus behind a new name');
        await isState(page, 'open');
        await say(page, 'after');
        await shows(page, [['before', true, false], ['after', true, false]]);
        await rename(page, `${'ö'.repeat(40)}\u0007`); // eighty octets: cut to what the server takes
        await isState(page, 'open');
        await say(page, 'at last');
        await shows(page, [['before', true, false], ['after', true, false], ['at last', true, false]]);
        await page.reload();
        await isState(page, 'open');
        await shows(page, [['before', true, false], ['after', true, false], ['at last', true, false]]);
        same(await names(page), ['Ann', 'Zoë', 'ö'.repeat(32)], 'names');
        same(await notes(page), [], 'remarks');
    },

    // The path goes deaf, and nobody is told.
    async test_silence(stage) {
        const server = await stage.chat(), deaf = await stage.forwarder(server);
        const page = await stage.visit(`http://127.0.0.1:${deaf.port}/`);
        await timed(page);
        deaf.freeze(true, true);
        const since = Date.now();
        await until('a word about it', () => isSilent(page));
        const took = Date.now() - since;
        same(took <= DEAF_MS + 500, true, `whether it took no longer than ${DEAF_MS} ms and a moment (${took} ms)`);
        await until('a new try', async () => ['waiting', 'connecting'].includes(await state(page)));
        await say(page, 'into the silence');
        await shows(page, [['into the silence', true, true]]);
        deaf.freeze(false, false);
        await isState(page, 'open');
        await shows(page, [['into the silence', true, false]]);
    },

    // It was the page that stood still: what came meanwhile is heard before it judges.
    async test_page_stands_still(stage) {
        const server = await stage.chat(), page = await stage.visit(server);
        await timed(page);
        await page.evaluate((ms) => {
            const end = Date.now() + ms;
            while (Date.now() < end);
        }, DEAF_MS + 1500);
        await stays('an open connection', async () => await state(page) === 'open', DEAF_MS);
        same(await notes(page), [], 'remarks');
    },

    // Nobody has to wait who knows better: the button, the network, the reader coming back.
    async test_at_once(stage) {
        const server = await stage.chat(), page = await stage.visit(server, { before: watchTries });
        await server.end('SIGKILL');
        const triggers = {
            button: async () => { await focus(page, 'now'); await page.keyboard.press('Enter'); },
            online: () => page.evaluate(() => { dispatchEvent(new Event('online')); }),
            visible: () => page.evaluate(() => { document.dispatchEvent(new Event('visibilitychange')); }),
        };
        for (const [name, pull] of Object.entries(triggers)) {
            await until('a longer wait', async () => /Next try in ([3-9]|[1-3]\d)\s/.test(await words(page)));
            const before = await tries(page);
            await pull();
            await until(`a try because of: ${name}`, async () => await tries(page) > before, 900);
        }
    },

    async test_offline(stage) {
        const server = await stage.chat();
        // By a name that could be one of the network, and by one that is there without any.
        const page = await stage.visit(`http://chat.localhost:${server.port}/`, { before: watchTries });
        const local = await stage.visit(server, { name: 'Bob' });
        const network = (which, on) => which.evaluate((value) => {
            Object.defineProperty(navigator, 'onLine', { value, configurable: true });
            dispatchEvent(new Event(value ? 'online' : 'offline'));
        }, on);
        await network(page, false);
        await network(local, false);
        await timed(page); // that alone ends no connection
        const before = await tries(page);
        await server.end('SIGKILL');
        await isState(page, 'offline');
        same(/offline/.test(await words(page)), true, 'whether the page says so');
        await stays('no try', async () => await tries(page) === before, 1500);
        await stage.chat(server.port);
        await isState(local, 'open');
        await isState(page, 'offline');
        await network(page, true);
        await isState(page, 'open');
    },

    async test_reader_scrolled_up(stage) {
        const server = await stage.chat(), page = await stage.visit(server), count = 600;
        await enter(page, server, 'bare');
        await sayMany(page, count);
        const last = (n) => until(`line ${n}`, async () => (await lines(page)).at(-1)?.[0] === `number ${n}`);
        const bottom = () => page.evaluate(() => document.querySelector('#log li:last-child').getBoundingClientRect().bottom
            - document.getElementById('log').getBoundingClientRect().bottom);
        const place = () => page.evaluate(() => [...document.querySelectorAll('#log li')].map((item) => [item.textContent,
            Math.round(item.getBoundingClientRect().top)]).find(([, top]) => top > 200));
        await last(count);
        same((await lines(page)).length, 500, 'lines kept');
        await until('the last line in view', async () => await bottom() <= 0);
        await focus(page, 'log');
        await page.keyboard.press('PageUp');
        await until('another place', async () => await bottom() > 100);
        let before = null;
        await until('a place that stays', async () => {
            const now = JSON.stringify(await place()), isSame = now === before;
            before = now;
            return isSame;
        });
        await page.evaluate((n) => window.probe.socket.send(`say ${n} number ${n}`), count + 1);
        await last(count + 1);
        const [text, oldTop] = JSON.parse(before);
        const top = await page.evaluate((one) => [...document.querySelectorAll('#log li')]
            .find((item) => item.textContent === one).getBoundingClientRect().top, text);
        same(Math.abs(top - oldTop) <= 2, true, `whether what is in view stays, at ${top} for ${oldTop}`);
        await until('the button', async () => /^1 new/.test(await read(page, 'below')));
        await focus(page, 'below');
        await page.keyboard.press('Enter');
        await until('the last line in view', async () => await bottom() <= 0);
        await until('the button gone', () => page.evaluate(() => document.getElementById('below').hidden));
    },

    async test_narrow(stage) {
        const server = await stage.chat(), page = await stage.visit(server, { width: 320, height: 560, name: 'W'.repeat(64) });
        const large = await stage.visit(server, { width: 390, height: 844, name: 'Ann' });
        await large.evaluate(() => { document.documentElement.style.fontSize = '200%'; });
        await say(page, `${'wordwithoutend'.repeat(30)} and some more words to wrap`);
        await until('the line', async () => (await lines(page)).length === 1);
        for (const one of [page, large]) {
            await timed(one);
            await one.evaluate(() => { document.getElementById('people').textContent = '20000 people'; });
        }
        judge(await page.evaluate(measure), 250);
        judge(await large.evaluate(measure), 150);
        await server.end('SIGKILL');
        for (const one of [page, large]) {
            await isState(one, 'waiting');
            await say(one, 'pending');
        }
        judge(await page.evaluate(measure), 250, 44);
        judge(await large.evaluate(measure), 100, 44);
    },

    // What would be a program if it were taken for one; and a hand that trembles.
    async test_hostile_words(stage) {
        const server = await stage.chat(), words = '<img src=x onerror="window.hit = 1"><script>window.hit = 1</script>&amp;';
        const name = '"><img src=x onerror="window.hit=1">';
        const ann = await stage.visit(server, { name }), bob = await stage.visit(server, { name: 'Bob' });
        await ann.evaluate((value) => {
            document.getElementById('line').value = value;
            document.getElementById('send').click();
            document.getElementById('send').click();
        }, words);
        await shows(bob, [[words, false, false]]);
        await shows(ann, [[words, true, false]]);
        await say(bob, 'constructor __proto__');
        for (const page of [ann, bob]) {
            await until('the second line', async () => (await lines(page)).length === 2);
            same(await names(page), [name, 'Bob'], 'names');
            same(await page.evaluate(() => [window.hit === undefined, document.images.length]), [true, 0], 'nothing was obeyed');
        }
    },

    // What a name or a line does to the direction of writing ends with it; each has its own.
    async test_directions(stage) {
        const server = await stage.chat(), page = await stage.visit(server, { name: 'Ann \u202e' });
        await say(page, 'plain');
        await say(page, 'שלום (שלום).');
        await shows(page, [['plain', true, false], ['שלום (שלום).', true, false]]);
        const place = (what) => page.evaluate((script) => {
            const range = document.createRange(), [node, from, to] = new Function(`return ${script}`)();
            range.setStart(node, from);
            range.setEnd(node, to);
            return range.getBoundingClientRect().left;
        }, what);
        const you = 'document.querySelector(".head b").nextSibling', line = '[...document.querySelectorAll(".text")].at(-1).firstChild';
        same(await place(`[${you}, 1, 2]`) < await place(`[${you}, 4, 5]`), true, 'whether (you) is written from left to right');
        same(await place(`[${line}, 11, 12]`) < await place(`[${line}, 0, 1]`), true, 'whether the line ends at its left');
        const field = (text) => page.evaluate((value) => {
            const element = document.getElementById('line');
            element.value = value;
            element.dispatchEvent(new Event('input'));
            return getComputedStyle(element).direction;
        }, text);
        same([await field('(1) سطر one'), await field('(1) one سطر'), await field('')], ['rtl', 'ltr', 'ltr'], 'the field of the line');
        same(await page.evaluate(() => document.getElementById('name').dir), 'auto', 'the field of the name');
    },

    // Writing stands out from what it is written on as WCAG 2 asks (AA), and what is no writing.
    async test_contrast(stage) {
        const server = await stage.chat();
        for (const dark of [false, true]) {
            const page = await stage.visit(server, { dark });
            const weak = await page.evaluate(weakContrasts);
            same(weak, [], `pairs with little contrast, dark: ${dark}`);
        }
    },

    async test_empty(stage) {
        const server = await stage.chat(), page = await stage.visit(server);
        const said = () => page.evaluate(() => getComputedStyle(document.getElementById('lines'), '::before').content);
        await until('a word to who is alone', async () => /Nothing was said/.test(await said()));
        await say(page, 'a line');
        await until('no such word any more', async () => await said() === 'none');
    },

    // The policy of the server holds, and the page needs nothing that it forbids.
    async test_content_security_policy(stage) {
        const server = await stage.chat();
        const page = await stage.visit(server, { before: () => {
            window.violations = [];
            addEventListener('securitypolicyviolation', (event) => window.violations.push(event.effectiveDirective));
        } });
        await say(page, 'a line');
        await shows(page, [['a line', true, false]]);
        same(await page.evaluate(() => window.violations), [], 'violations by the page');
        await page.evaluate(() => { new Image().src = 'http://127.0.0.1:1/'; });
        await until('a violation', () => page.evaluate(() => window.violations.length > 0));
        same(await page.evaluate(() => window.violations), ['img-src'], 'a violation on purpose');
        page.complaints = page.complaints.filter((text) => !/127\.0\.0\.1:1\//.test(text));
    },

    async test_screenshots(stage) {
        for (const dark of [false, true]) await shots(stage, await stage.chat(), dark);
    },
};

// ------------------------------------------------------------------------- runner

async function attempt(driver, name) {
    const label = `${driver.constructor.name}: ${name.slice(5).replace(/_/g, ' ')}`;
    const stage = new Stage(driver), since = Date.now();
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
    const chosen = process.argv.length > 2 ? process.argv.slice(2) : Object.keys(tests);
    let good = true;
    const table = ['| browser | version | tests |', '|---|---|---|']; // for the README
    fs.mkdirSync(SHOTS, { recursive: true });
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
        let passed = 0;
        for (const name of chosen) passed += Number(await attempt(driver, name));
        await within(STEP_MS, driver.end(), 'the end of the browser');
        good = good && passed === chosen.length;
        const verdict = passed === chosen.length ? 'all right' : `${passed} of ${chosen.length}`;
        table.push(`| ${driver.name.replace(/ .*/, '')} | ${driver.name.replace(/^\S+ /, '')} | ${verdict} |`);
    }
    fs.writeFileSync(path.join(SHOTS, 'browsers.md'), `${table.join('\n')}\n`);
    process.exit(good ? 0 : 1);
}

main();
