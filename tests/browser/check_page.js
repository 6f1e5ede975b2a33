// Opens a report in headless Chromium, by its DevTools protocol over a pipe,
// and uses it as a person would.
//
//     node check_page.js CHROMIUM PAGE.html [FOLDER for screenshots]
//
// Prints one line a failure and exits with 1, or prints what was checked.
"use strict";

const { spawn } = require("child_process");
const fs = require("fs");
const os = require("os");
const path = require("path");

const [chromium, file, shots] = process.argv.slice(2);
const profile = fs.mkdtempSync(path.join(os.tmpdir(), "repfold-page-"));
const failures = [];
const problems = []; // what the browser complains of
const requests = [];
let checks = 0;

function check(condition, what) {
    checks++;
    if (!condition)
        failures.push(what);
}

// ---- The browser ----

const browser = spawn(chromium, [
    "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run",
    "--disable-extensions", "--disable-background-networking",
    "--disable-dev-shm-usage", "--hide-scrollbars",
    "--user-data-dir=" + profile, "--remote-debugging-pipe", "about:blank",
], { detached: true, stdio: ["ignore", "ignore", "ignore", "pipe", "pipe"] });
const waiting = new Map();
const listeners = [];
let buffer = Buffer.alloc(0);
let next = 1;
let session;

browser.stdio[4].on("data", (data) => {
    buffer = Buffer.concat([buffer, data]);
    for (let end; (end = buffer.indexOf(0)) >= 0;) {
        receive(JSON.parse(buffer.subarray(0, end).toString()));
        buffer = buffer.subarray(end + 1);
    }
});

function receive(message) {
    const wait = waiting.get(message.id);
    if (wait) {
        waiting.delete(message.id);
        if (message.error)
            wait.reject(new Error(message.error.message));
        else
            wait.resolve(message.result);
    }
    listeners.forEach((listener) => listener(message));
}

function send(method, params = {}) {
    const id = next++;
    const message = { id, method, params };
    if (session)
        message.sessionId = session;
    browser.stdio[3].write(JSON.stringify(message) + "\0");
    return new Promise((resolve, reject) =>
        waiting.set(id, { resolve, reject }));
}

function event(method) {
    return new Promise((resolve) => listeners.push((message) => {
        if (message.method === method)
            resolve(message.params);
    }));
}

function watch(message) {
    const params = message.params;
    switch (message.method) {
    case "Runtime.exceptionThrown":
        problems.push("exception: " + params.exceptionDetails.text);
        break;
    case "Runtime.consoleAPICalled":
        problems.push("console: " + params.type);
        break;
    case "Log.entryAdded":
        problems.push("log: " + params.entry.text);
        break;
    case "Page.javascriptDialogOpening":
        problems.push("dialog: " + params.message);
        send("Page.handleJavaScriptDialog", { accept: false });
        break;
    case "Network.requestWillBeSent":
        requests.push(params.request.url);
        break;
    }
}

async function evaluate(expression) {
    const result = await send("Runtime.evaluate",
        { expression, returnByValue: true, awaitPromise: true });
    if (result.exceptionDetails)
        throw new Error(expression + ": " +
            result.exceptionDetails.exception.description);
    return result.result.value;
}

async function press(key, text) {
    const code = { Tab: 9, Enter: 13, Escape: 27, "/": 191, " ": 32 }[key];
    const params = { key, code: key, windowsVirtualKeyCode: code, text };
    await send("Input.dispatchKeyEvent",
        { type: text ? "keyDown" : "rawKeyDown", ...params });
    await send("Input.dispatchKeyEvent", { type: "keyUp", ...params });
}

async function shoot(name, full) {
    if (!shots)
        return;
    const { data } = await send("Page.captureScreenshot",
        { captureBeyondViewport: full });
    fs.writeFileSync(path.join(shots, name + ".png"), data, "base64");
}

const scheme = (value) => send("Emulation.setEmulatedMedia",
    { features: [{ name: "prefers-color-scheme", value }] });

// ---- What is looked at ----

const shown = "document.querySelectorAll('[data-row]:not([hidden])').length";

