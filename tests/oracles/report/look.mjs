// What a reader would find wrong with a report: it is opened from its file, light and dark, wide and
// narrow, and on paper.
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Browser } from '../dashboard/browser.mjs';

const [page, shots] = process.argv.slice(2);
const browser = new Browser();
const checks = {};

const count = (selector) => `document.querySelectorAll(${JSON.stringify(selector)}).length`;

checks['it needs nothing beside it'] = async (tab) => {
    assert.deepEqual(tab.urls.filter((url) => !url.startsWith('file://') && !url.startsWith('data:')), []);
    assert.equal(tab.urls.length, 1);
};

checks['runs are there, and those that did not end are named'] = async (tab) => {
    assert.equal(await tab.run(count('.run')), 4);
    assert.equal(await tab.run(`[...document.querySelectorAll('.status')].map((s) => s.textContent).join()`),
        'finished,finished,failed,unfinished');
    assert.equal(await tab.run(count('.run .warning')), 2);
    assert.equal(await tab.run(count('.headlines thead th')), 2);
    assert.equal(await tab.run(`document.querySelectorAll('.command code')[2].textContent`),
        'dyno replay --workers 4 "<b>" & co');
};

checks['every figure has a title, an alternative text and no identity of another'] = async (tab) => {
    const figures = await tab.run(`[...document.querySelectorAll('figure')].map((f) => [f.querySelector('h3').textContent,
        f.querySelector('svg').getAttribute('aria-label'), f.querySelector('figcaption').textContent])`);
    assert.ok(figures.length >= 7, String(figures.length));
    for (const [title, words, caption] of figures) {
        assert.ok(title.length > 3 && caption.length > 20, title);
        assert.ok(words.startsWith(title) && words.length > title.length + 10, words);
    }
    assert.match(figures[0][1], /run 1: round_robin: half of the requests within 102 ms/);
    assert.deepEqual(await tab.run(`(() => { const all = [...document.querySelectorAll('[id]')].map((e) => e.id);
        return all.filter((id, i) => all.indexOf(id) !== i); })()`), []);
};

checks['nothing is undefined, and what is not drawn says why'] = async (tab) => {
    assert.doesNotMatch(await tab.run('document.body.innerText'), /NaN|undefined|null|Infinity/);
    assert.match(await tab.run(`document.querySelector('#left-out').parentElement.textContent`),
        /Prompts moved between workers: No prompt was moved/);
};

checks['tables sort, by number and by word, both ways'] = async (tab) => {
    const column = (i) => tab.run(`[...document.querySelectorAll('[aria-labelledby=slowest] tbody tr')].map((r) => r.cells[${i}].textContent)`);
    const press = (i) => tab.run(`document.querySelectorAll('[aria-labelledby=slowest] thead button')[${i}].click()`);
    await press(1);
    assert.deepEqual(await column(1), ['19', '24', '38', '57', '90', '120', '125', '139', '158', '191']);
    await press(1);
    assert.deepEqual(await column(1), ['191', '158', '139', '125', '120', '90', '57', '38', '24', '19']);
    assert.equal(await tab.run(`document.querySelectorAll('[aria-labelledby=slowest] th')[1].getAttribute('aria-sort')`), 'descending');
};

checks['everything that can be used has a name'] = async (tab) => {
    const { nodes } = await tab.send('Accessibility.getFullAXTree');
    const named = ['button', 'image', 'img', 'link', 'region'];
    const found = nodes.filter((node) => !node.ignored && named.includes(node.role?.value));
    assert.deepEqual(found.filter((node) => !node.name?.value).map((node) => node.role.value), []);
    assert.ok(found.length > 20, String(found.length));
};

checks['nothing is wider than the page'] = async (tab) => {
    for (const width of [1280, 1000, 700, 390, 320]) {
        await tab.send('Emulation.setDeviceMetricsOverride', { width, height: 800, deviceScaleFactor: 1, mobile: false });
        assert.ok(await tab.run('document.documentElement.scrollWidth <= innerWidth'), `at ${width}`);
    }
};

/* The contrast of two colours (WCAG 2): 4.5 for text, 3 for lines. */
const contrast = `(a, b) => {
    const light = (text) => { const [r, g, b] = text.match(/[\\d.]+/g).map((v) => v / 255)
        .map((v) => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4); return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
    const [low, high] = [light(a), light(b)].sort((x, y) => x - y);
    return (high + 0.05) / (low + 0.05);
}`;

checks['no option of a command is torn at a hyphen'] = async (tab) => {
    await tab.send('Emulation.setDeviceMetricsOverride', { width: 320, height: 800, deviceScaleFactor: 1, mobile: false });
    const words = await tab.run(`[...document.querySelectorAll('.command span')].map((s) => [s.textContent, s.offsetHeight])`);
    const line = Math.min(...words.map(([, height]) => height));
    assert.ok(words.length > 5, String(words.length));
    assert.deepEqual(words.filter(([text, height]) => text.startsWith('--') && text.length < 20 && height > line), []);
};

checks['it is to be read in the light and in the dark'] = async (tab) => {
    for (const scheme of ['light', 'dark']) {
        await tab.send('Emulation.setEmulatedMedia', { features: [{ name: 'prefers-color-scheme', value: scheme }] });
        const worst = await tab.run(`(() => {
            const contrast = ${contrast};
            const panel = getComputedStyle(document.querySelector('figure')).backgroundColor;
            const of = (selector, key) => Math.min(...[...document.querySelectorAll(selector)]
                .map((e) => contrast(getComputedStyle(e)[key], panel)));
            return [of('.plot text', 'fill'), of('figcaption, .number, .interval, .status', 'color'),
                of('#ttft path[stroke*="line"]', 'stroke')];
        })()`);
        assert.ok(worst[0] >= 4.5 && worst[1] >= 4.5 && worst[2] >= 3, `${scheme}: ${worst}`);
    }
};

checks['on paper it is light, and nothing is to be pressed'] = async (tab) => {
    await tab.send('Emulation.setEmulatedMedia', { media: 'print', features: [{ name: 'prefers-color-scheme', value: 'dark' }] });
    assert.equal(await tab.run(`getComputedStyle(document.querySelector('figure')).backgroundColor`), 'rgb(255, 255, 255)');
    assert.equal(await tab.run(`[...document.querySelectorAll('.command button')].every((b) => getComputedStyle(b).display === 'none')`), true);
};

async function open(width, scheme) {
    const tab = await browser.open(width, 900, scheme);
    await tab.go('file://' + page);
    await tab.until(`document.readyState === 'complete' && ${count('figure')} > 0`);
    return tab;
}

try {
    for (const [name, check] of Object.entries(checks)) {
        const tab = await open(1280, 'light');
        await check(tab).catch((error) => {
            console.error(`not ok: ${name}`);
            throw error;
        });
        assert.deepEqual(tab.complaints, [], 'the page complained');
        await tab.close();
        console.log(`ok: ${name}`);
    }
    for (const width of shots ? [1280, 390] : []) {
        for (const scheme of ['light', 'dark']) {
            const tab = await open(width, scheme);
            writeFileSync(join(shots, `report-${width}-${scheme}.png`), await tab.shot(true));
            await tab.close();
        }
    }
} finally {
    await browser.close();
}
