'use strict';

/* Numbers as a person reads them, and elements made without ever parsing text as HTML. */

const NOTHING = '–';

function known(value) {
    return typeof value === 'number' && Number.isFinite(value);
}

function grouped(value, digits) {
    return value.toLocaleString('en-US', { minimumFractionDigits: digits, maximumFractionDigits: digits });
}

function plain(value) {
    if (!known(value)) return NOTHING;
    return grouped(value, value !== 0 && Math.abs(value) < 10 && !Number.isInteger(value) ? 1 : 0);
}

function milliseconds(value) {
    if (!known(value)) return NOTHING;
    if (value >= 10000) return grouped(value / 1000, 1) + ' s';
    if (value >= 1000) return grouped(value / 1000, 2) + ' s';
    if (value >= 100) return grouped(value, 0) + ' ms';
    return grouped(value, value >= 10 ? 1 : 2) + ' ms';
}

/* As short as an axis needs it. */
function axisMilliseconds(value) {
    if (value >= 1000) return Number((value / 1000).toPrecision(3)) + ' s';
    return value === 0 ? '0' : Number(value.toPrecision(3)) + ' ms';
}

function axisCount(value) {
    if (value >= 1e6) return Number((value / 1e6).toPrecision(3)) + ' M';
    if (value >= 1e4) return Number((value / 1e3).toPrecision(3)) + ' k';
    return String(Number(value.toPrecision(3)));
}

function percent(share) {
    return known(share) ? grouped(share * 100, 0) + ' %' : NOTHING;
}

function duration(seconds) {
    const s = Math.max(0, Math.round(seconds));
    const minutes = Math.floor(s / 60), hours = Math.floor(minutes / 60), days = Math.floor(hours / 24);
    if (days > 0) return days + ' d ' + (hours % 24) + ' h';
    if (hours > 0) return hours + ' h ' + (minutes % 60) + ' min';
    if (minutes > 0) return minutes + ' min ' + (s % 60) + ' s';
    return s + ' s';
}

function setText(element, text) {
    if (element.textContent !== text) element.textContent = text;
}

function make(tag, className, text) {
    const element = document.createElement(tag);
    if (className) element.className = className;
    if (text !== undefined) element.textContent = text;
    return element;
}

function byId(id) {
    return document.getElementById(id);
}

/* Headers of every call; the key lives in the field only, and is gone with the page. */
function headers(more) {
    const key = byId('key').value.trim();
    return key ? Object.assign({ Authorization: 'Bearer ' + key }, more) : Object.assign({}, more);
}

function askForKey() {
    byId('key-form').hidden = false;
}
