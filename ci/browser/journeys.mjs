// Journeys through the console in a real browser, on a phone and a desktop, light and dark:
// `node journeys.mjs BINARY HOSTILE-LEDGER HOSTILE-TEXTS FOLDER`. Pictures are left in FOLDER.
import { execFileSync, spawn } from "node:child_process";
import { appendFileSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { createServer } from "node:net";
import { join } from "node:path";
import assert from "node:assert/strict";
import puppeteer from "puppeteer-core";

const [binary, hostileLedger, hostileTexts, folder] = process.argv.slice(2);
const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const demo = join(folder, "demo");
const config = join(demo, "config.toml");
const TOKEN = "a token of the browser check";
const children = [];
mkdirSync(folder, { recursive: true });

/** Starts the program and waits for what a pattern finds in its output. */
function start(args, pattern) {
  const child = spawn(binary, args, { stdio: ["ignore", "pipe", "ignore"] });
  children.push(child);
  return new Promise((resolve, reject) => {
    let text = "";
    child.stdout.on("data", (chunk) => {
      text += chunk;
      const match = pattern.exec(text);
      if (match) resolve(match[1]);
    });
    child.on("exit", (code) => reject(new Error(`${args[0]} ended with ${code}: ${text}`)));
  });
}

const run = (...args) => execFileSync(binary, [...args, "--config", config], { stdio: ["ignore", "pipe", "ignore"] });
const report = (...args) => JSON.parse(run("report", ...args, "--format", "json")).rows;

const freePort = () =>
  new Promise((resolve) => {
    const server = createServer().listen(0, "127.0.0.1", () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });

const browser = await puppeteer.launch({
  executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
  args: ["--no-sandbox", "--disable-gpu"],
});

/** A tab that notes whatever the browser complains of: a script that runs or is refused is a failure. */
async function newTab() {
  const page = await browser.newPage();
  const complaints = [];
  page.on("console", (said) => {
    if (["error", "warn", "warning"].includes(said.type())) complaints.push(`${page.url()}: ${said.text()}`);
  });
  page.on("pageerror", (error) => complaints.push(`${page.url()}: ${error}`));
  page.on("dialog", (dialog) => {
    complaints.push(`${page.url()}: a script ran: ${dialog.message()}`);
    return dialog.dismiss();
  });
  await page.setViewport({ width: 360, height: 800, isMobile: true, hasTouch: true });
  const tab = {
    page,
    complaints,
    base: "",
    async go(path) {
      const answer = await page.goto(/^(http|file):/.test(path) ? path : tab.base + path);
      assert.ok(path.startsWith("file:") || answer.status() === 200, `${path}: ${answer.status()}`);
    },
    async click(selector) {
      const target = await page.$(selector);
      assert.ok(target, `${page.url()} has no ${selector}`);
      await Promise.all([page.waitForNavigation(), target.click()]);
    },
    /** Follows a link from elsewhere: a page of the console that opens the address once more comes first. */
    async follow(selector) {
      await tab.click(selector);
      await page.waitForSelector("main");
    },
    async fill(selector, value) {
      await page.$eval(selector, (field) => (field.value = ""));
      await page.type(selector, value);
    },
    text: () => page.$eval("body", (body) => body.innerText),
  };
  return tab;
}

/** How many pixels a page is wider than the screen. */
const excess = (page) => page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);

/** Nothing sticks out sideways, everything that is tapped is large enough, and axe finds nothing serious. */
async function examine({ page }, name, width, scheme) {
  await page.setViewport({ width, height: 800, isMobile: width < 500, hasTouch: width < 500 });
  await page.emulateMediaFeatures([{ name: "prefers-color-scheme", value: scheme }]);
  const wide = await excess(page);
  assert.ok(wide <= 0, `${name} at ${width} is ${wide} px too wide`);
  const tapped = "button, .button, nav a, .rows .main[href], input:not([type=hidden],[type=checkbox],[type=radio]), select, .pick";
  const small = await page.$$eval(tapped, (all) =>
    all.filter((one) => one.offsetParent && one.getBoundingClientRect().height < 43.5).map((one) => one.outerHTML.slice(0, 80)));
  assert.deepEqual(small, [], `${name} at ${width}: too small to tap`);
  // The policy forbids scripts in the page; the checker runs beside it.
  const client = await page.createCDPSession();
  const { frameTree } = await client.send("Page.getFrameTree");
  const world = await client.send("Page.createIsolatedWorld", { frameId: frameTree.frame.id });
  const evaluate = (expression) =>
    client.send("Runtime.evaluate", { expression, contextId: world.executionContextId, awaitPromise: true, returnByValue: true });
  await evaluate(axe);
  const found = "axe.run(document, { resultTypes: ['violations'] }).then((found) => found.violations.map((one) => [one.impact, one.id, one.nodes[0].html.slice(0, 120)]))";
  const answer = await evaluate(found);
  assert.equal(answer.exceptionDetails, undefined, JSON.stringify(answer.exceptionDetails));
  const serious = answer.result.value.filter(([impact]) => ["serious", "critical"].includes(impact));
  assert.deepEqual(serious, [], `${name} at ${width}, ${scheme}`);
  await page.screenshot({ path: join(folder, `${name}-${width}-${scheme}.png`), fullPage: width < 500 && scheme === "light" });
  await client.detach();
}

/** Another kind of screen loads the page again: what was typed before is gone. */
async function everywhere(tab, name) {
  for (const width of [360, 1200]) for (const scheme of ["light", "dark"]) await examine(tab, name, width, scheme);
  await tab.page.setViewport({ width: 1000, height: 800 });
  assert.ok((await excess(tab.page)) <= 0, `${name} is too wide at 1000`);
  await tab.page.setViewport({ width: 360, height: 800, isMobile: true, hasTouch: true });
}

/** From the link in a digest to the log-in, to the group, to each action; then the ledger says the same. */
async function journeys(tab) {
  const { page, go, click, follow, fill, text } = tab;

  // The digest leads to the log-in, and the log-in to where the digest leads.
  const digests = join(demo, "digests");
  const newest = readdirSync(digests).filter((name) => name.endsWith(".html")).sort().at(-1);
  await go(`file://${join(digests, newest)}`);
  await everywhere(tab, "digest");
  const group = await page.$eval("h2 a", (link) => new URL(link.href).pathname.split("/").pop());
  await follow("h2 a");
  assert.ok(page.url().startsWith(`${tab.base}/log-in`), page.url());
  await everywhere(tab, "log-in");
  await fill("#name", "Ann Example");
  await fill("#token", "not the token, I am afraid");
  await click("main form button.first");
  assert.match(await text(), /Wrong token/);
  tab.complaints.splice(0); // the browser's own line about the 401
  await fill("#token", TOKEN);
  await click("main form button.first");
  assert.equal(new URL(page.url()).pathname, `/g/${group}`, "the log-in leads on");
  await everywhere(tab, "group");
  await go(`file://${join(digests, newest)}`);
  await follow("a.open");
  assert.match(new URL(page.url()).pathname, /^\/[dg]\//, "who is logged in is not asked again");
  await everywhere(tab, "sent-digest");

  await go("/");
  await everywhere(tab, "home");
  await page.keyboard.press("Tab");
  assert.equal(await page.evaluate(() => document.activeElement.className), "skip", "the keyboard begins at the skip link");

  await go("/groups");
  await page.select("#state", "all");
  await page.select("#kind", "failed");
  await page.select("#sort", "count");
  await click(".filters button");
  assert.match(page.url(), /state=all/);
  await everywhere(tab, "groups");

  await go(`/g/${group}`);
  await click(".acts a.first");
  await everywhere(tab, "ack");
  await page.click("input[value=tomorrow]");
  await click("main form button.first");
  assert.match(await text(), /Ann Example acknowledged/);
  await everywhere(tab, "done");
  assert.ok(report("group", group)[0].acked, "the ledger has the acknowledgement");
  await click(".done button");
  assert.ok(!report("group", group)[0].acked, "the undo withdrew it");

  await go(`/act?act=assign&id=${group}`);
  await everywhere(tab, "assign");
  await fill("#to", "Bo Example");
  await fill("#ticket", "https://tickets.example/4711");
  await click("main form button.first");
  const assigned = report("group", group)[0];
  assert.deepEqual([assigned.assigned, assigned.ticket], ["Bo Example", "https://tickets.example/4711"]);

  await go(`/act?act=silence&id=${group}`);
  await everywhere(tab, "silence");
  await page.select("#for", "4h");
  await fill("#reason", "the vendor knows");
  await click("main form button.first");
  assert.match(await text(), /open items/);
  await everywhere(tab, "silence-preview");
  await click("main form button.first");
  assert.ok(report("group", group)[0].silenced_until, "the ledger has the silence");

  await go(`/act?act=class&id=${group}`);
  await everywhere(tab, "class");
  await page.select("#class", "config");
  await fill("#reason", "a setting is wrong");
  await click("main form button.first");
  assert.match(await text(), /\[\[rule\]\]/);
  await everywhere(tab, "class-done");
  assert.equal(report("group", group)[0].class, "config");

  const candidate = report("groups", "--class", "transient", "--state", "new,ongoing,regressed,escalating")[0]?.group_id ?? group;
  await go(`/act?act=retry&id=${candidate}`);
  await everywhere(tab, "retry");
  await fill("#limit", "1");
  await click("main form button.first");
  await everywhere(tab, "plan");
  assert.ok(await page.$(".acts a.first"), await text());
  await click(".acts a.first");
  await everywhere(tab, "apply");
  await fill("#items", "1");
  await fill("#reason", "it is over");
  await click("main form button.first");
  assert.match(await text(), /approved plan/);
  run("cycle");
  assert.ok(report("retries").some((row) => row.trigger === "manual" && row.actor === "Ann Example"), "the retry was submitted");

  for (const [name, path] of [["plans", "/plans"], ["audit", "/audit"], ["search", "/search?q=pdf"], ["act-nothing", "/act?act=silence"]]) {
    await go(path);
    await everywhere(tab, name);
  }
  const item = report("items", "--state", "open", "--limit", "0").find((row) => row.job_id);
  for (const [name, path] of [["item", `/i/${item.item_id}`], ["record", `/i/${item.item_id}/record`], ["batch", `/b/${item.batch_id}`]]) {
    await go(path);
    await everywhere(tab, name);
  }
  const missing = await page.goto(`${tab.base}/g/g-nothing`);
  assert.equal(missing.status(), 404);
  await everywhere(tab, "not-found");
  tab.complaints.splice(0); // the browser's own line about the 404

  await go("/");
  await page.emulateMediaType("print");
  await page.screenshot({ path: join(folder, "home-print.png"), fullPage: true });
  await page.emulateMediaType(null);
  return group;
}

/** The same buttons without JavaScript, then the log-out: going back shows no page of before. */
async function withoutScripts(tab, group) {
  const { page, go, click, fill, text } = tab;
  await page.setJavaScriptEnabled(false);
  await go(`/act?act=note&id=${group}`);
  await fill("#text", "written without scripts");
  await click("main form button.first");
  assert.match(await text(), /added a note/);
  await page.setJavaScriptEnabled(true);
  await go("/groups");
  await go("/log-out");
  await click("main form button.first");
  assert.match(page.url(), /log-in/);
  await page.goBack();
  await page.goBack();
  assert.match(page.url(), /log-in/, "the page before the log-out is not shown again");
}

/** Hostile texts as names, titles, notes, reasons, tokens, filters, and of every kind as messages and item names. */
async function hostile(tab) {
  const { page, go, click, fill } = tab;
  const texts = readFileSync(hostileTexts, "utf8").trim().split("\n").map((line) => JSON.parse(line));
  const harmless = async (what) => {
    const pwned = await page.evaluate(() => document.documentElement.dataset.pwned);
    assert.equal(pwned, undefined, `${what}: something ran`);
    const wide = await excess(page);
    assert.ok(wide <= 0, `${what} is ${wide} px too wide`);
  };
  const group = report("groups", "--state", "new,ongoing,regressed,escalating")[0].group_id;
  const some = texts.filter((text, at) => at % 40 === 0 && !/[\r\n\0]/.test(text) && text.trim());
  for (const text of some) {
    for (const [act, fields] of [["note", { text }], ["rename", { title: text.slice(0, 300) }], ["assign", { to: text.slice(0, 100) }], ["dismiss", { reason: text.slice(0, 500) }], ["undismiss", { reason: text.slice(0, 500) }]]) {
      await go(`/act?act=${act}&id=${group}`);
      for (const [name, value] of Object.entries(fields)) {
        await page.$eval(`#${name}`, (field, value) => (field.value = value), value);
      }
      await Promise.all([page.waitForNavigation(), page.click("main form button.first")]);
      await harmless(`${act}: ${text}`);
    }
    const word = encodeURIComponent(text);
    for (const path of [`/g/${group}`, "/", "/audit", `/search?q=${word}`, `/groups?q=${word}&state=all`, `/audit?q=${word}`]) {
      await go(path);
      await harmless(`${path}: ${text}`);
    }
    // The browser's own lines about answers that are no pages, such as a dismissal that is refused.
    const own = tab.complaints.filter((line) => !/Failed to load resource/.test(line));
    tab.complaints.splice(0, tab.complaints.length, ...own);
  }
  await everywhere(tab, "hostile-audit");
  await go(`/g/${group}`);
  await everywhere(tab, "hostile-group");

  tab.base = await start(["console", "--listen", "127.0.0.1:0", "--ledger", hostileLedger], /The console is at (http:\S+?)\/ /);
  const links = async (path, selector) => {
    await go(path);
    await harmless(path);
    return page.$$eval(selector, (all) => all.map((one) => one.getAttribute("href")));
  };
  const groups = [];
  for (let at = 1; at < 20; at += 1) {
    const found = await links(`/groups?state=all&page=${at}`, ".rows .main");
    if (found.length === 0) break;
    groups.push(...found);
  }
  assert.ok(groups.length > 60, `${groups.length} hostile groups`);
  const seen = new Set();
  for (const path of groups) {
    const more = await links(path, 'a[href^="/i/"], a[href^="/b/"]');
    for (const other of more.slice(0, 2)) if (!seen.has(other)) await links(other, "a"), seen.add(other);
  }
  for (const path of await links("/search?q=D-", 'a[href^="/d/"]')) {
    await links(path, "a");
    await links(`${path}/mail`, "a");
  }
  await go("/groups?state=all");
  await everywhere(tab, "hostile-groups");
  await go(groups[3]);
  await everywhere(tab, "hostile-message");
  return groups.length + seen.size;
}

try {
  await start(["demo", "--fast", "--serve", "--dir", demo], /(keeps running)/);
  const port = await freePort();
  writeFileSync(join(demo, "console-token"), `${TOKEN}\n`);
  appendFileSync(config, `\n[service]\npublic-url = "http://127.0.0.1:${port}"\n\n[console]\nactions = "retry"\ntoken-file = "console-token"\n`);
  run("digest", "--now");
  const base = (await start(["console", "--config", config, "--listen", `127.0.0.1:${port}`], /The console is at (http:\S+?)\/ /));
  const tab = await newTab();
  tab.base = base;
  const group = await journeys(tab);
  assert.deepEqual(tab.complaints, []);
  await withoutScripts(tab, group);
  await fillLogIn(tab);
  tab.complaints.splice(0);
  const pages = await hostile(tab);
  assert.deepEqual(tab.complaints, []);
  console.log(`all journeys passed, and ${pages} hostile pages ran nothing; pictures are in ${folder}`);
} catch (error) {
  for (const page of await browser.pages()) await page.screenshot({ path: join(folder, "failure.png") }).catch(() => {});
  throw error;
} finally {
  await browser.close();
  for (const child of children) {
    child.removeAllListeners("exit");
    child.kill("SIGINT");
  }
}

async function fillLogIn({ go, fill, click }) {
  await go("/log-in");
  await fill("#name", "Ann Example");
  await fill("#token", TOKEN);
  await click("main form button.first");
}
