// Journeys through the console in a real browser: `node journeys.mjs BINARY FOLDER`. Pictures are left in FOLDER.
import { spawn, execFileSync } from "node:child_process";
import { readFileSync, mkdirSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import assert from "node:assert/strict";
import puppeteer from "puppeteer-core";

const [binary, folder] = process.argv.slice(2);
const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const demo = join(folder, "demo");
mkdirSync(folder, { recursive: true });

/** Starts a program and waits for a line of it. */
function started(args, pattern) {
  const child = spawn(binary, args, { stdio: ["ignore", "pipe", "inherit"] });
  const found = new Promise((resolve, reject) => {
    let text = "";
    child.stdout.on("data", (chunk) => {
      text += chunk;
      const match = pattern.exec(text);
      if (match) resolve(match[1]);
    });
    child.on("exit", (code) => reject(new Error(`${args[0]} ended with ${code}: ${text}`)));
  });
  return { child, found };
}

const report = (...args) =>
  JSON.parse(execFileSync(binary, ["report", ...args, "--format", "json", "--ledger", join(demo, "ledger.db")]));

const running = started(["demo", "--fast", "--serve", "--dir", demo], /The console is on (http:\S+?)\/:/);
const address = await running.found;
// The story is played while the console answers already.
await new Promise((resolve) => {
  running.child.stdout.on("data", (chunk) => String(chunk).includes("keeps running") && resolve());
});

const browser = await puppeteer.launch({
  executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
  args: ["--no-sandbox", "--disable-gpu"],
});
const page = await browser.newPage();
const complaints = [];
page.on("console", (said) => ["error", "warning"].includes(said.type()) && complaints.push(`${page.url()}: ${said.text()}`));
page.on("dialog", (dialog) => {
  complaints.push(`${page.url()}: a script ran: ${dialog.message()}`);
  return dialog.dismiss();
});

const go = async (path) => {
  const answer = await page.goto(path.startsWith("http") ? path : address + path);
  assert.equal(answer.status(), 200, path);
};
const click = async (selector) => {
  const target = await page.waitForSelector(selector);
  await Promise.all([page.waitForNavigation(), target.click()]);
};
const text = () => page.$eval("body", (body) => body.innerText);

/** Nothing sticks out sideways, everything that is tapped is large enough, and axe finds nothing serious. */
async function examine(name, width, scheme) {
  await page.setViewport({ width, height: 800, isMobile: width < 500, hasTouch: width < 500 });
  await page.emulateMediaFeatures([{ name: "prefers-color-scheme", value: scheme }]);
  await page.reload();
  const wide = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  assert.ok(wide <= 0, `${name} at ${width} is ${wide} px too wide`);
  const small = await page.$$eval("button, .button, nav a, .rows .main[href], input:not([type=hidden]):not([type=checkbox]):not([type=radio]), select", (all) =>
    all.filter((one) => one.offsetParent && one.getBoundingClientRect().height < 43.5).map((one) => one.outerHTML.slice(0, 80)));
  assert.deepEqual(small, [], `${name} at ${width}: too small to tap`);
  // The policy forbids scripts in the page; the checker runs beside it.
  const client = await page.createCDPSession();
  const { frameTree } = await client.send("Page.getFrameTree");
  const world = await client.send("Page.createIsolatedWorld", { frameId: frameTree.frame.id });
  const evaluate = (expression) =>
    client.send("Runtime.evaluate", { expression, contextId: world.executionContextId, awaitPromise: true, returnByValue: true });
  await evaluate(axe);
  const answer = await evaluate("axe.run(document, { resultTypes: ['violations'] }).then((found) => found.violations.map((one) => [one.impact, one.id, one.nodes[0].html.slice(0, 120)]))");
  assert.equal(answer.exceptionDetails, undefined, JSON.stringify(answer.exceptionDetails));
  const serious = answer.result.value.filter(([impact]) => ["serious", "critical"].includes(impact));
  assert.deepEqual(serious, [], `${name} at ${width}, ${scheme}`);
  await page.screenshot({ path: join(folder, `${name}-${width}-${scheme}.png`) });
  await client.detach();
}

const everywhere = async (name) => {
  for (const width of [360, 1200]) for (const scheme of ["light", "dark"]) await examine(name, width, scheme);
  await page.setViewport({ width: 360, height: 800 });
};

try {
  await page.setJavaScriptEnabled(true);
  await go("/");
  await everywhere("home");

  // Filter, and open a group.
  await go("/groups");
  await page.select("#state", "all");
  await page.select("#sort", "count");
  await click(".filters button");
  await everywhere("groups");
  const group = report("groups", "--kind", "failed", "--sort", "open").rows[0].group_id;
  await go(`/g/${group}`);
  await everywhere("group");

  // Acknowledge, undo.
  await click(".acts a.first");
  await everywhere("ack");
  await page.type("#person", "Ann Example");
  await page.click("input[value=tomorrow]");
  await click("main form button.first");
  assert.match(await text(), /Ann Example acknowledged/);
  await everywhere("done");
  assert.ok(report("group", group).rows[0].acked, "the ledger has the acknowledgement");
  await click(".done button");
  assert.ok(!report("group", group).rows[0].acked, "the undo withdrew it");

  // Silence, with a preview.
  await go(`/act?act=silence&id=${group}`);
  await page.select("#for", "4h");
  await page.type("#reason", "the vendor knows");
  await click("main form button.first");
  assert.match(await text(), /open items/);
  await everywhere("silence");
  await click("main form button.first");
  assert.ok(report("group", group).rows[0].silenced_until, "the ledger has the silence");

  // Plan a retry, confirm it with its number, and let a cycle execute it.
  const candidate = report("groups", "--class", "transient", "--state", "new,ongoing,regressed,escalating").rows[0]?.group_id ?? group;
  await go(`/act?act=retry&id=${candidate}`);
  await page.$eval("#limit", (field) => (field.value = ""));
  await page.type("#limit", "1");
  await everywhere("retry");
  await page.$eval("#limit", (field) => (field.value = "1"));
  await click("main form button.first");
  await everywhere("plan");
  const submit = await page.$(".acts a.first");
  assert.ok(submit, await text());
  await click(".acts a.first");
  await page.type("#items", "1");
  await page.type("#reason", "it is over");
  await everywhere("apply");
  await page.type("#items", "1");
  await page.type("#reason", "it is over");
  await click("main form button.first");
  assert.match(await text(), /approved plan/);
  execFileSync(binary, ["cycle", "--config", join(demo, "config.toml")], { stdio: "ignore" });
  assert.ok(report("retries").rows.some((row) => row.trigger === "manual"), "the retry was submitted");

  // The other pages.
  for (const [name, path] of [["plans", "/plans"], ["audit", "/audit"], ["search", "/search?q=pdf"]]) {
    await go(path);
    await everywhere(name);
  }
  const item = report("items", "--state", "open", "--limit", "0").rows.find((row) => row.job_id).item_id;
  await go(`/i/${item}`);
  await everywhere("item");
  await go(`/i/${item}/record`);
  await everywhere("record");
  await page.emulateMediaType("print");
  await go("/");
  await page.screenshot({ path: join(folder, "home-print.png") });
  await page.emulateMediaType(null);
  await page.setJavaScriptEnabled(false);
  await go(`/g/${group}`);
  assert.match(await text(), /Template/);
  assert.deepEqual(complaints, []);
  console.log(`all journeys passed; pictures are in ${folder}`);
} finally {
  await browser.close();
  running.child.removeAllListeners("exit");
  running.child.kill("SIGINT");
}
