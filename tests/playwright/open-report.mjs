// Opens a Playwright HTML report of this project in chromium, as somebody would who wants to know what broke:
// from the file, and through a web server with a look at the failed test's screenshot, video and trace.
// Exits 0 when all of it is there. REPORT_DIR may be any copy of playwright-report.
// usage: node open-report.mjs REPORT_DIR [SCREENSHOT.png]
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createServer } from 'node:http';
import { readFile } from 'node:fs/promises';
import { extname, join, normalize, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { chromium, expect as base } from '@playwright/test';
import { counts, titles } from './expected.mjs';

const expect = base.configure({ timeout: 20_000 });
const [report, screenshot] = process.argv.slice(2);
if (!report) {
  console.error('usage: node open-report.mjs REPORT_DIR [SCREENSHOT.png]');
  process.exit(2);
}

const types = { '.html': 'text/html', '.js': 'text/javascript', '.css': 'text/css', '.png': 'image/png', '.webm': 'video/webm', '.svg': 'image/svg+xml' };
const server = createServer(async (request, response) => {
  const path = normalize(decodeURIComponent(new URL(request.url, 'http://localhost').pathname));
  try {
    const content = await readFile(join(resolve(report), path));
    response.writeHead(200, { 'content-type': types[extname(path)] ?? 'application/octet-stream' }).end(content);
  } catch {
    response.writeHead(404).end();
  }
});
await new Promise((listening) => server.listen(0, '127.0.0.1', listening));
const origin = `http://127.0.0.1:${server.address().port}`;

const executablePath = process.env.CHROMIUM ?? execFileSync('sh', ['-c', 'command -v chromium'], { encoding: 'utf8' }).trim();
const browser = await chromium.launch({ executablePath, args: ['--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage'] });
const page = await browser.newPage({ viewport: { width: 1280, height: 900 } });
page.setDefaultTimeout(20_000);

/** The first page of the report: every kind of test is counted and listed, skipped ones once they are asked for. */
async function list(address) {
  await page.goto(address);
  const shown = { All: counts.expected + counts.unexpected + counts.flaky, Passed: counts.expected, Failed: counts.unexpected, Flaky: counts.flaky, Skipped: counts.skipped };
  const filter = (name) => page.locator('.subnav-item', { hasText: name });
  for (const [name, count] of Object.entries(shown)) await expect(filter(name).locator('.counter')).toHaveText(String(count));
  for (const title of [titles.passed, titles.failed, titles.flaky]) await expect(page.getByText(title)).toBeVisible();
  await filter('Skipped').click();
  await expect(page.getByText(titles.skipped)).toBeVisible();
  await filter('All').click();
}

/** A link of the page, fetched; answers its bytes. */
async function fetched(locator, attribute) {
  const address = new URL(await locator.getAttribute(attribute), page.url());
  const response = await page.request.get(address.href);
  assert.equal(response.status(), 200, `${address.pathname} answers ${response.status()}`);
  return { address, bytes: await response.body() };
}

try {
  await list(pathToFileURL(join(resolve(report), 'index.html')).href);
  await list(`${origin}/index.html`);

  await page.getByText(titles.failed).click();
  await expect(page.getByText('Closed by ada').first()).toBeVisible();
  const image = page.locator('img.screenshot').first();
  await expect(image).toBeVisible();
  await expect.poll(() => image.evaluate((img) => img.complete && img.naturalWidth), { message: 'The screenshot does not load', timeout: 20_000 }).toBeGreaterThan(0);
  if (screenshot) await page.screenshot({ path: screenshot, fullPage: true });
  const video = await fetched(page.locator('video source').first(), 'src');
  assert.equal(video.bytes.readUInt32BE(0), 0x1a45dfa3, 'The video is not a WebM file');

  // the trace: the archive itself, then the viewer that the report brings along
  const link = page.locator('a[href*="trace/index.html"]').first();
  const viewer = new URL(await link.getAttribute('href'), page.url());
  const trace = await page.request.get(new URL(viewer.searchParams.get('trace'), viewer).href);
  assert.equal(trace.status(), 200, `The trace answers ${trace.status()}`);
  assert.equal((await trace.body()).subarray(0, 4).toString('latin1'), 'PK\x03\x04', 'The trace is not a zip file');
  await page.goto(viewer.href);
  await expect(page.getByText('Navigate').first()).toBeVisible();

  console.log(`The report in ${report} opens: ${JSON.stringify(counts)}, with its screenshot, video and trace`);
} catch (error) {
  if (screenshot) await page.screenshot({ path: screenshot, fullPage: true }).catch(() => {});
  console.error(`open-report: ${error.message}`);
  process.exitCode = 1;
} finally {
  await browser.close();
  server.close();
}
