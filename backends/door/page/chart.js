/* A chart of one or two lines over the window, drawn as SVG to the size it has on the page.  The
 * legend tells the latest values, or those under the pointer; arrow keys move the pointer too. */

const SVG = 'http://www.w3.org/2000/svg';
const TICK_MINUTES = { 15: 5, 6: 2, 2: 1 }; /* of a chart of so many minutes */
const PLOT = { left: 52, right: 8, top: 8, bottom: 20, height: 132 };

function svg(tag, attributes, parent) {
    const element = document.createElementNS(SVG, tag);
    for (const name in attributes) element.setAttribute(name, attributes[name]);
    if (parent) parent.append(element);
    return element;
}

/* The next of 1, 2, 2.5, 5, 10 ... that is not below. */
function niceCeiling(value) {
    const power = Math.pow(10, Math.floor(Math.log10(value)));
    for (const step of [1, 2, 2.5, 5, 10]) {
        if (step * power >= value * 0.999999) return step * power;
    }
    return 10 * power;
}

class Chart {
    constructor(parent, options) {
        this.options = options;
        this.points = [];
        this.cursor = null;
        const figure = make('figure', 'chart');
        const caption = make('figcaption');
        caption.append(make('span', 'title', options.title));
        this.at = make('span', 'at', '');
        caption.append(this.at);
        const legend = make('span', 'legend');
        this.values = options.lines.map((line, i) => {
            const item = make('span');
            item.append(make('i', options.stacked && i === 1 ? 'paint2' : 'paint' + i));
            item.append(line.name + ' ');
            const value = make('b', '', NOTHING);
            item.append(value);
            legend.append(item);
            return value;
        });
        caption.append(legend);
        this.svg = svg('svg', { role: 'img', tabindex: '0' });
        figure.append(caption, this.svg);
        parent.append(figure);
        this.listen();
        new ResizeObserver(() => this.draw()).observe(this.svg);
    }

    listen() {
        const point = (event) => {
            const box = this.svg.getBoundingClientRect();
            const share = (event.clientX - box.left - PLOT.left) / this.plotWidth();
            this.moveTo(this.start + share * this.window);
        };
        this.svg.addEventListener('pointermove', point);
        this.svg.addEventListener('pointerdown', point);
        this.svg.addEventListener('pointerleave', () => this.moveTo(null));
        this.svg.addEventListener('blur', () => this.moveTo(null));
        this.svg.addEventListener('keydown', (event) => this.key(event));
    }

    key(event) {
        const steps = { ArrowLeft: -this.step, ArrowRight: this.step, Home: -Infinity, End: Infinity };
        if (event.key === 'Escape') return this.moveTo(null);
        if (!(event.key in steps) || this.points.length === 0) return undefined;
        event.preventDefault();
        const first = this.points[0].at_s, last = this.points[this.points.length - 1].at_s;
        const from = this.cursor === null ? last : this.cursor;
        return this.moveTo(Math.min(last, Math.max(first, from + steps[event.key])));
    }

    moveTo(second) {
        this.cursor = second;
        this.draw();
    }

    update(points, now, window, step) {
        this.points = points;
        this.end = now;
        this.start = now - window;
        this.window = window;
        this.step = step;
        this.draw();
    }

    plotWidth() {
        return Math.max(10, this.svg.clientWidth - PLOT.left - PLOT.right);
    }

    x(second) {
        const share = (second - this.start) / this.window;
        return PLOT.left + Math.min(1, Math.max(0, share)) * this.plotWidth();
    }

    y(value) {
        return PLOT.height - PLOT.bottom - value / this.ceiling * (PLOT.height - PLOT.top - PLOT.bottom);
    }

    /* What line i shows at a point: its own value, on top of those below it where they are stacked. */
    height(point, i) {
        const value = point[this.options.lines[i].column];
        if (!known(value) || !this.options.stacked || i === 0) return value;
        return value + (point[this.options.lines[i - 1].column] || 0);
    }

    highest() {
        let highest = 0;
        for (const point of this.points) {
            this.options.lines.forEach((line, i) => {
                const value = this.height(point, i);
                if (known(value) && value > highest) highest = value;
            });
        }
        return highest;
    }

    /* Runs of points that follow each other and are known, for a gap is a gap. */
    runs(i) {
        const runs = [];
        let run = null;
        for (const point of this.points) {
            const value = this.height(point, i);
            if (!known(value)) {
                run = null;
                continue;
            }
            if (!run) runs.push(run = []);
            run.push([this.x(point.at_s + this.step / 2), this.y(value), point]);
        }
        return runs;
    }

