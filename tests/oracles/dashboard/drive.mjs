// Does in Chromium what a reader of the live page does, and holds what is seen against what the
// stub told.  Each check starts from a page that is live; the first that fails ends the program.
import assert from 'node:assert/strict';
import { Browser } from './browser.mjs';
import { begin, finish, sendError, sendToken, Stub } from './stub.mjs';

const HOSTILE = '<img src=x onerror="window.hacked=1"><script>window.hacked=1</script>\'"&amp;';

const stub = new Stub(process.argv[2]);
const browser = new Browser();
const checks = {};

const count = (selector) => `document.querySelectorAll(${JSON.stringify(selector)}).length`;
const numbers = (text) => text.replaceAll(',', '').match(/[\d.]+/g).map(Number);

checks['the fleet is shown as it was told'] = async (tab) => {
    const told = JSON.parse(stub.say('data', 900, 895));
    assert.equal(await tab.text('#model'), told.model);
    assert.equal(await tab.run(count('#workers tbody tr')), told.workers.length + 1);
    const cells = await tab.run(`[...document.querySelectorAll('#workers tbody tr')[1].children].map((cell) => cell.textContent)`);
    const worker = told.workers[1], kv = worker.kv[0];
    assert.deepEqual(cells, ['1', String(worker.running), String(worker.waiting),
        `${Math.round(kv.used / kv.total * 100)} % in use, ${Math.round(kv.idle / kv.total * 100)} % idle`,
        `${Math.round(worker.hit_rate * 100)} %`, `${Math.round(worker.busy * 100)} %`, String(worker.tokens_per_s)]);
    assert.deepEqual(numbers(await tab.text('#errors tbody')), told.errors.flatMap((e) => [Number(`${e.recent}${e.total}`)]));
    assert.match(await tab.text('#planner-none'), /no planner/);
    assert.equal(await tab.run(count('.chart svg path')), 13);
    assert.match(await tab.text('#tiles'), /First token, p50147 msp95 155 ms/);
};

checks['a poll asks for what is new, and the past stays'] = async (tab) => {
    const before = await tab.run('fleet.points.length');
    assert.ok(before > 170);
    await tab.until(`fleet.now > ${await tab.run('fleet.now')} + 6`, 'seven more seconds');
    assert.equal(stub.asked[0], 0);
    assert.ok(stub.asked.slice(1).every((since) => since >= 895), String(stub.asked));
    assert.ok(await tab.run('fleet.points.length') >= before);
    assert.deepEqual(await tab.run('fleet.points.map((p) => p.at_s).filter((s, i, all) => i && s - all[i - 1] !== 5)'), []);
};

checks['a lost connection is said, and taken up again'] = async (tab) => {
    stub.down = true;
    await tab.says('#status', 'Connection lost');
    assert.equal(await tab.run(`document.body.dataset.state`), 'lost');
    assert.notEqual(await tab.text('#workers tbody'), '');
    stub.asked.length = 0;
    stub.seconds = 30; // another server
    stub.down = false;
    await tab.says('#status', 'Live');
    assert.equal(stub.asked[0], 0);
    assert.ok(await tab.run('fleet.points.length <= 8'));
};

checks['a server that began again unnoticed is noticed'] = async (tab) => {
    stub.seconds = 20;
    await tab.until('fleet.now > 0 && fleet.now < 100', 'the new server');
    assert.ok(await tab.run('fleet.points.every((point) => point.at_s < 100)'));
};

checks['no text of the server becomes HTML'] = async (tab) => {
    const images = await tab.run(count('img'));
    stub.change = (data) => {
        data.model = data.version = HOSTILE;
        data.workers.forEach((worker) => { worker.name = HOSTILE; worker.kv[0].tier = HOSTILE; worker.kv.push(worker.kv[0]); });
        data.errors.push({ reason: HOSTILE, recent: 1, total: 1 });
        data.planner = [{ at_s: data.now_s - 3, text: HOSTILE }];
        return data;
    };
    await tab.says('#planner', HOSTILE);
    stub.chat = (response) => {
        begin(response);
        sendToken(response, HOSTILE);
        sendError(response, HOSTILE);
        response.end();
    };
    await tab.type('#chat-input', HOSTILE);
    await tab.press('Enter');
    await tab.says('#chat-status', HOSTILE);
    for (const selector of ['#model', '#uptime', '#workers tbody th', '#errors tbody', '#chat-log .user div', '#chat-log .assistant div']) {
        assert.ok((await tab.text(selector)).includes(HOSTILE), selector);
    }
    assert.equal(await tab.run(count('img')), images);
    assert.equal(await tab.run(count('script')), 1);
    assert.equal(await tab.run('typeof window.hacked'), 'undefined');
};

checks['the policy lets no other script run'] = async (tab) => {
    const ways = [`document.body.setAttribute('onclick', 'window.hacked = 1')`,
        `document.body.append(Object.assign(document.createElement('script'), { text: 'window.hacked = 2' }))`,
        `document.body.innerHTML = '<img src=x onerror="window.hacked = 3">'`];
    for (const way of ways) await assert.rejects(tab.run(way), /Trusted/, way);
    await tab.run('document.body.click()');
    assert.equal(await tab.run('typeof window.hacked'), 'undefined');
    tab.complaints.length = 0; // of the policy, about what we did
};

