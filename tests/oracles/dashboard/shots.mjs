// Screenshots of the live page for a designer's eye: wide and narrow, light and dark, with a fleet
// at work and with one that has just been started.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Browser } from './browser.mjs';
import { begin, finish, sendToken, Stub } from './stub.mjs';

const [program, folder] = process.argv.slice(2);
const stub = new Stub(program);
const browser = new Browser();

stub.chat = (response) => {
    begin(response);
    for (const word of 'It is a truth universally acknowledged, that a small model has little to say.'.split(' ')) {
        sendToken(response, word + ' ');
    }
    finish(response, 16, 'length');
};
await stub.listen();
for (const [width, height] of [[1280, 900], [390, 844]]) {
    for (const scheme of ['light', 'dark']) {
        for (const fleet of ['busy', 'idle', 'lost']) {
            const tab = await browser.open(width, height, scheme);
            stub.down = false;
            stub.seconds = fleet === 'idle' ? 0 : 900;
            await tab.go(stub.url + '/dashboard');
            await tab.says('#status', 'Live');
            if (fleet === 'busy') {
                await tab.type('#chat-input', 'What is a truth universally acknowledged?');
                await tab.press('Enter');
                await tab.says('#chat-status', 'the first after');
            }
            stub.down = fleet === 'lost';
            if (stub.down) await tab.says('#status', 'Connection lost');
            writeFileSync(join(folder, `${fleet}-${width}-${scheme}.png`), await tab.shot(true));
            await tab.close();
        }
    }
}
await browser.close();
stub.close();
