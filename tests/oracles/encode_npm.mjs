// Encodes texts with npm's @huggingface/tokenizers and holds our ids against its.
//
// usage: encode_npm.mjs PACKAGES PROGRAM SEED COUNT TOKENIZER...
//
// TOKENIZER is a tokenizer.json, a folder with one, encoder.json+vocab.bpe of GPT-2 as two paths parted
// by a comma, or "spm:KIND": a small SentencePiece-like one made here, KIND prepend, first, always
// or never.
import {spawnSync} from 'node:child_process';
import {mkdtempSync, readFileSync, rmSync, statSync, writeFileSync} from 'node:fs';
import {createRequire} from 'node:module';
import {tmpdir} from 'node:os';
import {join} from 'node:path';

const [packages, program, seedText, countText, ...tokenizers] = process.argv.slice(2);
const require = createRequire(join(packages, 'here.js'));
const {Tokenizer} = require('@huggingface/tokenizers');

// Mulberry32: a seed, then numbers in [0, 1).
let state = Number(seedText) >>> 0;
function dice() {
    state = (state + 0x6D2B79F5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
}
const below = n => Math.floor(dice() * n);
const pick = list => list[below(list.length)];

// Characters of many kinds.  Left out: what engines with another Unicode version class otherwise (not
// assigned in Unicode 14), and two where npm's own translation of the patterns departs from the
// tokenizers': U+017F, which is an s without case, and U+FEFF, a space for JavaScript alone.
const assigned = /^[\p{Assigned}]$/u;
const ranges = [[0x20, 0x7e], [0x20, 0x7e], [0x61, 0x7a], [0xa0, 0x24f], [0x300, 0x36f],
                [0x370, 0x52f], [0x5d0, 0x6ff], [0x900, 0xdff], [0xe00, 0xfff], [0x1100, 0x11ff],
                [0x1e00, 0x1fff], [0x2000, 0x2bff], [0x3000, 0x30ff], [0x4e00, 0x9fff],
                [0xac00, 0xd7a3], [0xf900, 0xfaff], [0xfe00, 0xffef], [0x10000, 0x100ff],
                [0x1d100, 0x1d7ff], [0x1f300, 0x1faff], [0x20000, 0x2a6d6], [0xe0020, 0xe007f]];
const later = new Set([0x17f, 0xfeff]);
function character() {
    for (;;) {
        const [low, high] = pick(ranges);
        const point = low + below(high - low + 1);
        const text = String.fromCodePoint(point);
        const young = (point >= 0x1fa70 && point <= 0x1faff) || (point >= 0x1d2c0 && point <= 0x1d2df);
        if (assigned.test(text) && !later.has(point) && !young) {
            return text;
        }
    }
}
const words = ["the", " and", "I'm", "we'LL", " don't", "\n", "\n\n", "  ", "   ", "\t", "\r\n", "123",
               "4567", " 3.14", "...", "!?", " Hello", "World", "日本", "한국어", "e\u0301", "\u0958", "Å",
               "👩‍👩‍👧", "<|endoftext|>", "<|im_start|>", "<|im_", "<s>", "</s>", "<think>", "\u2581",
               "a\u0323\u0307", "\u1100\u1161\u11a8", "_", "'", "'s", "--", " \n ", "\u3000", "\u00a0"];
function text() {
    const parts = [];
    for (let left = below(12); left >= 0; left--) {
        const kind = below(10);
        if (kind < 4) parts.push(pick(words));
        else if (kind < 5) parts.push(pick(words).repeat(1 + below(20)));
        else if (kind < 7) parts.push(' ');
        else for (let i = below(6); i >= 0; i--) parts.push(character());
    }
    return parts.join('');
}

// A byte-level tokenizer.json from GPT-2's own two files.
function gpt2(encoder, merges) {
    return {version: '1.0', added_tokens: [{id: 50256, content: '<|endoftext|>', special: true,
            single_word: false, lstrip: false, rstrip: false, normalized: false}],
        normalizer: null, pre_tokenizer: {type: 'ByteLevel', add_prefix_space: false,
            trim_offsets: true}, post_processor: null, decoder: {type: 'ByteLevel'},
        model: {type: 'BPE', vocab: JSON.parse(readFileSync(encoder, 'utf8')), merges:
            readFileSync(merges, 'utf8').split('\n').filter(l => l && !l.startsWith('#version'))}};
}

// Merges learned from a few sentences.  Words are not split, which npm's implementation does not do.
function spm(kind) {
    const corpus = 'the cat and the dog and we do not know that the world is wide  and   the  end 12 3'
        .split(/(?= )/).map(w => [...w.replaceAll(' ', '\u2581')]);
    const vocab = {'<unk>': 0, '<s>': 1, '</s>': 2}, merges = [];
    const add = token => { if (!(token in vocab)) vocab[token] = Object.keys(vocab).length; };
    for (let b = 0; b < 256; b++) add(`<0x${b.toString(16).toUpperCase().padStart(2, '0')}>`);
    corpus.flat().forEach(add);
    ['\u2581', '日', 'é', 'H', 'W'].forEach(add);
    for (let round = 0; round < 60; round++) {
        const counts = new Map();
        for (const w of corpus) for (let i = 0; i + 1 < w.length; i++) {
            const key = w[i] + ' ' + w[i + 1];
            counts.set(key, (counts.get(key) ?? 0) + 1);
        }
        const best = [...counts].sort((a, b) => b[1] - a[1])[0];
        if (!best) break;
        const [left, right] = best[0].split(' ');
        merges.push([left, right]);
        add(left + right);
        for (const w of corpus) for (let i = 0; i + 1 < w.length; i++) {
            if (w[i] === left && w[i + 1] === right) w.splice(i, 2, left + right);
        }
    }
    merges.push(['\u2581', '\u2581']);
    add('\u2581\u2581');
    const special = (id, content) => ({id, content, single_word: false, lstrip: false, rstrip: false,
                                       normalized: false, special: true});
    const replace = {type: 'Replace', pattern: {String: ' '}, content: '\u2581'};
    const decoders = [{type: 'Replace', pattern: {String: '\u2581'}, content: ' '},
                      {type: 'ByteFallback'}, {type: 'Fuse'}];
    if (kind !== 'never') decoders.push({type: 'Strip', content: ' ', start: 1, stop: 0});
    return {version: '1.0', added_tokens: [special(0, '<unk>'), special(1, '<s>'), special(2, '</s>')],
        normalizer: kind === 'prepend' ? {type: 'Sequence', normalizers: [
            {type: 'Prepend', prepend: '\u2581'}, replace]} : null,
        pre_tokenizer: kind === 'prepend' ? null : {type: 'Metaspace', replacement: '\u2581',
            prepend_scheme: kind, split: false},
        post_processor: {type: 'TemplateProcessing', single: [{SpecialToken: {id: '<s>', type_id: 0}},
            {Sequence: {id: 'A', type_id: 0}}], pair: [], special_tokens: {'<s>': {id: '<s>', ids: [1],
            tokens: ['<s>']}}}, decoder: {type: 'Sequence', decoders},
        model: {type: 'BPE', dropout: null, unk_token: '<unk>', continuing_subword_prefix: null,
            end_of_word_suffix: null, fuse_unk: true, byte_fallback: true, vocab, merges}};
}

function load(name) {
    if (name.startsWith('spm:')) return [spm(name.slice(4)), {}];
    if (name.includes(',')) return [gpt2(...name.split(',')), {}];
    if (statSync(name).isDirectory()) {
        return [JSON.parse(readFileSync(join(name, 'tokenizer.json'), 'utf8')),
                JSON.parse(readFileSync(join(name, 'tokenizer_config.json'), 'utf8'))];
    }
    return [JSON.parse(readFileSync(name, 'utf8')), {}];
}

function check(name, texts) {
    const [json, config] = load(name), folder = mkdtempSync(join(tmpdir(), 'dyno-oracle-'));
    writeFileSync(join(folder, 'tokenizer.json'), JSON.stringify(json));
    const theirs = new Tokenizer(json, config);
    const run = spawnSync(program, [folder], {input: texts.map(t => JSON.stringify(t)).join('\n') + '\n',
                                              maxBuffer: 1 << 30, encoding: 'utf8'});
    rmSync(folder, {recursive: true});
    if (run.status !== 0) {
        console.log(`${name}: ${run.stderr}`);
        return 1;
    }
    const ours = run.stdout.trim().split('\n').map(l => JSON.parse(l));
    let wrong = 0;
    texts.forEach((text, i) => {
        const due = theirs.encode(text).ids;
        if (JSON.stringify(due) === JSON.stringify(ours[i].ids)) return;
        if (wrong++ < 5) {
            console.log(`${name}: ${JSON.stringify(text)}\n  ours   ${JSON.stringify(ours[i])}` +
                        `\n  theirs ${JSON.stringify(due)}`);
        }
    });
    console.log(`${name}: ${texts.length} texts, ${wrong} differ`);
    return wrong;
}

let wrong = 0;
const texts = Array.from({length: Number(countText)}, text).filter(t => t.length > 0);
for (const name of tokenizers) wrong += check(name, texts);
process.exit(wrong ? 1 : 0);