function within(promise, what) {
    return Promise.race([promise, new Promise((resolve, reject) => {
        setTimeout(() => reject(new Error(`not reached: ${what}`)), 30000).unref();
    })]);
}

async function ask(tab, text, answer) {
    stub.chat = answer;
    await tab.type('#chat-input', text);
    await tab.press('Enter');
}

checks['a chat streams, counts, and remembers'] = async (tab) => {
    let go;
    await ask(tab, 'One', (response) => {
        begin(response);
        sendToken(response, 'Café ');
        go = () => {
            sendToken(response, '日本\n');
            sendToken(response, 'end');
            finish(response, 7, 'length');
        };
    });
    await tab.says('#chat-log .assistant div', 'Café');
    assert.equal(await tab.run(`document.querySelector('#chat-send').disabled`), true);
    assert.equal(await tab.run(`document.querySelector('#chat-log').getAttribute('aria-busy')`), 'true');
    go();
    await tab.says('#chat-status', '7 tokens, ');
    assert.match(await tab.text('#chat-status'), /tokens\/s, the first after [\d.,]+ m?s$/);
    assert.equal(await tab.text('#chat-log .assistant div'), 'Café 日本\nend');
    await tab.says('#chat-log .assistant .note', 'limit');
    await ask(tab, 'Two', (response) => { begin(response); sendToken(response, 'B'); finish(response, 1); });
    await tab.says('#chat-log .assistant:last-child div', 'B');
    const body = stub.bodies.at(-1);
    assert.deepEqual(body.messages, [{ role: 'user', content: 'One' }, { role: 'assistant', content: 'Café 日本\nend' },
        { role: 'user', content: 'Two' }]);
    assert.equal(body.model, 'austen-2m');
    assert.equal(body.stream, true);
    assert.equal(body.max_tokens, 256);
    await tab.click('#chat-clear');
    assert.equal(await tab.run(count('#chat-log .message')), 0);
};

checks['events are taken however they are cut'] = async (tab) => {
    const bytes = Buffer.from(': ping\r\n\r\ndata: {"choices":[{"delta":{"content":"é1"}}]}\r\n\r\ndata:{"choices":\ndata: [{"delta":{"content":"2"}}]}\n\ndata: [DONE]\n\n');
    await ask(tab, 'Cut', (response) => {
        let at = 0;
        begin(response);
        (function step() {
            if (at === bytes.length) return response.end();
            return response.write(bytes.subarray(at, ++at), () => setImmediate(step));
        }());
    });
    await tab.says('#chat-status', '2 tokens');
    assert.equal(await tab.text('#chat-log .assistant div'), 'é12');
};

checks['Stop stops the server too, and keeps what is there'] = async (tab) => {
    let gone;
    const closed = new Promise((resolve) => { gone = resolve; });
    await ask(tab, 'Endless', (response) => {
        begin(response);
        const timer = setInterval(() => sendToken(response, 'word '), 5);
        response.on('close', () => { clearInterval(timer); gone(); });
    });
    await tab.says('#chat-log .assistant div', 'word word word');
    await tab.click('#chat-stop');
    await within(closed, 'the server hears of it');
    await tab.says('#chat-status', 'Stopped after');
    assert.match(await tab.text('#chat-log .assistant div'), /^word/);
    assert.equal(await tab.run(`document.querySelector('#chat-send').disabled`), false);
    assert.equal(await tab.run('document.activeElement.id'), 'chat-input');
};

checks['every way to fail is told in words'] = async (tab) => {
    const ways = [
        ['try again in 7 s. It says: Slow down.', (r) => stub.refuse(r, 429, 'Slow down.', { 'Retry-After': '7' })],
        ['status 400. It says: No.', (r) => stub.refuse(r, 400, 'No.')],
        ['status 500.', (r) => { r.writeHead(500); r.end('<h1>Oops</h1>'); }],
        ['broke off: No memory.', (r) => { begin(r); sendToken(r, 'a'); sendError(r, 'No memory'); r.end(); }],
        ['broke off before its end', (r) => { begin(r); sendToken(r, 'a'); r.end(); }],
        ['cannot be reached, or the connection broke', (r) => { begin(r); sendToken(r, 'a'); setTimeout(() => r.socket.destroy(), 20); }],
        ['cannot be reached', (r) => r.socket.destroy()],
        ['no JSON', (r) => { begin(r); r.end('data: {oops\n\n'); }],
        ['answer is empty', (r) => { begin(r); finish(r, 0); }],
    ];
    for (const [words, answer] of ways) {
        await ask(tab, 'Fail', answer);
        await tab.says('#chat-status', words);
        await tab.until(`!document.querySelector('#chat-send').disabled`);
    }
    /* A question that got no answer is not asked again with the next. */
    const roles = stub.bodies.at(-1).messages.map((message) => message.role);
    assert.deepEqual(roles, roles.map((role, i) => (i % 2 ? 'assistant' : 'user')));
};

