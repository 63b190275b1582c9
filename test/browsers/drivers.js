// SPDX-License-Identifier: MIT
// The two browsers behind one face: pages with goto, evaluate, keyboard and screenshot,
// which both drivers have under the same names. Chromium by playwright; Firefox, which
// playwright knows only in a build of its own, by puppeteer over WebDriver BiDi.
'use strict';

const fs = require('fs');
const os = require('os');
const path = require('path');

const modules = path.join(path.resolve(process.env.TENON_BUILD || 'build'), 'browsers', 'npm', 'node_modules');
const load = (name) => require(path.join(modules, name));

const QUIET = ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
    '--disable-component-update', '--disable-sync', '--disable-default-apps'];

// What a page complains about: kept for the end of its test.
function listen(page) {
    page.complaints = [];
    page.on('console', (message) => {
        if (message.type() === 'error' && !/WebSocket|can.t establish a connection/.test(message.text()))
            page.complaints.push(message.text());
    });
    page.on('pageerror', (error) => page.complaints.push(error.message));
    return page;
}

class Chromium {
    async start() {
        this.browser = await load('playwright-core').chromium.launch({ executablePath: '/usr/bin/chromium', args: QUIET });
        this.name = `Chromium ${this.browser.version()}`;
    }

    // One profile: what its pages share is storage and channels.
    async profile() {
        const context = await this.browser.newContext();
        return {
            page: async (width, height) => {
                const page = listen(await context.newPage());
                await page.setViewportSize({ width, height });
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
    async start() {
        this.folder = fs.mkdtempSync(path.join(os.tmpdir(), 'tenon-firefox-'));
        this.browser = await load('puppeteer-core').launch({
            browser: 'firefox', executablePath: '/usr/bin/firefox-esr', headless: true, userDataDir: this.folder,
            extraPrefsFirefox: { 'app.update.enabled': false, 'network.captive-portal-service.enabled': false,
                'network.connectivity-service.enabled': false },
        });
        this.name = `Firefox ${(await this.browser.version()).replace(/^firefox\//, '')}`;
    }

    async profile() {
        const context = await this.browser.createBrowserContext();
        return {
            page: async (width, height) => {
                const page = listen(await context.newPage());
                await page.setViewport({ width, height });
                return page;
            },
            close: () => context.close(),
        };
    }

    async end() {
        await this.browser.close();
        fs.rmSync(this.folder, { recursive: true, force: true });
    }
}

module.exports = { Chromium, Firefox };
