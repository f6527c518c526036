/* The fleet: asks the server once a second for what is new, and shows it. */

const CHARTS = [
    { title: 'Time to first token', format: milliseconds, axis: axisMilliseconds, least: 1,
        lines: [{ name: 'p50', column: 'ttft_p50_ms' }, { name: 'p95', column: 'ttft_p95_ms' }] },
    { title: 'Time per output token', format: milliseconds, axis: axisMilliseconds, least: 0.1,
        lines: [{ name: 'p50', column: 'tpot_p50_ms' }, { name: 'p95', column: 'tpot_p95_ms' }] },
    { title: 'Requests per second', format: plain, axis: axisCount,
        lines: [{ name: 'received', column: 'requests_per_s' }, { name: 'errors', column: 'errors_per_s' }] },
    { title: 'Output tokens per second', format: plain, axis: axisCount,
        lines: [{ name: 'generated', column: 'output_tokens_per_s' }] },
    { title: 'Requests in the fleet', format: plain, axis: axisCount,
        lines: [{ name: 'running', column: 'running' }, { name: 'waiting', column: 'waiting' }] },
    { title: 'Prompt tokens per second', format: plain, axis: axisCount,
        lines: [{ name: 'of requests that ended', column: 'prompt_tokens_per_s' }] },
    { title: 'KV cache', format: percent, axis: percent, ceiling: 1, stacked: true,
        lines: [{ name: 'in use', column: 'kv_used' }, { name: 'idle', column: 'kv_idle' }] },
    { title: 'Cache hit rate', format: percent, axis: percent, ceiling: 1,
        lines: [{ name: 'of prompt tokens', column: 'hit_rate' }] },
];

const REASONS = {
    prompt_too_long: 'Prompt too long', queue_full: 'Queue full',
    cancelled_by_client: 'Cancelled by the client', cancelled_at_end: 'Cut off at shutdown',
    failed: 'Failed', bad_request: 'Bad request', unauthorized: 'Wrong or no API key',
    not_found: 'No such model', too_large: 'Too large', rate_limited: 'Over the rate limit',
    overloaded: 'Server overloaded', draining: 'Server stopping', timed_out: 'Timed out',
};

const POLL_MS = 1000, ANSWER_MS = 5000, RETRY_MS_MAX = 5000;
const YOUNG_S = [120, 360]; /* up to such an age charts show no more */

const fleet = { points: [], now: 0, since: 0, failures: 0, heard: null, timer: 0, charts: [], tiles: {}, rows: new Map() };

function addTile(name, title) {
    const tile = make('div');
    const value = make('dd', 'value', NOTHING), beside = make('dd', 'beside', '');
    tile.append(make('dt', '', title), value, beside);
    byId('tiles').append(tile);
    fleet.tiles[name] = { value, beside };
}

function setTile(name, value, beside) {
    setText(fleet.tiles[name].value, value);
    setText(fleet.tiles[name].beside, beside);
}

/* Over the last three whole points: of rates the mean, of the others the latest that is known. */
function recent(data, column, mean) {
    const whole = fleet.points.filter((point) => point.at_s + data.point_s <= data.now_s).slice(-3);
    const values = (whole.length ? whole : fleet.points.slice(-1)).map((point) => point[column]).filter(known);
    if (values.length === 0) return null;
    return mean ? values.reduce((sum, value) => sum + value, 0) / values.length : values[values.length - 1];
}

function share(part, whole) {
    return whole > 0 ? part / whole : null;
}

function sumOf(list, key) {
    return list.reduce((sum, item) => sum + item[key], 0);
}

