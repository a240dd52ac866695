// One browser, Debian's own; everything recorded, because recordings are what this project is for.
//   EXAMPLE_OUT  where the results go (default: out/)
//   CHROMIUM     the browser to use (default: chromium on the PATH)
import { execFileSync } from 'node:child_process';
import { join, resolve } from 'node:path';

const out = resolve(process.env.EXAMPLE_OUT ?? join(import.meta.dirname, 'out'));
const chromium = process.env.CHROMIUM ?? execFileSync('sh', ['-c', 'command -v chromium'], { encoding: 'utf8' }).trim();

export default {
  testDir: 'specs',
  outputDir: join(out, 'test-results'),
  fullyParallel: true,
  workers: 2,
  retries: 1,
  // generous, for machines that do other things as well
  timeout: 60_000,
  expect: { timeout: 20_000 },
  reporter: [
    ['list'],
    ['html', { open: 'never', outputFolder: join(out, 'playwright-report') }],
    ['json', { outputFile: join(out, 'results.json') }],
    ['junit', { outputFile: join(out, 'junit.xml') }],
  ],
  use: {
    trace: 'on',
    video: 'on',
    screenshot: 'on',
    launchOptions: {
      executablePath: chromium,
      // root in a container has no sandbox; the rest keeps the browser from talking to its maker
      args: ['--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage', '--disable-background-networking', '--disable-component-update', '--disable-sync'],
    },
  },
};
