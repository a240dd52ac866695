// Every worker of Playwright serves the catalogue to itself, on whichever port is free.
import { createServer } from 'node:http';
import { readFileSync } from 'node:fs';
import { basename, extname, join } from 'node:path';
import { test as base, expect } from '@playwright/test';
import { answer, names, page } from './pages.mjs';

const types = { '.html': 'text/html', '.css': 'text/css', '.js': 'text/javascript' };
const libraries = ['bootstrap/dist/css/bootstrap.min.css', 'jquery/dist/jquery.min.js', 'chart.js/dist/chart.umd.min.js', 'vue/dist/vue.global.prod.js'];
const files = new Map([
  ...libraries.map((path) => [`/${basename(path)}`, readFileSync(join(import.meta.dirname, 'node_modules', path))]),
  ...names.map((name) => [`/${name}.html`, page(name)]),
]);

function respond(request, response) {
  const { pathname } = new URL(request.url, 'http://localhost');
  if (pathname.startsWith('/api/')) return response.setHeader('content-type', 'application/json').end(answer(pathname));
  const content = files.get(pathname);
  response.writeHead(content ? 200 : 404, { 'content-type': types[extname(pathname)] ?? 'text/plain' }).end(content ?? 'no');
}

export { expect, names };
export const test = base.extend({
  address: [
    async ({}, use) => {
      const server = createServer(respond);
      await new Promise((listening) => server.listen(0, '127.0.0.1', listening));
      await use(`http://127.0.0.1:${server.address().port}`);
      server.closeAllConnections();
      server.close();
    },
    { scope: 'worker' },
  ],
  baseURL: async ({ address }, use) => use(address),
});