function showTiles(data) {
    const kv = data.fleet.kv[0] || { used: 0, idle: 0, total: 0 };
    const errors = data.errors.filter((error) => error.reason !== 'cancelled_by_client');
    setTile('requests', plain(recent(data, 'requests_per_s', true)),
        plain(sumOf(errors, 'recent')) + ' errors in 15 min');
    setTile('tokens', plain(recent(data, 'output_tokens_per_s', true)),
        plain(recent(data, 'prompt_tokens_per_s', true)) + ' prompt/s');
    setTile('ttft', milliseconds(recent(data, 'ttft_p50_ms')), 'p95 ' + milliseconds(recent(data, 'ttft_p95_ms')));
    setTile('tpot', milliseconds(recent(data, 'tpot_p50_ms')), 'p95 ' + milliseconds(recent(data, 'tpot_p95_ms')));
    setTile('running', plain(data.fleet.running), plain(data.fleet.in_flight) + ' in flight');
    setTile('waiting', plain(data.fleet.waiting), plain(data.fleet.connections) + ' connections');
    setTile('kv', percent(share(kv.used, kv.total)), percent(share(kv.idle, kv.total)) + ' idle');
    setTile('hits', percent(recent(data, 'hit_rate')), percent(data.fleet.hit_rate) + ' in 15 min' +
        (data.fleet.onboarded_rate ? ', ' + percent(data.fleet.onboarded_rate) + ' from tiers' : '') +
        (data.fleet.pulled_rate ? ', ' + percent(data.fleet.pulled_rate) + ' from other workers' : ''));
}

function makeBar(parent, parts) {
    const bar = make('div', 'bar');
    const cells = [];
    bar.setAttribute('role', 'img');
    for (let i = 0; i < parts; i++) {
        cells.push(make('i'));
        bar.append(cells[i]);
    }
    const text = make('span', 'bar-text', '');
    text.setAttribute('aria-hidden', 'true');
    parent.append(bar, text);
    return { bar, cells, text };
}

function setBar(bar, shares, text) {
    bar.cells.forEach((cell, i) => {
        cell.style.width = Math.min(100, Math.max(0, (shares[i] || 0) * 100)) + '%';
    });
    bar.bar.setAttribute('aria-label', text);
    setText(bar.text, text);
}

function makeRow(key) {
    const row = make('tr', key === null ? 'all' : '');
    const name = make('th', '', '');
    const late = make('span', 'late', '');
    const label = make('span');
    name.scope = 'row';
    name.append(label, late);
    row.append(name);
    const cells = {};
    for (const [column, title, kind] of [['running', 'Running', 'number'], ['waiting', 'Waiting', 'number'],
        ['kv', 'KV cache', 'wide'], ['hits', 'Hit rate', 'number'], ['busy', 'Busy', 'wide'], ['tokens', 'Tokens/s', 'number']]) {
        cells[column] = make('td', kind);
        cells[column].dataset.label = title;
        row.append(cells[column]);
    }
    return { row, label, late, cells, kv: [], busy: makeBar(cells.busy, 1) };
}

/* A bar a tier; tiers are named once there is more than one. */
function showKv(shown, tiers) {
    while (shown.kv.length < tiers.length) shown.kv.push(makeBar(shown.cells.kv, 2));
    tiers.forEach((tier, i) => {
        const used = share(tier.used, tier.total), idle = share(tier.idle, tier.total);
        const name = tiers.length > 1 ? tier.tier + ': ' : '', busy = i === 0 ? ' in use, ' : ' moving, ';
        setBar(shown.kv[i], [used, idle], name + (used === null ? 'not known' : percent(used) + busy + percent(idle) + (i === 0 ? ' idle' : ' kept')));
    });
}

/* What is unusual about a worker: nobody has looked at it, or it does not serve. */
function noteOf(worker) {
    if (worker.note) return worker.note;
    if (!known(worker.seen_s)) return 'not seen yet';
    if (worker.seen_s > 10) return 'not seen for ' + duration(worker.seen_s);
    return worker.state && worker.state !== 'ready' ? worker.state : '';
}

