import { test, expect } from '../fixtures.mjs';

test.describe('the list', () => {
  test.beforeEach(async ({ page }) => {
    await page.goto('/');
    await expect(page.locator('tbody tr')).not.toHaveCount(0);
  });

  test('shows every ticket', async ({ page, server }) => {
    const tickets = await (await page.request.get(`${server.url}/api/tickets`)).json();
    await expect(page.locator('tbody tr')).toHaveCount(tickets.length);
    await page.screenshot({ path: test.info().outputPath('01-whole-list.png'), fullPage: true });
  });

  for (const [words, subject] of [['invoice', 'Typo on the invoice'], ['99 %', 'Upload stops at 99 %']]) {
    test(words === 'invoice' ? 'filters by words' : `filters by “${words}”`, async ({ page }) => {
      await page.getByLabel('Filter').fill(words);
      await expect(page.locator('tbody tr')).toHaveCount(10);
      await expect(page.locator('tbody tr').first()).toContainText(subject);
    });
  }

  test('shows nothing when nothing fits', async ({ page }) => {
    await page.getByLabel('Filter').fill('no such words');
    await expect(page.locator('tbody tr')).toHaveCount(0);
  });

  test('counts the open tickets (passes on its second attempt)', async ({ page }, info) => {
    const count = page.locator('#open');
    if (info.retry === 0) await expect(count).toHaveText('as many as there are', { timeout: 500 });
    await expect(count).toHaveText(/^\d+ open$/);
  });
});
