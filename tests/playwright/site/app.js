const find = (selector) => document.querySelector(selector);
let tickets = [];

function render() {
  const words = find('#filter').value.toLowerCase();
  const shown = tickets.filter((t) => `${t.subject} ${t.owner}`.toLowerCase().includes(words));
  find('tbody').replaceChildren(...shown.map(row));
  find('#open').textContent = `${tickets.filter((t) => t.open).length} open`;
}

function row(ticket) {
  const tr = document.createElement('tr');
  for (const text of [ticket.id, ticket.subject, ticket.owner, ticket.open ? 'open' : 'closed'])
    tr.insertCell().textContent = text;
  tr.onclick = () => details(ticket);
  return tr;
}

function details(ticket) {
  find('#details').hidden = false;
  find('#details h2').textContent = ticket.subject;
  find('#details .owner').textContent = `Owned by ${ticket.owner}`;
  find('#details .state').textContent = ticket.open ? 'Open' : 'Closed';
  find('#details .close').onclick = async () => {
    Object.assign(ticket, await (await fetch(`/api/tickets/${ticket.id}/close`, { method: 'POST' })).json());
    details(ticket);
    render();
  };
}

find('#filter').oninput = render;
find('#new').onsubmit = async (event) => {
  event.preventDefault();
  const ticket = Object.fromEntries(new FormData(event.target));
  const answer = await fetch('/api/tickets', { method: 'POST', body: JSON.stringify(ticket) });
  tickets.push(await answer.json());
  event.target.reset();
  render();
};
tickets = await (await fetch('/api/tickets')).json();
console.log(`Loaded ${tickets.length} tickets`);
render();