function showRow(shown, worker) {
    setText(shown.label, worker.name + (worker.model ? ' ' + worker.model : '') + (worker.role ? ' ' + worker.role : ''));
    const seen = known(worker.seen_s);
    setText(shown.late, noteOf(worker));
    setText(shown.cells.running, seen ? plain(worker.running) : NOTHING);
    setText(shown.cells.waiting, seen ? plain(worker.waiting) : NOTHING);
    setText(shown.cells.hits, percent(worker.hit_rate));
    setText(shown.cells.tokens, plain(worker.tokens_per_s));
    showKv(shown, worker.kv);
    setBar(shown.busy, [worker.busy], known(worker.busy) ? percent(worker.busy) : 'not known');
}

/* Rows that are where they belong are not touched: a selection in them stays. */
function inOrder(body, rows) {
    rows.forEach((row, i) => {
        if (body.rows[i] !== row) body.insertBefore(row, body.rows[i] || null);
    });
}

function showWorkers(data) {
    const body = byId('workers').tBodies[0];
    const all = data.workers.map((worker, i) => [i, worker]).filter(([, worker]) => worker.state !== 'stopped');
    const there = all.map(([, worker]) => worker), stopped = data.workers.length - there.length;
    const keys = new Set(all.map(([key]) => key));
    if (data.workers.length > 1) {
        const busy = there.map((worker) => worker.busy).filter(known);
        const rates = there.map((worker) => worker.tokens_per_s).filter(known);
        keys.add(null);
        all.push([null, { name: 'All ' + there.length, running: data.fleet.running, waiting: data.fleet.waiting,
            note: stopped > 0 ? stopped + ' more stopped' : '',
            kv: data.fleet.kv, hit_rate: data.fleet.hit_rate, seen_s: data.workers.some((worker) => known(worker.seen_s)) ? 0 : null,
            busy: busy.length ? busy.reduce((a, b) => a + b, 0) / busy.length : null,
            tokens_per_s: rates.length ? rates.reduce((a, b) => a + b, 0) : null }]);
    }
    for (const [key, shown] of fleet.rows) {
        if (!keys.has(key)) {
            shown.row.remove();
            fleet.rows.delete(key);
        }
    }
    for (const [key, worker] of all) {
        if (!fleet.rows.has(key)) {
            const shown = makeRow(key);
            fleet.rows.set(key, shown);
        }
        showRow(fleet.rows.get(key), worker);
    }
    inOrder(body, all.map(([key]) => fleet.rows.get(key).row));
}

function showErrors(data) {
    const rows = data.errors.map((error) => {
        const row = make('tr');
        const why = make('th', '', REASONS[error.reason] || error.reason);
        why.scope = 'row';
        row.append(why, make('td', 'number', plain(error.recent)), make('td', 'number', plain(error.total)));
        return row;
    });
    if (rows.length === 0) {
        const row = make('tr'), cell = make('td', '', 'None: every request that ended has completed.');
        cell.colSpan = 3;
        row.append(cell);
        rows.push(row);
    }
    const key = JSON.stringify(data.errors);
    if (fleet.errorsShown !== key) byId('errors').tBodies[0].replaceChildren(...rows);
    fleet.errorsShown = key;
}

function showPlanner(data) {
    setText(byId('planner-now'), (data.planner_now || []).map((now) => (now.model ? now.model + ': ' : '') + now.desired + ' '
        + (now.role === 'serve' ? '' : now.role + ' ') + (now.desired === 1 ? 'worker' : 'workers') + ' wanted (' + now.reason + '): ' + now.ready + ' ready, '
        + now.starting + ' starting, ' + now.draining + ' draining.').join(' '));
    const decisions = data.planner || [];
    byId('planner-none').hidden = decisions.length > 0;
    setText(byId('planner-none'), data.planner ? 'It has decided nothing yet.' : 'This fleet has no planner: it keeps the size it was started with.');
    byId('planner').replaceChildren(...decisions.slice().reverse().map((decision) => {
        const item = make('li');
        item.append(make('time', '', duration(data.now_s - decision.at_s) + ' ago'), (decision.model ? decision.model + ': ' : '') + decision.text);
        return item;
    }));
}

