// Four tests a page, and some that fail or flake; which ones depends on RUN, as it does from night to night.
import { test, expect, names } from '../fixtures.mjs';

const run = Number(process.env.RUN ?? 0);

for (const name of names) {
  test.describe(name, () => {
    test.beforeEach(({ page }) => page.goto(`/${name}.html`));

    test('loads table', async ({ page }, info) => {
      await expect(page.locator('tbody tr')).toHaveCount(200);
      await page.screenshot({ path: info.outputPath('step-1.png'), fullPage: true });
    });
    test('filters rows', async ({ page }) => {
      await page.fill('#q', `${name}-1`);
      await expect(page.locator('#count')).toHaveText('111');
      await page.waitForTimeout(300);
    });
    test('opens details', async ({ page }) => {
      for (const row of [1, 5, 9]) {
        await page.locator(`button[data-row="${row}"]`).click();
        await expect(page.locator('#panel')).toContainText(`/api/${name}/${row}`);
      }
    });
    test('navigates', async ({ page }) => {
      for (const other of names.slice(0, 4)) {
        await page.click(`a[href="/${other}.html"]`);
        await expect(page.locator('h1')).toHaveText(other);
      }
    });
    if ((name.length + run) % 4 === 0)
      test('broken widget', async ({ page }) => {
        await expect(page.locator('#panel')).toHaveText('ready', { timeout: 800 });
      });
    if ((name.length + run) % 5 === 0)
      test('flaky widget', async ({ page }, info) => {
        if (info.retry === 0) await expect(page.locator('#panel')).toHaveText('ready', { timeout: 800 });
      });
  });
}
