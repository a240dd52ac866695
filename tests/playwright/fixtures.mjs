// Every worker of Playwright has a server of its own: no port to agree on, no state to share.
import { test as base, expect } from '@playwright/test';
import { serve } from './server.mjs';

export { expect };
export const test = base.extend({
  server: [
    async ({}, use) => {
      const server = await serve();
      await use(server);
      await server.stop();
    },
    { scope: 'worker' },
  ],
  baseURL: async ({ server }, use) => use(server.url),
});