async function checkDocument() {
    check(await evaluate("document.compatMode") === "CSS1Compat",
        "the page is in quirks mode");
    check(await evaluate("document.querySelectorAll('h1').length") === 1,
        "there is not one heading");
    check(await evaluate("document.scripts.length") === 1,
        "there is not one script");
    check(await evaluate("document.querySelectorAll('img, iframe, object, " +
        "embed, link, base, form, video, audio, use, image').length") === 0,
        "something is there that could be fetched");
    check(await evaluate("Array.from(document.querySelectorAll('*')).every(" +
        "(e) => Array.from(e.attributes).every((a) => " +
        "!a.name.startsWith('on') && a.name !== 'style'))"),
        "an element carries a handler or a style");
    check(await evaluate("Array.from(document.links).every((a) => " +
        "a.getAttribute('href').startsWith('#') && " +
        "document.getElementById(a.getAttribute('href').slice(1)))"),
        "a link leads nowhere");
    check(await evaluate("(() => { const ids = Array.from(" +
        "document.querySelectorAll('[id]')).map((e) => e.id); " +
        "return new Set(ids).size === ids.length; })()"),
        "an id is there twice");
    check(await evaluate("document.documentElement.scrollWidth <= " +
        "document.documentElement.clientWidth"),
        "the page is wider than the window");
    check(await evaluate("document.querySelectorAll('svg.graph .dot').length")
        > 0, "no graph is drawn");
    check(await evaluate("typeof window.pwned") === "undefined",
        "a script from a name has run");
}

async function checkSearch() {
    const all = await evaluate(shown);
    if (!await evaluate("!!document.getElementById('search')"))
        return;
    await press("/", "/");
    check(await evaluate("document.activeElement.id") === "search",
        "'/' does not lead to the search");
    check(await evaluate("document.getElementById('search').value") === "",
        "the slash itself was typed");
    await send("Input.insertText", { text: "no such node" });
    check(await evaluate(shown) === 0, "a search for nothing finds something");
    await press("Escape");
    check(await evaluate(shown) === all, "Escape does not end the search");
    const word = await evaluate(
        "(document.querySelector('[data-row] code') || {}).textContent || ''");
    await send("Input.insertText", { text: word.toUpperCase().trim() });
    const some = await evaluate(shown);
    check(all === 0 || (some >= 1 && some <= all),
        "a search for a name finds " + some + " of " + all);
    await press("Escape");
}

async function checkExpanding() {
    const closed = "document.querySelectorAll('details:not([open])').length";
    await evaluate("document.querySelector('summary').focus()");
    const before = await evaluate("document.activeElement.parentElement.open");
    await press("Enter", "\r");
    check(await evaluate("document.activeElement.parentElement.open")
        === !before, "Enter does not open and close");
    await evaluate("document.getElementById('expand').focus()");
    await press("Enter", "\r");
    check(await evaluate(closed) === 0, "Expand all leaves something closed");
    check(await evaluate("document.documentElement.scrollWidth <= " +
        "document.documentElement.clientWidth"),
        "expanded, the page is wider than the window");
    await shoot("expanded", true);
    await press("Enter", "\r");
    check(await evaluate("document.querySelectorAll('details[open]').length")
        === 0, "Collapse all leaves something open");
}

// A link into what is folded up opens it and shows its end.
async function checkLinks() {
    const href = await evaluate("(() => { const a = document.querySelector(" +
        "'#folds td a[href^=\"#b\"]') || document.querySelector(" +
        "'#folds td a[href^=\"#a\"]'); if (!a) return ''; a.click(); " +
        "return a.getAttribute('href'); })()");
    if (!href)
        return;
    await evaluate("new Promise((done) => setTimeout(done, 50))");
    check(await evaluate("(() => { const box = document.getElementById('" +
        href.slice(1) + "').getBoundingClientRect(); return box.height > 0 && " +
        "box.top >= 0 && box.bottom <= innerHeight; })()"),
        "the link " + href + " does not show its end");
    await evaluate("document.querySelector('.ribbon').dispatchEvent(" +
        "new MouseEvent('mouseover', { bubbles: true }))");
    check(await evaluate("document.querySelectorAll('.hot').length") > 2,
        "a ribbon does not light up its fold");
    await shoot("linked", false);
}

