// A headless Chromium, driven through its DevTools protocol over a pair of pipes: messages are JSON
// that end with a NUL.  No package is needed for that.
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const WAIT_MS = 30000;

export class Browser {
    constructor() {
        this.profile = mkdtempSync(join(tmpdir(), 'dyno-page-'));
        this.process = spawn('chromium', ['--headless', '--no-sandbox', '--disable-gpu', '--no-first-run',
            '--disable-background-networking', '--disable-component-update', '--disable-sync',
            '--remote-debugging-pipe', `--user-data-dir=${this.profile}`, 'about:blank'],
        { stdio: ['ignore', 'ignore', 'ignore', 'pipe', 'pipe'] });
        this.calls = new Map();
        this.listeners = [];
        this.last = 0;
        this.rest = Buffer.alloc(0);
        this.process.stdio[4].on('data', (bytes) => this.take(bytes));
        this.process.on('exit', () => {
            for (const call of this.calls.values()) call.reject(new Error('the browser ended'));
        });
    }

    take(bytes) {
        this.rest = Buffer.concat([this.rest, bytes]);
        for (let end; (end = this.rest.indexOf(0)) >= 0;) {
            const message = JSON.parse(this.rest.subarray(0, end).toString());
            this.rest = this.rest.subarray(end + 1);
            this.hear(message);
        }
    }

    hear(message) {
        const call = this.calls.get(message.id);
        if (!call) {
            for (const listener of this.listeners) listener(message);
            return;
        }
        this.calls.delete(message.id);
        if (message.error) call.reject(new Error(`${call.method}: ${message.error.message}`));
        else call.resolve(message.result);
    }

    send(method, params = {}, sessionId = undefined) {
        const id = ++this.last;
        this.process.stdio[3].write(JSON.stringify({ id, method, params, sessionId }) + '\0');
        return new Promise((resolve, reject) => this.calls.set(id, { resolve, reject, method }));
    }

    async open(width, height, scheme = 'light') {
        const { targetId } = await this.send('Target.createTarget', { url: 'about:blank' });
        const { sessionId } = await this.send('Target.attachToTarget', { targetId, flatten: true });
        const tab = new Tab(this, sessionId, targetId);
        await tab.start(width, height, scheme);
        return tab;
    }

    async close() {
        const ended = new Promise((resolve) => this.process.on('exit', resolve));
        this.send('Browser.close').catch(() => {});
        await ended;
        rmSync(this.profile, { recursive: true, force: true, maxRetries: 5 });
    }
}

export class Tab {
    constructor(browser, session, target) {
        Object.assign(this, { browser, session, target, complaints: [], urls: [] });
        browser.listeners.push((message) => message.sessionId === session && this.hear(message));
    }

    // What the page complained of.  Failed fetches are the stub's doing, and told by the page.
    hear({ method, params }) {
        if (method === 'Runtime.exceptionThrown') this.complaints.push(params.exceptionDetails.exception?.description);
        if (method === 'Log.entryAdded' && params.entry.source !== 'network') this.complaints.push(params.entry.text);
        if (method === 'Runtime.consoleAPICalled') this.complaints.push(`console.${params.type}`);
        if (method === 'Network.requestWillBeSent') this.urls.push(params.request.url);
    }

    send(method, params) {
        return this.browser.send(method, params, this.session);
    }

    async start(width, height, scheme) {
        for (const domain of ['Page', 'Runtime', 'Log', 'Network', 'Accessibility']) await this.send(`${domain}.enable`);
        await this.send('Emulation.setDeviceMetricsOverride', { width, height, deviceScaleFactor: 1, mobile: width < 600 });
        await this.send('Emulation.setEmulatedMedia', { features: [{ name: 'prefers-color-scheme', value: scheme }] });
    }

    go(url) {
        return this.send('Page.navigate', { url });
    }

    async run(expression) {
        const { result, exceptionDetails } = await this.send('Runtime.evaluate', { expression, awaitPromise: true, returnByValue: true });
        if (exceptionDetails) throw new Error(exceptionDetails.exception?.description ?? exceptionDetails.text);
        return result.value;
    }

    // Until the expression holds; what it was last is in the complaint.
    async until(expression, what = expression) {
        for (const end = Date.now() + WAIT_MS; ;) {
            const value = await this.run(expression).catch((error) => error.message);
            if (value === true) return;
            if (Date.now() > end) throw new Error(`not reached: ${what} (it is ${JSON.stringify(value)})`);
            await new Promise((resolve) => setTimeout(resolve, 50));
        }
    }

    text(selector) {
        return this.run(`document.querySelector(${JSON.stringify(selector)}).textContent`);
    }

    says(selector, words) {
        return this.until(`document.querySelector(${JSON.stringify(selector)}).textContent.includes(${JSON.stringify(words)})`,
            `${selector} says '${words}'`);
    }

    click(selector) {
        return this.run(`document.querySelector(${JSON.stringify(selector)}).click()`);
    }

    async type(selector, text) {
        await this.run(`document.querySelector(${JSON.stringify(selector)}).focus()`);
        await this.send('Input.insertText', { text });
    }

    async press(key) {
        const code = { Enter: 13, ArrowLeft: 37, ArrowRight: 39, Tab: 9 }[key];
        const more = { key, code: key, windowsVirtualKeyCode: code, text: key === 'Enter' ? '\r' : undefined };
        await this.send('Input.dispatchKeyEvent', { type: 'keyDown', ...more });
        await this.send('Input.dispatchKeyEvent', { type: 'keyUp', ...more });
    }

    async shot(whole) {
        const { data } = await this.send('Page.captureScreenshot', { format: 'png', captureBeyondViewport: whole });
        return Buffer.from(data, 'base64');
    }

    async close() {
        await this.browser.send('Target.closeTarget', { targetId: this.target });
    }
}
