// Says of every line {"schema", "text"} on standard input whether ajv finds the text valid.
// usage: node validate_ajv.mjs FOLDER_WITH_NODE_MODULES
import { createRequire } from "node:module";
import { createInterface } from "node:readline";
import { resolve } from "node:path";

const require = createRequire(resolve(process.argv[2], "x.js"));
const Ajv = require("ajv/dist/2020").default;
const ajv = new Ajv({ strict: false, allErrors: true });
let valid = 0;
let wrong = 0;

for await (const line of createInterface({ input: process.stdin })) {
    const { schema, text } = JSON.parse(line);
    let value;

    try {
        value = JSON.parse(text);
    } catch {
        console.log(`no JSON: ${line}`);
        wrong++;
        continue;
    }
    if (ajv.validate(schema, value)) {
        valid++;
    } else {
        console.log(`${ajv.errorsText()}: ${line}`);
        wrong++;
    }
    ajv.removeSchema();
}
console.log(`${valid} texts are valid, ${wrong} are not`);
process.exit(wrong > 0 || valid === 0 ? 1 : 0);