    linePath(i) {
        return this.runs(i).map((run) => 'M' + run.map((p) => p[0].toFixed(1) + ' ' + p[1].toFixed(1)).join('L') +
            (run.length === 1 ? 'h0.1' : '')).join('');
    }

    areaPath(i) {
        return this.runs(i).map((run) => {
            const back = run.slice().reverse().map((p) =>
                [p[0], this.y(i === 0 ? 0 : this.height(p[2], i - 1) || 0)]);
            return 'M' + run.concat(back).map((p) => p[0].toFixed(1) + ' ' + p[1].toFixed(1)).join('L') + 'Z';
        }).join('');
    }

    minutes() {
        return Math.round(this.window / 60);
    }

    drawAxes(root) {
        const right = PLOT.left + this.plotWidth(), bottom = PLOT.height - PLOT.bottom;
        for (const share of [0, 0.5, 1]) {
            const y = Math.round(this.y(share * this.ceiling)) + 0.5;
            svg('line', { class: 'grid', x1: PLOT.left, x2: right, y1: y, y2: y }, root);
            svg('text', { x: PLOT.left - 6, y: y + 4, 'text-anchor': 'end' }, root).textContent =
                this.options.axis(share * this.ceiling);
        }
        const span = this.minutes();
        for (let minutes = span; minutes >= 0; minutes -= TICK_MINUTES[span] || span) {
            const anchor = minutes === span ? 'start' : minutes === 0 ? 'end' : 'middle';
            const share = 1 - minutes / span;
            svg('text', { x: PLOT.left + share * this.plotWidth(), y: bottom + 15, 'text-anchor': anchor }, root)
                .textContent = minutes === 0 ? 'now' : '−' + minutes + ' min';
        }
    }

    drawLines(root) {
        this.options.lines.forEach((line, i) => {
            if (this.options.stacked) svg('path', { class: 'area area' + i, d: this.areaPath(i) }, root);
            else svg('path', { class: 'paint' + i, d: this.linePath(i) }, root);
        });
    }

    /* The point under the cursor, or the last whole one. */
    chosen() {
        if (this.points.length === 0) return null;
        if (this.cursor === null) return lastWhole(this.points, this.end, this.step);
        let best = this.points[0];
        for (const point of this.points) {
            if (Math.abs(point.at_s + this.step / 2 - this.cursor) < Math.abs(best.at_s + this.step / 2 - this.cursor)) best = point;
        }
        return best;
    }

    tell(chosen) {
        const words = this.options.lines.map((line, i) => {
            const text = chosen ? this.options.format(chosen[line.column]) : NOTHING;
            setText(this.values[i], text);
            return line.name + ' ' + (text === NOTHING ? 'unknown' : text);
        });
        const when = !chosen || this.cursor === null ? 'now' : duration(this.end - chosen.at_s - this.step / 2) + ' ago';
        setText(this.at, this.cursor === null ? '' : when);
        this.svg.setAttribute('aria-label', this.options.title + ', ' + when + ': ' + words.join(', ') +
            '. Highest in ' + this.minutes() + ' minutes: ' + this.options.format(this.top) + '.');
    }

    draw() {
        if (!this.window || this.svg.clientWidth === 0) return;
        const root = document.createDocumentFragment();
        this.top = this.highest();
        this.ceiling = this.options.ceiling || niceCeiling(Math.max(this.top, this.options.least || 1));
        this.drawAxes(root);
        this.drawLines(root);
        const chosen = this.chosen();
        if (chosen && this.cursor !== null) {
            const x = this.x(chosen.at_s + this.step / 2);
            svg('line', { class: 'cursor', x1: x, x2: x, y1: PLOT.top, y2: PLOT.height - PLOT.bottom }, root);
        }
        if (!this.points.some((point) => this.options.lines.some((line) => known(point[line.column])))) {
            svg('text', { class: 'none', x: PLOT.left + this.plotWidth() / 2, y: 56 }, root).textContent =
                'nothing to show yet';
        }
        this.svg.replaceChildren(root);
        this.tell(chosen);
    }
}

/* The last point whose time is over; the one that still grows where there is no other. */
function lastWhole(points, now, step) {
    for (let i = points.length - 1; i >= 0; i--) {
        if (points[i].at_s + step <= now) return points[i];
    }
    return points.length ? points[points.length - 1] : null;
}