async function checkKeyboard() {
    await evaluate("document.activeElement.blur(); location.hash = ''; " +
        "scrollTo(0, 0)");
    await press("Tab");
    check(await evaluate("document.activeElement.tagName") !== "BODY",
        "Tab leads nowhere");
    check(await evaluate("getComputedStyle(document.activeElement)" +
        ".outlineStyle") !== "none", "what has the focus is not marked");
}

// WCAG 2.1, relative luminance and contrast ratio.
const contrast = `(() => {
    const light = (text) => {
        const [r, g, b] = text.match(/[\\d.]+/g).map((v) => v / 255)
            .map((v) => v <= 0.03928 ? v / 12.92
                : Math.pow((v + 0.055) / 1.055, 2.4));
        return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    const behind = (e) => {
        for (; e; e = e.parentElement) {
            const color = getComputedStyle(e).backgroundColor;
            if (color !== "rgba(0, 0, 0, 0)")
                return color;
        }
        return "rgb(255, 255, 255)";
    };
    let worst = 99;
    for (const e of document.querySelectorAll(
        "h1, h2, p, dt, dd, th, td, a, button, summary, code, .chip")) {
        const a = light(getComputedStyle(e).color), b = light(behind(e));
        worst = Math.min(worst,
            (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05));
    }
    return worst;
})()`;

async function checkColors() {
    const paper = "getComputedStyle(document.body).backgroundColor";
    await scheme("light");
    const light = await evaluate(paper);
    check(await evaluate(contrast) >= 4.5, "too little contrast in light");
    await shoot("light", false);
    await scheme("dark");
    check(await evaluate(paper) !== light, "there is no dark form");
    check(await evaluate(contrast) >= 4.5, "too little contrast in dark");
    await shoot("dark", false);
    await scheme("light");
}

async function checkPrint() {
    const { data } = await send("Page.printToPDF", { printBackground: true });
    const pdf = Buffer.from(data, "base64");
    check(pdf.subarray(0, 5).toString() === "%PDF-", "it does not print");
    await send("Emulation.setEmulatedMedia", { media: "print" });
    check(await evaluate("getComputedStyle(document.querySelector('nav'))" +
        ".display") === "none", "what only a screen can use is printed");
    await shoot("print", false);
    await send("Emulation.setEmulatedMedia", { media: "" });
}

// Last, for the browser complains of it: a script without the nonce.
async function checkPolicy() {
    await evaluate("(() => { const s = document.createElement('script'); " +
        "s.textContent = 'window.pwned = 1'; document.body.append(s); })()");
    check(await evaluate("typeof window.pwned") === "undefined",
        "the policy lets other scripts run");
}

async function run() {
    const { targetInfos } = await send("Target.getTargets");
    const { targetId } = targetInfos.find((info) => info.type === "page");
    ({ sessionId: session } = await send("Target.attachToTarget",
        { targetId, flatten: true }));
    listeners.push(watch);
    for (const domain of ["Page", "Runtime", "Log", "Network"])
        await send(domain + ".enable");
    await send("Emulation.setDeviceMetricsOverride",
        { width: 1280, height: 900, deviceScaleFactor: 1, mobile: false });
    const loaded = event("Page.loadEventFired");
    await send("Page.navigate", { url: "file://" + path.resolve(file) });
    await loaded;
    await checkDocument();
    await checkColors();
    await checkSearch();
    await checkExpanding();
    await checkLinks();
    await checkKeyboard();
    await checkPrint();
    check(problems.length === 0, "the browser says " + problems.join("; "));
    check(requests.length === 1, "it asked for " + requests.join(", "));
    await checkPolicy();
}

const limit = setTimeout(() => {
    failures.push("the browser did not answer in time");
    finish();
}, 60000);

function finish() {
    clearTimeout(limit);
    // With all its processes, which else go on writing to the profile.
    process.kill(-browser.pid, "SIGKILL");
    browser.once("exit", () => {
        fs.rmSync(profile, { recursive: true, force: true, maxRetries: 20,
            retryDelay: 100 });
        failures.forEach((failure) => console.log("failed: " + failure));
        if (!failures.length)
            console.log(checks + " checks in the browser");
        process.exit(failures.length ? 1 : 0);
    });
}

browser.on("error", (error) => {
    console.log("failed: " + error.message);
    process.exit(1);
});
run().catch((error) => failures.push(error.message)).then(finish);
