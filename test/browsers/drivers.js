// SPDX-License-Identifier: MIT
// The two browsers behind one face: pages with goto, reload, evaluate, keyboard and
// screenshot, which both drivers have under the same names, and first. Chromium by
// playwright; Firefox, which playwright knows only in a build of its own, by puppeteer
// over WebDriver BiDi.
'use strict';

const fs = require('fs');
const os = require('os');
const path = require('path');

const modules = path.join(path.resolve(process.env.TENON_BUILD || 'build'), 'browsers', 'npm', 'node_modules');
const load = (name) => require(path.join(modules, name));

const QUIET = ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
    '--disable-component-update', '--disable-sync', '--disable-default-apps'];

// What a page complains about: kept for the end of its test. That a server is away, which
// browsers report as well, is what many tests are about.
function listen(page) {
    page.complaints = [];
    const note = (text) => {
        if (!/WebSocket|can.t establish a connection|connection to ws:\S+ was interrupted/.test(text))
            page.complaints.push(text);
    };
    page.on('console', (message) => { if (message.type() === 'error') note(message.text()); });
    page.on('pageerror', (error) => note(error.message));
    return page;
}

class Chromium {
    async start() {
        this.browser = await load('playwright-core').chromium.launch({ executablePath: '/usr/bin/chromium', args: QUIET });
        this.name = `Chromium ${this.browser.version()}`;
    }

    // One profile: what its pages share is storage and channels.
    async profile({ dark = false } = {}) {
        const context = await this.browser.newContext({ colorScheme: dark ? 'dark' : 'light' });
        return {
            page: async (width, height) => {
                const page = listen(await context.newPage());
                await page.setViewportSize({ width, height });
                page.first = (script) => page.addInitScript(script);
                return page;
            },
            close: () => context.close(),
        };
    }

    async end() {
        await this.browser.close();
    }
}

class Firefox {
    // The colours that pages are asked for are a matter of the whole browser.
    async launch(dark) {
        const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'tenon-firefox-'));
        const browser = await load('puppeteer-core').launch({
            browser: 'firefox', executablePath: '/usr/bin/firefox-esr', headless: true, userDataDir: folder,
            extraPrefsFirefox: { 'app.update.enabled': false, 'network.captive-portal-service.enabled': false,
                'network.connectivity-service.enabled': false,
                'layout.css.prefers-color-scheme.content-override': dark ? 0 : 1 },
        });
        const end = async () => {
            await browser.close();
            fs.rmSync(folder, { recursive: true, force: true });
        };
        return { browser, end };
    }

    async start() {
        this.light = await this.launch(false);
        this.name = `Firefox ${(await this.light.browser.version()).replace(/^firefox\//, '')}`;
    }

    async profile({ dark = false } = {}) {
        if (dark && !this.dark) this.dark = await this.launch(true);
        const context = await (dark ? this.dark : this.light).browser.createBrowserContext();
        return {
            page: async (width, height) => {
                const page = listen(await context.newPage());
                await page.setViewport({ width, height });
                page.first = (script) => page.evaluateOnNewDocument(script);
                return page;
            },
            close: () => context.close(),
        };
    }

    async end() {
        await this.light.end();
        if (this.dark) await this.dark.end();
    }
}

module.exports = { Chromium, Firefox };