checks['a server with keys is given one'] = async (tab) => {
    stub.key = 'secret';
    await tab.says('#status', 'API key');
    await tab.type('#key', 'secret');
    await tab.press('Enter');
    await tab.says('#status', 'Live');
    await ask(tab, 'With key', (response) => { begin(response); sendToken(response, 'ok'); finish(response, 1); });
    await tab.says('#chat-log .assistant div', 'ok');
};

checks['keys alone read a chart'] = async (tab) => {
    const label = `document.querySelector('.chart svg').getAttribute('aria-label')`;
    assert.match(await tab.run(label), /^Time to first token, now: p50 [\d.]+ ms, p95 [\d.]+ ms\. Highest/);
    await tab.run(`document.querySelector('.chart svg').focus()`);
    for (let i = 0; i < 12; i++) await tab.press('ArrowLeft');
    assert.match(await tab.run(label), /^Time to first token, (\d+ s|1 min \d+ s) ago: p50/);
};

checks['everything that can be used has a name'] = async (tab) => {
    const { nodes } = await tab.send('Accessibility.getFullAXTree');
    const named = ['button', 'textbox', 'spinbutton', 'image', 'img', 'table', 'log', 'link', 'region'];
    const found = nodes.filter((node) => !node.ignored && named.includes(node.role?.value));
    const nameless = found.filter((node) => !node.name?.value && node.role.value !== 'table');
    assert.deepEqual(nameless.map((node) => node.role.value), []);
    assert.ok(found.length > 25, String(found.length));
};

checks['a fleet that has just begun looks like one'] = async (tab) => {
    stub.change = () => JSON.parse(stub.say('data', 0, 0));
    await tab.until(`document.querySelectorAll('.chart .none').length === 8`, 'eight empty charts');
    await tab.says('#workers tbody', 'not seen yet');
    await tab.says('#errors tbody', 'None');
    assert.doesNotMatch(await tab.run('document.body.innerText'), /NaN|undefined|null|Infinity/);
};

checks['a young fleet fills its charts'] = async (tab) => {
    for (const [age, span, ticks] of [[100, 2, 3], [300, 6, 4], [600, 15, 4]]) {
        stub.change = () => JSON.parse(stub.say('data', age, 0));
        await tab.says('#charts-title', `The last ${span} minutes`);
        assert.equal(await tab.run(`[...document.querySelector('.chart svg').querySelectorAll('text')]
            .filter((text) => /min|now/.test(text.textContent)).length`), ticks);
    }
};

checks['a planner is listened to'] = async (tab) => {
    stub.change = (data) => Object.assign(data, { planner: [{ at_s: data.now_s - 60, text: 'add a worker' }] });
    await tab.says('#planner', '1 min 0 s agoadd a worker');
    assert.equal(await tab.run(`document.querySelector('#planner-none').hidden`), true);
};

checks['nothing is wider than the page, and nothing jumps'] = async (tab) => {
    await tab.run(`window.jumps = 0; new PerformanceObserver((list) => {
        for (const entry of list.getEntries()) window.jumps += entry.value;
    }).observe({ type: 'layout-shift' })`);
    for (const width of [1280, 1000, 700, 390, 320]) {
        await tab.send('Emulation.setDeviceMetricsOverride', { width, height: 800, deviceScaleFactor: 1, mobile: false });
        assert.ok(await tab.run('document.documentElement.scrollWidth <= innerWidth'), `at ${width}`);
    }
    await tab.send('Emulation.setDeviceMetricsOverride', { width: 390, height: 800, deviceScaleFactor: 1, mobile: false });
    await tab.run('new Promise((resolve) => setTimeout(resolve, 700))'); // shifts of the resizing
    await tab.run('window.jumps = 0');
    stub.down = true;
    await tab.says('#status', 'Connection lost');
    stub.down = false;
    await tab.says('#status', 'Live');
    assert.ok(await tab.run('window.jumps') < 0.001, String(await tab.run('window.jumps')));
};

async function run(name, check) {
    Object.assign(stub, { seconds: 900, down: false, key: null, change: (data) => data, asked: [], bodies: [] });
    const tab = await browser.open(1280, 900);
    await tab.go(stub.url + '/dashboard');
    await tab.says('#status', 'Live');
    await check(tab);
    assert.deepEqual(tab.complaints, [], 'the page complained');
    const elsewhere = tab.urls.filter((url) => !url.startsWith(stub.url) && !url.startsWith('data:'));
    assert.deepEqual(elsewhere, [], 'the page asked elsewhere');
    await tab.close();
    console.log(`ok: ${name}`);
}

await stub.listen();
try {
    assert.ok(stub.page.length < 60000, 'the page is small');
    for (const [name, check] of Object.entries(checks)) {
        await run(name, check).catch((error) => {
            console.error(`not ok: ${name}`);
            throw error;
        });
    }
} finally {
    await browser.close();
    stub.close();
}
