// The application under test: static files from site/ and a small JSON API, state in memory.
// A server takes whichever port is free, so that runs side by side never meet.
import { createServer } from 'node:http';
import { readFile } from 'node:fs/promises';
import { extname, join, normalize } from 'node:path';

const site = join(import.meta.dirname, 'site');
const types = { '.html': 'text/html; charset=utf-8', '.css': 'text/css', '.js': 'text/javascript' };

function seedTickets() {
  const subjects = ['Login page is slow', 'Export misses a column', 'Typo on the invoice', 'Upload stops at 99 %'];
  return Array.from({ length: 40 }, (_, i) => ({
    id: i + 1,
    subject: `${subjects[i % subjects.length]} #${i + 1}`,
    owner: ['ada', 'grace', 'linus'][i % 3],
    open: i % 5 !== 4,
  }));
}

async function body(request) {
  const parts = [];
  for await (const part of request) parts.push(part);
  return JSON.parse(Buffer.concat(parts).toString());
}

async function answer(tickets, request) {
  const { pathname } = new URL(request.url, 'http://localhost');
  const json = (value, status = 200) => [status, 'application/json', JSON.stringify(value)];
  if (pathname === '/api/tickets' && request.method === 'GET') return json(tickets);
  if (pathname === '/api/tickets' && request.method === 'POST') {
    const ticket = { id: tickets.length + 1, open: true, ...(await body(request)) };
    tickets.push(ticket);
    return json(ticket, 201);
  }
  const close = /^\/api\/tickets\/(\d+)\/close$/.exec(pathname);
  if (close) {
    const ticket = tickets.find((t) => t.id === Number(close[1]));
    if (!ticket) return json({ error: 'No such ticket' }, 404);
    ticket.open = false;
    return json(ticket);
  }
  const file = normalize(pathname === '/' ? '/index.html' : pathname);
  try {
    return [200, types[extname(file)] ?? 'application/octet-stream', await readFile(join(site, file))];
  } catch {
    return [404, 'text/plain', 'Not found'];
  }
}

/** Starts a fresh server; answers its address and a function that stops it. */
export async function serve() {
  const tickets = seedTickets();
  const server = createServer(async (request, response) => {
    const [status, type, content] = await answer(tickets, request);
    response.writeHead(status, { 'content-type': type }).end(content);
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  const stop = () => new Promise((resolve) => (server.closeAllConnections(), server.close(resolve)));
  return { url: `http://127.0.0.1:${server.address().port}`, stop };
}