/* Points that are new replace those that were still growing; those before the window go. */
function takePoints(data) {
    const fresh = data.points.map((row) => {
        const point = {};
        data.columns.forEach((name, i) => { point[name] = row[i]; });
        return point;
    });
    const from = fresh.length ? fresh[0].at_s : Infinity;
    const start = data.now_s - data.window_s - data.point_s;
    fleet.points = fleet.points.filter((point) => point.at_s < from && point.at_s > start).concat(fresh);
    fleet.since = fleet.points.length ? fleet.points[fleet.points.length - 1].at_s : 0;
    fleet.now = data.now_s;
}

/* What of the window charts show: less of it while the fleet is young. */
function shownSpan(data) {
    return YOUNG_S.find((span) => data.now_s <= span) || data.window_s;
}

/* Of several models the chat may ask any. */
function offerModels(models) {
    const choice = byId('chat-model');
    byId('chat-models').hidden = models.length < 2;
    if (choice.options.length === models.length) return;
    choice.replaceChildren(...models.map((model) => make('option', '', model)));
}

function show(data) {
    setText(byId('model'), data.model);
    document.title = data.model + ' – Dyno';
    offerModels(data.models);
    setText(byId('uptime'), 'up ' + duration(data.now_s) + ', version ' + data.version);
    takePoints(data);
    showTiles(data);
    showWorkers(data);
    showErrors(data);
    showPlanner(data);
    const span = shownSpan(data);
    setText(byId('charts-title'), 'The last ' + Math.round(span / 60) + ' minutes');
    for (const chart of fleet.charts) chart.update(fleet.points, data.now_s, span, data.point_s);
}

function setState(state, text) {
    const status = byId('status');
    status.dataset.state = document.body.dataset.state = state;
    setText(status, text);
}

async function ask(since) {
    const stop = new AbortController();
    const alarm = setTimeout(() => stop.abort(), ANSWER_MS);
    try {
        const answer = await fetch('dashboard/data?since=' + since, { headers: headers(), signal: stop.signal, cache: 'no-store' });
        if (answer.status === 401) askForKey();
        if (!answer.ok) throw new Error(answer.status === 401 ? 'The server wants an API key' : 'The server answered ' + answer.status);
        return await answer.json();
    } finally {
        clearTimeout(alarm);
    }
}

/* After a loss, or where time went back, everything is asked for again: the server is another. */
async function poll() {
    clearTimeout(fleet.timer);
    const again = fleet.failures > 0;
    try {
        const data = await ask(again ? 0 : fleet.since);
        if (!again && data.now_s < fleet.now) {
            fleet.since = fleet.now = 0;
            return next(0);
        }
        if (again || fleet.since === 0) fleet.points = [];
        show(data);
        fleet.failures = 0;
        fleet.heard = Date.now();
        setState('live', 'Live');
        return next(POLL_MS);
    } catch (error) {
        fleet.failures++;
        lost(error);
        return next(Math.min(RETRY_MS_MAX, POLL_MS * fleet.failures));
    }
}

function lost(error) {
    const why = error.message.startsWith('The server') ? error.message : 'Connection lost';
    const age = fleet.heard === null ? '' : ', data ' + duration((Date.now() - fleet.heard) / 1000) + ' old';
    setState('lost', why + age + ', trying again');
}

function next(wait) {
    clearTimeout(fleet.timer);
    if (!document.hidden) fleet.timer = setTimeout(poll, wait);
}

function startFleet() {
    for (const [name, title] of [['requests', 'Requests/s'], ['tokens', 'Output tokens/s'], ['ttft', 'First token, p50'],
        ['tpot', 'Per output token, p50'], ['running', 'Running'], ['waiting', 'Waiting'],
        ['kv', 'KV cache in use'], ['hits', 'Cache hit rate']]) addTile(name, title);
    fleet.charts = CHARTS.map((options) => new Chart(byId('charts'), options));
    byId('key-form').addEventListener('submit', (event) => {
        event.preventDefault();
        poll();
    });
    document.addEventListener('visibilitychange', () => next(0));
    addEventListener('online', () => next(0));
    poll();
}
